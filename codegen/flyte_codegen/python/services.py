"""The contents of service modules."""

from __future__ import annotations

import attrs

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Api, Method, Service
from flyte_codegen.names import SERVICE_MODULE

from .type_names import Naming, TypeNames

_EFFECTS = {"NO_SIDE_EFFECTS": "READ", "IDEMPOTENT": "IDEMPOTENT"}


@attrs.frozen
class PyRpc:
    """One RPC: its constant, and the handler that a server overrides."""

    constant: str
    handler: str
    path: str
    request: str
    response: str
    define: str
    argument: str
    result: str
    request_path: str
    response_path: str
    cardinality: str
    effect: str
    deprecated: str | None
    doc: str


@attrs.frozen
class PyService:
    """A service module."""

    path: str
    name: str
    full_name: str
    doc: str
    source: str
    type_imports: tuple[str, ...]
    rpcs: tuple[PyRpc, ...]


def effect(method: Method, config: Config) -> str:
    """Return the effect of a call: from the proto, else from codegen.toml, else READ for streams and WRITE for others."""
    if method.idempotency in _EFFECTS:
        return _EFFECTS[method.idempotency]
    configured = config.effect_of(method.full_name)
    if configured:
        return configured.upper()
    return "READ" if method.server_streaming and not method.client_streaming else "WRITE"


def cardinality(method: Method) -> str:
    """Return the name of the method's `Cardinality`."""
    return {
        (False, False): "UNARY",
        (False, True): "SERVER_STREAM",
        (True, False): "CLIENT_STREAM",
        (True, True): "BIDI",
    }[method.client_streaming, method.server_streaming]


def lay_out(service: Service, naming: Naming, config: Config, source: str) -> PyService:
    """Build the module of a service."""
    types = TypeNames(naming, SERVICE_MODULE | {service.py_name, f"{service.py_name}Base"})
    rpcs = tuple(_rpc(service, method, naming, types, config) for method in service.methods)
    return PyService(
        path=service.module,
        name=service.py_name,
        full_name=service.full_name,
        doc=deprecations.noted(service.doc or f"`{service.full_name}`.", service.deprecated),
        source=source,
        type_imports=tuple(sorted(types.lines)),
        rpcs=rpcs,
    )


def _rpc(service: Service, method: Method, naming: Naming, types: TypeNames, config: Config) -> PyRpc:
    request, response = types.name(method.request), types.name(method.response)
    streams = method.server_streaming
    instead = deprecations.of_rpc(service, method)
    return PyRpc(
        constant=method.constant,
        handler=method.py_name,
        path=f"/{service.full_name}/{method.name}",
        request=request,
        response=response,
        define="def" if streams else "async def",
        argument=f"requests: AsyncIterator[{request}]" if method.client_streaming else f"request: {request}",
        result=f"AsyncIterator[{response}]" if streams else response,
        request_path=naming.path(method.request),
        response_path=naming.path(method.response),
        cardinality=cardinality(method),
        effect=effect(method, config),
        deprecated=instead,
        doc=deprecations.noted(method.doc, instead is not None),
    )


def modules(api: Api, naming: Naming, config: Config) -> list[PyService]:
    """Return the service modules to write."""
    return [lay_out(s, naming, config, f.name) for f in api.files if not naming.is_extern(f) for s in f.services]
