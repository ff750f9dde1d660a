"""Clients of a control plane, and `flyte.init`, which sets the default one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from flyte.errors import InitializationError
from flyte_api.registry import registry
from flyte_rpc.calls.block import Block
from flyte_rpc.calls.client import Client as RpcClient
from flyte_rpc.calls.client import ClientSettings, Observer
from flyte_rpc.lazy import resolve
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.version import VERSION

if TYPE_CHECKING:
    from .access.settings import Settings

Observers = Observer | Iterable[Observer]

_lock = threading.Lock()


class Client(RpcClient):
    __doc__ = RpcClient.__doc__

    user_agent: ClassVar[str] = f"flyte-remote/{VERSION} (python {sys.version_info[0]}.{sys.version_info[1]})"
    constructors: ClassVar[str] = "flyte.init() or flyte.Client()"

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        **options: Any,
    ) -> Self:
        """Return a client for the configuration file that Flyte tools share.

        Args:
            path: The file. Default: the first that exists in the places that `flyte.init_from_config` lists.
            org: Organization. Arguments override environment variables, which override the file.
            project: Default project of calls.
            domain: Default domain of calls.
            options: Other arguments of `Client`, such as `timeout` and `on_call`.

        Raises:
            InitializationError: The file does not exist or is not valid, or no endpoint is set.
        """
        from .access.config_file import config_file
        from .access.settings import Settings

        arguments = {"org": org or None, "project": project or None, "domain": domain or None}
        return cls.from_settings(Settings(arguments, config_file(path)), **options)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> Self:
        """Return a client for settings that were resolved already.

        Args:
            settings: The settings of the connection.
            options: Other arguments of `Client`. They override the settings.

        Raises:
            InitializationError: No endpoint is set, or a setting cannot be used.
        """
        from .access.arguments import client_arguments

        return cls(**{**client_arguments(settings), **options})


resolve_client = registry.resolve


def current_client() -> RpcClient:
    """Return the client for calls without `client=`: that of the enclosing `use_client` block, else the default client.

    Raises:
        InitializationError: No client is set.
    """
    return registry.current()


def use_client(client: RpcClient) -> Block[RpcClient]:
    """Use a client in a `with` block, in this thread or task and in tasks that it starts.

    Returns:
        The block. Used without `with`, it has no effect, and warns.

    Raises:
        TypeError: `client` is not a client.
    """
    return registry.use(client, stacklevel=2)


def set_default(client: RpcClient, *, replace: bool) -> None:
    """Make a client the default one of the process.

    Raises:
        InitializationError: There is one with other settings, and `replace` is False.
    """
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


registry.configure(
    missing="No control plane is set. Call flyte.init(endpoint='http://host:port', project=..., domain=...), "
    "pass client= to this call, or start a local control plane with flyte.devbox.start().",
    discover=lambda: resolve("flyte._init:client_of_task")(),
)


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
