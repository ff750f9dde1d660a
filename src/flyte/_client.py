"""Clients of a control plane, and `flyte.init`, which sets the default one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from flyte.errors import InitializationError
from flyte_api.registry import registry
from flyte_rpc.calls.block import Block
from flyte_rpc.calls.client import Client as RpcClient
from flyte_rpc.calls.client import ClientSettings, Observer
from flyte_rpc.calls.credentials import Credentials, described
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
            org: Organization. `""` stands for none. Arguments override environment variables, which override the file.
            project: Default project of calls. `""` stands for none.
            domain: Default domain of calls. `""` stands for none.
            options: Settings in the tables of the documentation, such as `auth_type` and `endpoint`, and arguments of
                `Client`, such as `timeout`, `on_call` and `credentials`.

        Raises:
            InitializationError: The file does not exist or is not valid, or no endpoint is set.
            TypeError: An argument has the wrong type, or does not exist.
            ValueError: An argument cannot be used.
        """
        from .access.arguments import exclusive
        from .access.config_file import config_file
        from .access.keys import BY_NAME
        from .access.settings import Settings
        from .access.ways_in import OF_LOGIN

        given = {name: options.pop(name) for name in BY_NAME if name in options}
        if unknown := sorted(options.keys() - signature(cls).parameters.keys()):
            raise TypeError(f"{cls.__name__}.from_config() got an unexpected keyword argument {unknown[0]!r}")
        exclusive(given, options)
        arguments = {"org": org, "project": project, "domain": domain, **given}
        omit = () if options.get("credentials") is None else OF_LOGIN
        return cls.from_settings(Settings(arguments, config_file(path), omit=omit), **options)

    @classmethod
    def from_settings(cls, settings: Settings, *, attended: bool = True, **options: Any) -> Self:
        """Return a client for settings that were resolved already.

        Args:
            settings: The settings of the connection.
            attended: Whether a person may be asked to log in, unless the settings say so.
            options: Other arguments of `Client`. They override the settings.

        Raises:
            InitializationError: No endpoint is set, or a variable or file has a value that cannot be used.
            TypeError: An argument has the wrong type.
            ValueError: An argument cannot be used.
        """
        from .access.arguments import client_arguments

        logged_in = options.get("credentials") is not None
        if logged_in and settings.source("token") == "argument":
            raise TypeError("pass token= or credentials=, not both")
        network = options.get("network")
        arguments = client_arguments(settings, network=network, attended=attended, logged_in=logged_in)
        return cls(**{**arguments, **options})


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

    Args:
        client: The client.
        replace: Replace and close the one that is set, whatever its settings. Otherwise it stays if its settings are the same.

    Raises:
        InitializationError: There is one with other settings, and `replace` is False.
    """
    with _lock:
        previous = registry.default
        if previous is not None and not previous.closed:
            different, replaceable = _differences(previous.settings, client.settings)
            if not (different or replaceable or replace):
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


def _differences(before: ClientSettings, now: ClientSettings) -> tuple[list[str], bool]:
    """Describe how two clients differ, and whether functions do, which cannot be compared and may be replaced."""
    different: list[str] = []
    functions = False
    for name in attrs.fields_dict(ClientSettings):
        old, new = getattr(before, name), getattr(now, name)
        if name == "credentials" and before.token is not None and now.token is not None:
            continue  # the tokens are compared
        if name == "token" and (old is None or new is None):
            continue  # the credentials are compared, which a token is, too
        if old == new:
            continue
        if (callable(old) and callable(new)) or (name == "on_call" and old and new):
            functions = True
        elif name == "credentials":
            different.append(_different_credentials(before.credentials, now.credentials))
        elif name in _SHOWN:
            different.append(f"{name} {_shown(old)}, now {_shown(new)}")
        else:
            different.append(f"{name} (not shown)")
    return different, functions


_SHOWN = ("endpoint", "org", "project", "domain", "timeout", "page_size", "transport", "retry", "network")


def _shown(value: object) -> str:
    return repr(str(value) if isinstance(value, Endpoint) else value)


def _different_credentials(old: Credentials | None, new: Credentials | None) -> str:
    """Name the ways to log in, without any secret."""
    before, now = described(old), described(new)
    if before == now:
        return f"{before} with other settings"
    return f"{before}, now {now.removeprefix('auth_type ') if before.startswith('auth_type') else now}"
