"""Credentials for the ways to log in that configuration files and `flyte.init` name."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Unpack, cast
from urllib.parse import urlsplit

from flyte_rpc.auth import notices
from flyte_rpc.auth.flows.client_credentials import ClientCredentials
from flyte_rpc.auth.flows.command import TokenCommand
from flyte_rpc.auth.flows.device import DeviceFlow
from flyte_rpc.auth.flows.flow import Flow
from flyte_rpc.auth.flows.pkce import PkceFlow
from flyte_rpc.auth.passthrough import Passthrough
from flyte_rpc.auth.proxy import HEADER, WithProxyAuthorization
from flyte_rpc.auth.session import OAuthCredentials
from flyte_rpc.auth.storage.store import TokenStore, forget_all
from flyte_rpc.calls.credentials import Credentials
from flyte_rpc.http.client import HttpClient
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.network.settings import Network

from .oauth.login_settings import AUTH_TYPES, INTERACTIVE, LoginArguments, LoginSettings, command_words, read_login
from .oauth.server_finder import ServerFinder

__all__ = ["AUTH_TYPES", "LoginArguments", "credentials_for", "log_out"]

_APPLICATION = "flyte-remote"
"""The name of this SDK in the keyring, and of its folder."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

_lock = threading.Lock()
_sessions: weakref.WeakValueDictionary[tuple[Any, ...], OAuthCredentials] = weakref.WeakValueDictionary()
"""One session for each identity, so that clients of one identity log in once. The keys begin with the owner of the tokens."""


def credentials_for(
    auth_type: str | None = None,
    *,
    endpoint: str = "",
    insecure: bool | None = None,
    network: Network | None = None,
    command: Sequence[str] | None = None,
    proxy_command: Sequence[str] | None = None,
    api_key: str | None = None,
    client_id: str | None = None,
    client_credentials_secret: str | None = None,
    client_secret_location: str | os.PathLike[str] | None = None,
    client_secret_env_var: str | None = None,
    scopes: Sequence[str] | None = None,
    audience: str | None = None,
    redirect_uri: str | None = None,
    authorization_header: str | None = None,
    auth_client_config: object = None,
    subject: str | None = None,
    disable_keyring: bool = False,
    headless: bool = False,
    interactive: bool = True,
) -> Credentials:
    """Return credentials that log in when the first call is made. Nothing is sent before.

    Args:
        auth_type: `"Pkce"` (a browser on this machine), `"DeviceFlow"` (a browser elsewhere), `"ClientSecret"`,
            `"ExternalCommand"` or `"Passthrough"`, in any case. Default: what the other arguments ask for, else `"Pkce"`.
        endpoint: The control plane, as for `flyte.Client`. Default: that of the API key.
        insecure: True for cleartext, False for TLS, for endpoints without a scheme.
        network: Trust and proxies, which should be those of the client.
        command: Program with arguments that prints a token, for `"ExternalCommand"`.
        proxy_command: Program with arguments that prints a token for a proxy in front of the control plane. The token is sent
            as `proxy-authorization`, beside the credentials for the control plane.
        api_key: Endpoint, client id and secret in one text, in place of these arguments.
        client_id: The OAuth client. Default for log-ins of people: the one that the control plane names.
        client_credentials_secret: The client's secret.
        client_secret_location: A file that has the secret in it, in place of the secret.
        client_secret_env_var: An environment variable that has the secret in it, in place of the secret.
        scopes: Scopes to request. Default: those that the control plane names.
        audience: Audience to request. Default: the one that the control plane names.
        redirect_uri: `http://localhost:port/path`, to which the log-in page redirects. Default: the one that the control
            plane names.
        authorization_header: The request header that carries the token. Default: the one that the control plane names, else
            `authorization`.
        auth_client_config: What discovery would find: a mapping, or an object with attributes, with `token_endpoint`,
            `authorization_endpoint`, `device_authorization_endpoint`, `client_id`, `redirect_uri`, `scopes`, `audience` and
            `header_key`, any of which may be missing. If the URLs that the log-in needs are there, nothing is asked for.
        subject: The account to log in with, to keep several accounts at one endpoint apart. The log-in page suggests it.
        disable_keyring: Keep tokens in memory only, and neither in the system's keyring nor in a file.
        headless: Never open a browser. The link is printed to standard error.
        interactive: False never asks a person: only tokens that were kept by an earlier log-in are used and renewed.

    Raises:
        InitializationError: An argument is missing or empty, or arguments contradict each other.
        TypeError: An argument has the wrong type.
        ValueError: The endpoint is not valid.
    """
    given = dict(locals())
    proxy = proxy_session(given.pop("proxy_command"))
    return with_proxy(proxy, login_for(read_login(given), proxy))


def log_out(auth_type: str | None = None, **arguments: Unpack[LoginArguments]) -> None:
    """Forget tokens: in memory, in the system's keyring and in files. The next call logs in again.

    Nothing is sent, so the authorization server keeps its own session. A log-in that is under way continues.

    Args:
        auth_type: As for `credentials_for`.
        arguments: Those of `credentials_for`, for the tokens of one identity. Without any, all tokens that this SDK keeps for
            the user are forgotten.

    Raises:
        InitializationError: An argument is missing or empty, or arguments contradict each other.
        TypeError: An argument has the wrong type.
        ValueError: The endpoint is not valid.
        AuthenticationError: Tokens cannot be removed. The message says from where.
    """
    with _lock:
        sessions = list(_sessions.items())
    if auth_type is None and not arguments:
        for _, session in sessions:
            session.log_out()
        forget_all(_APPLICATION)
        return
    given: dict[str, Any] = {"auth_type": auth_type, **arguments}
    owners: list[tuple[Any, ...]] = []
    if (proxy_command := given.pop("proxy_command", None)) is not None:
        owners.append(_proxy_owner(command_words("proxy_command", proxy_command)))
    settings = read_login(given)
    owners.append(settings.owner)
    for key, session in sessions:
        if key[0] in owners:
            session.log_out()
    if settings.auth_type in INTERACTIVE:
        TokenStore(settings.identity, _APPLICATION).log_out()


def login_for(settings: LoginSettings, proxy: Credentials | None = None) -> Credentials:
    """Return credentials for the control plane alone, which a log-in gets through a proxy that may want its own."""
    if settings.auth_type == "Passthrough":
        return Passthrough()
    if settings.auth_type == "ExternalCommand":
        printer = TokenCommand(settings.command, header=settings.header or "authorization")
        return _session((settings.owner,), lambda: OAuthCredentials(printer, label="the control plane"))
    endpoint = cast(Endpoint, settings.endpoint)  # which read_login has required
    http = HttpClient(settings.network, headers_for=_proxy_headers(endpoint, proxy))
    find = ServerFinder(endpoint, settings.network, http, proxy, settings.overrides, settings.auth_type)
    # Only tokens of people are kept: a secret or a command gets new ones without asking anybody.
    stored = settings.auth_type in INTERACTIVE and not settings.disable_keyring
    store = TokenStore(settings.identity, _APPLICATION) if stored else None
    flow = _flow(settings, http, find)
    return _session(
        (*settings.key, proxy),
        lambda: OAuthCredentials(flow, label=str(endpoint), store=store, interactive=settings.interactive),
    )


def _flow(settings: LoginSettings, http: HttpClient, find: ServerFinder) -> Flow:
    if settings.auth_type == "ClientSecret":
        return ClientCredentials(http, find, settings.secret.read)
    if settings.auth_type == "DeviceFlow":
        return DeviceFlow(http, find, show=notices.show)
    browser = None if settings.headless else notices.open_browser
    return PkceFlow(http, find, show=notices.show, open_browser=browser, login_hint=settings.subject)


def proxy_session(command: Sequence[str] | None) -> Credentials | None:
    """Credentials for a proxy, from a command that prints its token; None without a command.

    Raises:
        InitializationError: The command is not a list of texts.
    """
    if command is None:
        return None
    words = command_words("proxy_command", command)
    flow = TokenCommand(words, argument="proxy_command", header=HEADER)
    return _session((_proxy_owner(words),), lambda: OAuthCredentials(flow, label="the proxy"))


def _proxy_owner(command: tuple[str, ...]) -> tuple[Any, ...]:
    return ("proxy", command)


def with_proxy(proxy: Credentials | None, inner: Credentials | None) -> Credentials:
    """Credentials for the control plane, and for the proxy in front of it if there is one."""
    return WithProxyAuthorization(proxy, inner) if proxy is not None else cast(Credentials, inner)


def _proxy_headers(endpoint: Endpoint, proxy: Credentials | None) -> Callable[[str], Iterable[tuple[str, str]]]:
    """Headers for HTTP requests to the control plane itself, which pass the proxy as well."""
    origin = ("https" if endpoint.tls else "http", endpoint.host.lower(), endpoint.port)

    def headers(url: str) -> Iterable[tuple[str, str]]:
        if proxy is None or endpoint.socket_path or _origin(url) != origin:
            return ()
        return asyncio.run(_await_headers(proxy))

    return headers


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, all of which tell servers apart."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


async def _await_headers(credentials: Credentials) -> Iterable[tuple[str, str]]:
    return await credentials.headers()


def _session(key: tuple[Any, ...], make: Callable[[], OAuthCredentials]) -> OAuthCredentials:
    with _lock:
        found = _sessions.get(key)
        if found is None:
            found = _sessions[key] = make()
        return found
