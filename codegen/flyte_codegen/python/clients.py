"""The contents of client modules: a class per service, with a method for each RPC that the client does not stream to."""

from __future__ import annotations

import attrs

from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Api, Method, Service
from flyte_codegen.names import CLIENT_MODULE, RESERVED_IN_CLIENT, escape, rpc_name
from flyte_codegen.text import sentence

from .type_names import Naming, TypeNames

_ARGUMENTS = """
Args:
    request: The request.
    timeout: {timeout}

Raises:
    RpcError: The call failed; the subclass says how."""
_TIMEOUTS = {
    False: "Maximum seconds for the call, retries included, or a timedelta. Default: the client's.",
    True: "Seconds after which the stream is cut, or a timedelta. Default: never.",
}


@attrs.frozen
class PyCall:
    """A method of a client class."""

    name: str
    constant: str
    decorator: str
    define: str
    call: str
    request: str
    result: str
    deprecated: bool
    doc: str


@attrs.frozen
class PyClient:
    """A client module."""

    path: str
    name: str
    service: str
    module: str
    """The module of the service's RPCs."""
    full_name: str
    doc: str
    source: str
    type_imports: tuple[str, ...]
    methods: tuple[PyCall, ...]


def class_name(service: Service) -> str:
    """Return the name of the client class of a service."""
    return f"{service.py_name}Client"


def method_name(method: Method) -> str:
    """Return the name of the method that calls an RPC; "" if a client class has none."""
    return "" if method.client_streaming else escape(rpc_name(method.name), RESERVED_IN_CLIENT)


def modules(api: Api, naming: Naming) -> list[PyClient]:
    """Return the client modules to write: one for each service with an RPC that the client does not stream to."""
    return [
        _lay_out(service, naming, file.name)
        for file in api.files
        if not naming.is_extern(file)
        for service in file.services
        if any(map(method_name, service.methods))
    ]


def _lay_out(service: Service, naming: Naming, source: str) -> PyClient:
    types = TypeNames(naming, CLIENT_MODULE | {service.py_name, class_name(service)})
    methods = tuple(_method(service, method, types) for method in service.methods if method_name(method))
    return PyClient(
        path=service.module,
        name=class_name(service),
        service=service.py_name,
        module=naming.service_module(service),
        full_name=service.full_name,
        doc=deprecations.noted(service.doc or f"Calls of `{service.full_name}`.", service.deprecated),
        source=source,
        type_imports=tuple(sorted(types.lines)),
        methods=methods,
    )


def _method(service: Service, method: Method, types: TypeNames) -> PyCall:
    request, response = types.name(method.request), types.name(method.response)
    streams, deprecated = method.server_streaming, deprecations.of_rpc(service, method) is not None
    summary = sentence(method.doc) or f"Call `{method.name}`."
    about = f"{deprecations.noted(summary, deprecated)}\n{_ARGUMENTS.format(timeout=_TIMEOUTS[streams])}"
    return PyCall(
        name=method_name(method),
        constant=method.constant,
        decorator="streaming" if streams else "blocking",
        define="def" if streams else "async def",
        call="replies" if streams else "await unary",
        request=request,
        result=f"Stream[{response}]" if streams else response,
        deprecated=deprecated,
        doc=about,
    )
