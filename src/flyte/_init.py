"""`flyte.init` and its relatives, which set the default client of the process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from flyte.errors import InitializationError
from flyte_rpc.calls.credentials import Token
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.transports.transport import TransportName

from ._client import Client, Observers, current_client, set_default
from .access.config_file import config_file
from .access.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_noted: set[str] = set()
"""Arguments without effect that were warned of."""


class WithAio(Generic[P, R]):
    """A function that never waits, with the form `function.aio(...)` that the official SDK has."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do the same in a coroutine."""
        return self._function(*args, **kwargs)


def client_of_task() -> Any:
    """Return the client of a process that executes a task, from its environment."""
    if not os.environ.get("FLYTE_ENDPOINT") or not os.environ.get("FLYTE_ACTION_NAME"):
        return None
    init()
    return current_client()


@WithAio
def init(
    endpoint: str | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    token: Token | None = None,
    insecure: bool | None = None,
    insecure_skip_verify: bool | None = None,
    ca_cert_file_path: str | os.PathLike[str] | None = None,
    http_proxy_url: str | None = None,
    rpc_retries: int | None = None,
    timeout: float = 60.0,
    page_size: int = 100,
    metadata: Sequence[tuple[str, str]] = (),
    retry: Backoff | None = None,
    on_call: Observers = (),
    transport: TransportName | None = None,
    replace: bool = False,
    **authoring: Any,
) -> None:
    """Set the default client of the process. Nothing is sent before the first call.

    Omitted settings are read from the environment: `FLYTE_ENDPOINT`, `FLYTE_ORG`, `FLYTE_PROJECT`, `FLYTE_DOMAIN`,
    `FLYTE_TOKEN`, `FLYTE_INSECURE`, `FLYTE_TRANSPORT`, and the names of other Flyte tools, such as `FLYTE_ADMIN_ENDPOINT` and
    `FLYTE_TASK_PROJECT`. Configuration files are read by `flyte.init_from_config` only.

    To use several control planes or identities, create a `flyte.Client` for each and pass it as `client=`.

    Args:
        endpoint: `http://host[:port]` for cleartext, `https://host[:port]` for TLS, `dns:///host[:port]`, `host[:port]` or
            `unix:///path`.
        org: Organization. Default: none, and for hosts of Union the first label of the host name.
        project: Default project of calls.
        domain: Default domain of calls.
        token: Bearer token, or a function or coroutine function that returns one and is called before each attempt. Default:
            anonymous.
        insecure: True for cleartext, False for TLS, for endpoints without a scheme. Default: TLS, except to this machine.
        insecure_skip_verify: Accept any TLS certificate. For tests only.
        ca_cert_file_path: PEM file of the certificate authorities to trust. Default: the system's.
        http_proxy_url: `http://[user:password@]host:port` of a proxy; `""` for none. Default: `HTTPS_PROXY` and its relatives.
        rpc_retries: Retries of calls that are safe to retry. Default: 3.
        timeout: Maximum seconds per call, retries included. Default: 60.
        page_size: Items per request of a listing. Default: 100.
        metadata: Additional request headers: pairs of a lower-case name and a printable ASCII value.
        retry: Attempts and delays of calls that are safe to retry, in place of `rpc_retries`.
        on_call: A function, or several, that receives a record of every attempt.
        transport: `"grpc"`, `"connect"`, `"grpclib"`, or `"auto"`: gRPC where it works, and Connect where a server or
            proxy does not pass gRPC. Default: `"auto"`.
        replace: Replace and close the client of an earlier `init` with other settings. Default: False.
        authoring: Arguments of the official SDK for writing and deploying tasks, such as `root_dir` and `image_builder`. They
            have no effect, which is warned of once.

    Raises:
        InitializationError: No endpoint is set, an earlier `init` had other settings and `replace` is False, or a variable
            or file has a value that cannot be used.
        ValueError: An argument is not valid.
    """
    _note_authoring("init", authoring)
    arguments = {
        "endpoint": endpoint,
        "org": org or None,
        "project": project or None,
        "domain": domain or None,
        "token": token or None,
        "insecure": insecure,
        "insecure_skip_verify": insecure_skip_verify,
        "ca_cert_file_path": ca_cert_file_path,
        "http_proxy_url": http_proxy_url,
        "rpc_retries": rpc_retries,
        "transport": transport,
    }
    options: dict[str, Any] = {"timeout": timeout, "page_size": page_size, "metadata": metadata, "on_call": on_call}
    if retry is not None:
        options["retry"] = retry
    set_default(Client.from_settings(Settings(arguments, None), **options), replace=replace)


@WithAio
def init_from_config(
    path: str | os.PathLike[str] | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    replace: bool = False,
    path_or_config: str | os.PathLike[str] | None = None,
    root_dir: str | os.PathLike[str] | None = None,
    **authoring: Any,
) -> None:
    """Set the default client from the configuration file that Flyte tools share. Nothing is sent before the first call.

    Arguments override environment variables, which override the file. Without a path, the first of these files is used:
    `config.yaml` and `.flyte/config.yaml` in the working directory, `.flyte/config.yaml` in the root of the git repository, the
    files in `UCTL_CONFIG` and `FLYTECTL_CONFIG`, `~/.union/config.yaml`, `~/.flyte/config.yaml`. If there is none, the
    environment alone has to name the endpoint.

    Args:
        path: The file. A relative path starts at `root_dir`, or at the working directory.
        org: Organization.
        project: Default project of calls.
        domain: Default domain of calls.
        replace: Replace and close the client of an earlier `init` with other settings. Default: False.
        path_or_config: The name that the official SDK has for `path`.
        root_dir: The folder at which a relative path starts.
        authoring: Arguments of the official SDK for writing and deploying tasks, such as `image_builder`. They have no
            effect, which is warned of once.

    Raises:
        InitializationError: The file does not exist or is not valid, no endpoint is set, or an earlier `init` had other
            settings and `replace` is False.
    """
    _note_authoring("init_from_config", authoring)
    if path is not None and path_or_config is not None:
        raise TypeError("pass path or path_or_config, not both")
    file = config_file(path or path_or_config, root_dir)
    arguments = {"org": org or None, "project": project or None, "domain": domain or None}
    set_default(Client.from_settings(Settings(arguments, file)), replace=replace)


@WithAio
def init_in_cluster(
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    replace: bool = False,
) -> dict[str, Any]:
    """Set the default client in a pod of a Flyte cluster, from the variables that the cluster sets.

    `_U_EP_OVERRIDE` names the endpoint, `_U_INSECURE` and `_U_INSECURE_SKIP_VERIFY` its security, `_U_ORG_NAME` the
    organization, `FLYTE_INTERNAL_EXECUTION_PROJECT` and `FLYTE_INTERNAL_EXECUTION_DOMAIN` project and domain. A
    configuration file in `UCTL_CONFIG` or `FLYTECTL_CONFIG` supplies what they leave out.

    Args:
        org: Organization.
        project: Default project of calls.
        domain: Default domain of calls.
        endpoint: The control plane.
        insecure: True for cleartext, False for TLS.
        replace: Replace and close the client of an earlier `init` with other settings. Default: False.

    Returns:
        The settings that were used, without credentials.

    Raises:
        InitializationError: No endpoint is set.
    """
    named = next((value for name in ("UCTL_CONFIG", "FLYTECTL_CONFIG") if (value := os.environ.get(name))), None)
    settings = Settings(
        {
            "org": org or _variable("_U_ORG_NAME"),
            "project": project or _variable("FLYTE_INTERNAL_EXECUTION_PROJECT"),
            "domain": domain or _variable("FLYTE_INTERNAL_EXECUTION_DOMAIN"),
            "endpoint": endpoint or _variable("_U_EP_OVERRIDE"),
            "insecure": _truth("_U_INSECURE") if insecure is None else insecure,
            "insecure_skip_verify": _truth("_U_INSECURE_SKIP_VERIFY"),
        },
        None if named is None else config_file(named),
    )
    client = Client.from_settings(settings)
    set_default(client, replace=replace)
    return {"endpoint": client.endpoint, "org": client.org, "project": client.project, "domain": client.domain}


def current_project() -> str:
    """The default project of the current client.

    Raises:
        InitializationError: There is no client, or it has no default project.
    """
    return current_client().scope(demand=("project",)).project


def current_domain() -> str:
    """The default domain of the current client.

    Raises:
        InitializationError: There is no client, or it has no default domain.
    """
    return current_client().scope(demand=("domain",)).domain


def _note_authoring(function: str, arguments: Mapping[str, Any]) -> None:
    unknown = sorted(set(arguments) - _AUTHORING)
    if unknown:
        raise TypeError(f"flyte.{function}() got an unexpected keyword argument {unknown[0]!r}")
    if fresh := sorted(set(arguments) - _noted):
        _noted.update(fresh)
        warnings.warn(
            f"flyte.{function}(): {', '.join(fresh)} of the official SDK {'has' if len(fresh) == 1 else 'have'} no effect "
            "in flyte-remote, which does not write or deploy tasks",
            stacklevel=4,
        )


_AUTHORING = frozenset(
    (
        "batch_size",
        "image_builder",
        "image_registry",
        "images",
        "load_plugin_type_transformers",
        "local_persistence",
        "local_tracked",
        "local_tracked_strict",
        "log_format",
        "log_level",
        "reset_root_logger",
        "root_dir",
        "source_config_path",
        "storage",
        "sync_local_sys_paths",
        "user_log_level",
    )
)
"""Arguments of the official SDK that have no meaning here."""


def _variable(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _truth(name: str) -> bool | None:
    from .access.keys import as_truth

    text = _variable(name)
    try:
        return None if text is None else as_truth(text)
    except ValueError:
        raise InitializationError(f"The environment variable {name} is {text!r}; it must be true or false.") from None
