"""`flyte.init` and its relatives, which set the default client of the process."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from flyte.errors import InitializationError
from flyte_rpc.calls.credentials import Credentials, Token
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.sync.misuse import check_arguments, check_flags
from flyte_rpc.transports.transport import TransportName

from ._client import Client, Observers, current_client, set_default
from .access.arguments import exclusive
from .access.authoring import note
from .access.cluster import cluster_settings, passthrough_settings
from .access.config_file import config_file
from .access.settings import Settings
from .access.ways_in import OF_LOGIN

if TYPE_CHECKING:
    from flyte_rpc.transports.network.settings import Network

P = ParamSpec("P")
R = TypeVar("R")
StrPath = str | os.PathLike[str]


class WithAio(Generic[P, R]):
    """A function that never waits, with the form `function.aio(...)` that the official SDK has."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        check_flags(self._function, args, kwargs)
        try:
            return self._function(*args, **kwargs)
        except TypeError:
            check_arguments(f"flyte.{self._function.__name__}", inspect.signature(self._function), args, kwargs)
            raise

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do the same in a coroutine."""
        return self(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<function flyte.{self._function.__name__}>"

    def __reduce__(self) -> str:
        return self._function.__name__  # pickled by name, as functions are


def client_of_task() -> Any:
    """Return the client of a process that executes a task, from its environment."""
    if not os.environ.get("FLYTE_ENDPOINT") or not os.environ.get("FLYTE_ACTION_NAME"):
        return None
    set_default(Client.from_settings(Settings({}, None), attended=False), replace=False)
    return current_client()


@WithAio
def init(
    endpoint: str | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    token: Token | None = None,
    credentials: Credentials | None = None,
    auth_type: str | None = None,
    client_id: str | None = None,
    client_credentials_secret: str | None = None,
    api_key: str | None = None,
    command: Sequence[str] | None = None,
    proxy_command: Sequence[str] | None = None,
    scopes: Sequence[str] | None = None,
    auth_client_config: object = None,
    disable_keyring: bool | None = None,
    headless: bool | None = None,
    interactive: bool | None = None,
    subject: str | None = None,
    insecure: bool | None = None,
    insecure_skip_verify: bool | None = None,
    ca_cert_file_path: StrPath | None = None,
    client_cert_file_path: StrPath | None = None,
    client_key_file_path: StrPath | None = None,
    http_proxy_url: str | None = None,
    network: Network | None = None,
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

    If nothing says how to authenticate, the client logs in with a browser when an `https://` control plane rejects an anonymous
    call and says how to log in.

    To use several control planes or identities, create a `flyte.Client` for each and pass it as `client=`.

    Args:
        endpoint: `http://host[:port]` for cleartext, `https://host[:port]` for TLS, `dns:///host[:port]`, `host[:port]` or
            `unix:///path`.
        org: Organization; `""` for none. Default: none, and for hosts of Union the first label of the host name.
        project: Default project of calls; `""` for none.
        domain: Default domain of calls; `""` for none.
        token: Bearer token, or a function or coroutine function that returns one and is called before each attempt.
        credentials: An object that supplies and renews the headers that authenticate calls. It replaces a token or log-in.
        auth_type: `"Pkce"` (a browser on this machine), `"DeviceFlow"` (a browser elsewhere), `"ClientSecret"`,
            `"ExternalCommand"` or `"Passthrough"`. Default: what the other arguments ask for.
        client_id: The OAuth client. Default for log-ins of people: the one that the control plane names.
        client_credentials_secret: The client's secret.
        api_key: Endpoint, client id and secret in one text.
        command: Program with arguments that prints a token.
        proxy_command: Program with arguments that prints a token for a proxy in front of the control plane.
        scopes: Scopes to request. Default: those that the control plane names.
        auth_client_config: What the control plane would say about its log-in, as a mapping or an object with attributes.
        disable_keyring: Keep tokens in memory only. Default: False.
        headless: Never open a browser; print the link to standard error. Default: False.
        interactive: False never asks a person, and raises an error instead. Default: True.
        subject: The account to log in with, to keep several accounts at one endpoint apart.
        insecure: True for cleartext, False for TLS, for endpoints without a scheme. Default: TLS, except to this machine.
        insecure_skip_verify: Accept any TLS certificate. For tests only.
        ca_cert_file_path: PEM file of the certificate authorities to trust; overrides `insecure_skip_verify`. Default: the
            system's.
        client_cert_file_path: PEM file of the certificate to present (mutual TLS).
        client_key_file_path: PEM file of its private key. Default: the key is in the file of the certificate.
        http_proxy_url: `http://[user:password@]host:port` of a proxy; `""` for none. Default: `HTTPS_PROXY` and its relatives.
        network: Trust and proxies, in place of the five arguments above.
        rpc_retries: Retries of calls that are safe to retry. Default: 3.
        timeout: Maximum seconds per call, retries included. Default: 60.
        page_size: Items per request of a listing. Default: 100.
        metadata: Additional request headers: pairs of a lower-case name and a printable ASCII value.
        retry: Attempts and delays of calls that are safe to retry, in place of `rpc_retries`.
        on_call: A function, or several, that receives a record of every attempt.
        transport: `"grpc"`, `"connect"`, `"grpclib"`, or `"auto"`: gRPC where it works, and Connect where a server or
            proxy does not pass gRPC. Default: `"auto"`.
        replace: Replace and close the client of an earlier `init`. Default: False.
        authoring: Arguments of the official SDK for writing and deploying tasks, such as `root_dir` and `image_builder`. They
            have no effect; a warning says so, once.

    Raises:
        InitializationError: No endpoint is set, an earlier `init` had other settings and `replace` is False, arguments
            contradict each other, or a variable has a value that cannot be used.
        TypeError: An argument has the wrong type.
        ValueError: An argument is not valid.
    """
    given = dict(locals())
    note("init", given.pop("authoring"))
    options = {name: given.pop(name) for name in ("timeout", "page_size", "metadata", "on_call")}
    options |= {name: value for name in ("credentials", "network", "retry") if (value := given.pop(name)) is not None}
    given.pop("replace")
    exclusive(given, options)
    omit = () if credentials is None else OF_LOGIN
    set_default(Client.from_settings(Settings(given, None, omit=omit), **options), replace=replace)


@WithAio
def init_from_config(
    path: StrPath | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    replace: bool = False,
    path_or_config: StrPath | None = None,
    root_dir: StrPath | None = None,
    **authoring: Any,
) -> None:
    """Set the default client from the configuration file that Flyte tools share. Nothing is sent before the first call.

    Arguments override environment variables, which override the file. Without a path, the first of these files is used:
    `config.yaml` and `.flyte/config.yaml` in the working directory, `.flyte/config.yaml` in the root of the git repository, the
    files in `UCTL_CONFIG` and `FLYTECTL_CONFIG`, `~/.union/config.yaml`, `~/.flyte/config.yaml`. If there is none, the
    environment alone has to name the endpoint.

    Args:
        path: The file. A relative path starts at `root_dir`, or at the working directory.
        org: Organization; `""` for none.
        project: Default project of calls; `""` for none.
        domain: Default domain of calls; `""` for none.
        replace: Replace and close the client of an earlier `init`. Default: False.
        path_or_config: The name that the official SDK has for `path`.
        root_dir: The folder at which a relative path starts.
        authoring: Arguments of the official SDK for writing and deploying tasks, such as `image_builder`. They have no
            effect; a warning says so, once.

    Raises:
        InitializationError: The file does not exist or is not valid, no endpoint is set, or an earlier `init` had other
            settings and `replace` is False.
        TypeError: `path` and `path_or_config` are both given, or an argument has the wrong type.
    """
    note("init_from_config", authoring)
    if path is not None and path_or_config is not None:
        raise TypeError("pass path or path_or_config, not both")
    file = config_file(path_or_config if path is None else path, root_dir)
    arguments = {"org": org, "project": project, "domain": domain}
    set_default(Client.from_settings(Settings(arguments, file)), replace=replace)


@WithAio
def init_from_api_key(
    api_key: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    insecure_skip_verify: bool | None = None,
    ca_cert_file_path: StrPath | None = None,
    replace: bool = False,
    **authoring: Any,
) -> None:
    """Set the default client from an API key, which has an endpoint and a client secret in it.

    Args:
        api_key: The key. Default: the environment variable `FLYTE_API_KEY`.
        project: Default project of calls.
        domain: Default domain of calls.
        endpoint: The control plane, in place of the one in the key.
        insecure: True for cleartext, False for TLS, for endpoints without a scheme.
        insecure_skip_verify: Accept any TLS certificate. For tests only.
        ca_cert_file_path: PEM file of the certificate authorities to trust.
        replace: Replace and close the client of an earlier `init`. Default: False.
        authoring: Arguments of the official SDK for writing and deploying tasks. They have no effect.

    Raises:
        InitializationError: There is no key, it is not valid, or an earlier `init` had other settings and `replace` is False.
    """
    given = dict(locals())
    note("init_from_api_key", given.pop("authoring"))
    given.pop("replace")
    given["api_key"] = api_key if api_key is not None else os.environ.get("FLYTE_API_KEY", "").strip() or None
    if given["api_key"] is None:
        raise InitializationError("No API key is set. Pass api_key=..., or set FLYTE_API_KEY.")
    set_default(Client.from_settings(Settings(given, None), attended=False), replace=replace)


@WithAio
def init_in_cluster(
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    api_key: str | None = None,
    endpoint: str | None = None,
    insecure: bool | None = None,
    *,
    replace: bool = False,
) -> dict[str, Any]:
    """Set the default client in a pod of a Flyte cluster, from the variables that the cluster sets.

    `_U_EP_OVERRIDE` names the endpoint, and overrides the one in an API key of the cluster. `_U_INSECURE` and
    `_U_INSECURE_SKIP_VERIFY` name its security, `_U_ORG_NAME` the organization, `FLYTE_INTERNAL_EXECUTION_PROJECT` and
    `FLYTE_INTERNAL_EXECUTION_DOMAIN` project and domain. The API key in `_UNION_EAGER_API_KEY` or `EAGER_API_KEY` logs in.
    All of them override the environment variables of other settings, which override a configuration file in `UCTL_CONFIG` or
    `FLYTECTL_CONFIG`. Nobody is asked to log in, and no token is stored.

    Args:
        org: Organization.
        project: Default project of calls.
        domain: Default domain of calls.
        api_key: The API key, in place of the cluster's. Its endpoint is used unless `endpoint` is passed.
        endpoint: The control plane.
        insecure: True for cleartext, False for TLS.
        replace: Replace and close the client of an earlier `init`. Default: False.

    Returns:
        Endpoint, organization, project and domain that are used now.

    Raises:
        InitializationError: No endpoint is set, or a variable or file has a value that cannot be used.
    """
    given = dict(locals())
    given.pop("replace")
    return _unattended(cluster_settings({**given, "disable_keyring": True}), replace=replace)


@WithAio
def init_passthrough(
    endpoint: str | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    insecure: bool | None = None,
    *,
    replace: bool = False,
) -> dict[str, Any]:
    """Set a default client that sends the credentials of the program's own callers.

    Every call must be in a block `with flyte.remote.auth_metadata(("authorization", ...)):`.

    Args:
        endpoint: The control plane. Default: the environment variable `_U_EP_OVERRIDE`.
        org: Organization.
        project: Default project of calls.
        domain: Default domain of calls.
        insecure: True for cleartext, False for TLS, for endpoints without a scheme.
        replace: Replace and close the client of an earlier `init`. Default: False.

    Returns:
        Endpoint, organization, project and domain that are used now.

    Raises:
        InitializationError: No endpoint is set.
    """
    given = dict(locals())
    given.pop("replace")
    return _unattended(passthrough_settings(given), replace=replace)


def _unattended(settings: Settings, *, replace: bool) -> dict[str, Any]:
    client = Client.from_settings(settings, attended=False)
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
