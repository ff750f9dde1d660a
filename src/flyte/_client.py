"""Clients of a control plane, and `flyte.init`, which sets the default one."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import AbstractContextManager
from typing import ClassVar, cast, get_args

from flyte.errors import InitializationError
from flyte_api.registry import registry
from flyte_rpc.calls.client import Client as RpcClient
from flyte_rpc.calls.client import ClientSettings
from flyte_rpc.calls.credentials import Token
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.transport import TransportName
from flyte_rpc.version import VERSION

_ENVIRONMENT = {
    "endpoint": ("FLYTE_ENDPOINT", "FLYTE_ADMIN_ENDPOINT"),
    "org": ("FLYTE_ORG", "FLYTE_TASK_ORG"),
    "project": ("FLYTE_PROJECT", "FLYTE_TASK_PROJECT"),
    "domain": ("FLYTE_DOMAIN", "FLYTE_TASK_DOMAIN"),
    "token": ("FLYTE_TOKEN",),
    "insecure": ("FLYTE_INSECURE", "FLYTE_ADMIN_INSECURE"),
    "transport": ("FLYTE_TRANSPORT",),
}
"""Environment variables for omitted arguments. The first one that is set wins."""

_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_lock = threading.Lock()


class Client(RpcClient):
    __doc__ = RpcClient.__doc__

    user_agent: ClassVar[str] = f"flyte-remote/{VERSION} (python {sys.version_info[0]}.{sys.version_info[1]})"
    constructors: ClassVar[str] = "flyte.init() or flyte.Client()"


resolve_client = registry.resolve


def current_client() -> RpcClient:
    """Return the client for calls without `client=`: that of the enclosing `use_client` block, else the default client.

    Raises:
        InitializationError: No client is set.
    """
    return registry.current()


def use_client(client: RpcClient) -> AbstractContextManager[RpcClient]:
    """Use a client in a `with` block, in this thread or task and in tasks that it starts.

    Raises:
        TypeError: `client` is not a client.
    """
    return registry.use(client)


def _client_of_task() -> RpcClient | None:
    """Return the client of a process that executes a task, from its environment."""
    if not os.environ.get("FLYTE_ENDPOINT") or not os.environ.get("FLYTE_ACTION_NAME"):
        return None
    init()
    return registry.default


registry.configure(
    missing="No control plane is set. Call flyte.init(endpoint='http://host:port', project=..., domain=...), "
    "pass client= to this call, or start a local control plane with flyte.devbox.start().",
    discover=_client_of_task,
)


def init(
    endpoint: str | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    token: Token | None = None,
    insecure: bool | None = None,
    timeout: float = 60.0,
    page_size: int = 100,
    transport: TransportName | None = None,
    replace: bool = False,
) -> None:
    """Set the default client of the process. It connects at the first call.

    Omitted settings are read from the environment: `FLYTE_ENDPOINT`, `FLYTE_ORG`, `FLYTE_PROJECT`, `FLYTE_DOMAIN`,
    `FLYTE_TOKEN`, `FLYTE_INSECURE`, `FLYTE_TRANSPORT`; or `FLYTE_ADMIN_ENDPOINT`, `FLYTE_ADMIN_INSECURE` and `FLYTE_TASK_ORG`,
    `FLYTE_TASK_PROJECT`, `FLYTE_TASK_DOMAIN`, the names of other Flyte tools.

    To use several control planes or identities, create a `flyte.Client` for each and pass it as `client=`.

    Args:
        endpoint: `http://host[:port]` for cleartext, `https://host[:port]` for TLS, `dns:///host[:port]` or `host[:port]`.
        org: Organization. Default: none.
        project: Default project of calls.
        domain: Default domain of calls.
        token: Bearer token, or a function that returns one and is called before each attempt. Default: anonymous.
        insecure: True for cleartext, False for TLS, for endpoints without a scheme. Default: TLS, except to this machine.
        timeout: Maximum seconds per call, retries included. Default: 60.
        page_size: Items per request of a listing. Default: 100.
        transport: `"grpc"`, `"connect"`, `"grpclib"`, or `"auto"`: gRPC where it works, and Connect where a server or
            proxy does not pass gRPC. Default: `"auto"`.
        replace: Replace and close the client of an earlier `init` with other settings. Default: False.

    Raises:
        InitializationError: No endpoint is set, or an earlier `init` had other settings and `replace` is False.
        ValueError: An argument or an environment variable is invalid.
    """
    where = endpoint or _variable("endpoint")
    if not where:
        raise InitializationError(
            "No endpoint is set. Write flyte.init(endpoint='http://host:port'), set FLYTE_ENDPOINT, "
            "or start a local control plane with flyte.devbox.start()."
        )
    client = Client(
        where,
        org=org or _variable("org") or "",
        project=project or _variable("project"),
        domain=domain or _variable("domain"),
        token=token or _variable("token"),
        insecure=_insecure() if insecure is None and not _has_scheme(where) else insecure,
        timeout=timeout,
        page_size=page_size,
        transport=transport or _transport(),
    )
    with _lock:
        previous = registry.default
        if previous is not None and not previous.closed:
            different = _differences(previous.settings, client.settings)
            if not different and previous.settings.token == client.settings.token:
                return
            if different and not replace:
                raise InitializationError(
                    f"flyte.init() or box.connect() has already set a client with other settings: {', '.join(different)}. "
                    "Pass replace=True to change them, or create a flyte.Client and pass it as client=."
                )
        registry.set_default(client)
    if previous is not None:
        previous.close()


def _has_scheme(endpoint: object) -> bool:
    return str(endpoint).lower().startswith(("http://", "https://"))


def _variable(argument: str) -> str | None:
    return next((value for name in _ENVIRONMENT[argument] if (value := os.environ.get(name, "").strip())), None)


def _transport() -> TransportName:
    name = _variable("transport")
    if name is None:
        return "auto"
    if name not in get_args(TransportName):
        choices = ", ".join(f'"{choice}"' for choice in get_args(TransportName))
        raise ValueError(f"FLYTE_TRANSPORT={name!r}: choose one of {choices}")
    return cast(TransportName, name)


def _insecure() -> bool | None:
    text = _variable("insecure")
    if text is None:
        return None
    if text.lower() not in _TRUTH:
        raise ValueError(f"FLYTE_INSECURE (or FLYTE_ADMIN_INSECURE) is {text!r}; it must be true or false")
    return _TRUTH[text.lower()]


def _differences(before: ClientSettings, now: ClientSettings) -> list[str]:
    """Describe how two clients differ. Functions that return tokens cannot be compared, and count as equal."""
    different: list[str] = []
    for name in ("endpoint", "org", "project", "domain", "timeout", "page_size", "transport"):
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            different.append(f"{name} {_shown(old)}, now {_shown(new)}")
    if before.token != now.token and not (callable(before.token) and callable(now.token)):
        different.append("token (not shown)")
    return different


def _shown(value: object) -> str:
    return repr(str(value) if isinstance(value, Endpoint) else value)
