"""Credentials for the ways to log in that configuration files and `flyte.init` name."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from flyte.errors import AuthenticationError, InitializationError
from flyte_rpc.auth import notices
from flyte_rpc.auth.flows.client_credentials import ClientCredentials
from flyte_rpc.auth.flows.command import TokenCommand
from flyte_rpc.auth.flows.device import DeviceFlow
from flyte_rpc.auth.flows.flow import Flow
from flyte_rpc.auth.flows.pkce import PkceFlow
from flyte_rpc.auth.passthrough import Passthrough
from flyte_rpc.auth.proxy import HEADER, WithProxyAuthorization
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.auth.session import OAuthCredentials
from flyte_rpc.auth.storage.store import Identity, TokenStore
from flyte_rpc.calls.credentials import Credentials
from flyte_rpc.calls.metadata import checked
from flyte_rpc.http.client import HttpClient
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from flyte_rpc.transports.network.settings import Network

from .api_key import parse_api_key
from .discovery import DEFAULT_REDIRECT_URI, discover

__all__ = ["AUTH_TYPES", "credentials_for"]

AUTH_TYPES = ("Pkce", "DeviceFlow", "ClientSecret", "ExternalCommand", "Passthrough")
"""The values of `auth_type`."""

_APPLICATION = "flyte-remote"
"""The name of this SDK in the keyring, and of its folder."""

_INTERACTIVE = ("Pkce", "DeviceFlow")

_NEEDED_URLS = {
    "Pkce": ("token_endpoint", "authorization_endpoint"),
    "DeviceFlow": ("token_endpoint", "device_authorization_endpoint"),
    "ClientSecret": ("token_endpoint",),
}
"""What a log-in needs to know of the authorization server."""

_lock = threading.Lock()
_sessions: weakref.WeakValueDictionary[tuple[Any, ...], OAuthCredentials] = weakref.WeakValueDictionary()
"""One session for each identity, so that clients of one identity log in once."""


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
        InitializationError: An argument is missing, or arguments contradict each other.
    """
    given = dict(locals())
    proxy = proxy_session(given.pop("proxy_command"))
    return with_proxy(proxy, login_for(proxy=proxy, **given))


def login_for(
    auth_type: str | None = None,
    *,
    proxy: Credentials | None = None,
    endpoint: str = "",
    insecure: bool | None = None,
    network: Network | None = None,
    command: Sequence[str] | None = None,
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
    """Return credentials for the control plane alone, which a log-in gets through a proxy that may want its own."""
    sources: dict[str, _Source] = {
        "client_credentials_secret": client_credentials_secret,
        "client_secret_location": client_secret_location,
        "client_secret_env_var": client_secret_env_var,
    }
    given = [name for name, value in sources.items() if value]
    if api_key is not None:
        if given or client_id:
            raise _wrong(f"api_key has a client id and a secret in it; omit {given[0] if given else 'client_id'}")
        key = parse_api_key(api_key)
        endpoint, client_id = endpoint or key.endpoint, key.client_id
        sources["client_credentials_secret"], given = key.client_secret, ["api_key"]
    kind = _kind(auth_type, given, command)
    header = _header_name(authorization_header)
    network = network or Network()
    if kind == "Passthrough":
        return Passthrough()
    if kind == "ExternalCommand":
        argv = _argv("command", command)
        printer = TokenCommand(argv, header=header or "authorization")
        return _session(("command", argv, header), lambda: OAuthCredentials(printer, label="the control plane"))
    configured = _configured(auth_client_config)
    if kind == "ClientSecret" and not (client_id or configured.get("client_id")):
        raise _wrong("auth_type='ClientSecret' needs client_id='...'")
    if not endpoint:
        raise _wrong(f"auth_type={kind!r} needs an endpoint; write endpoint='https://host'")
    where = parse_endpoint(endpoint, insecure=insecure)
    overrides: dict[str, Any] = {
        "client_id": client_id or None,
        "scopes": tuple(scopes) if scopes is not None else None,
        "audience": audience,
        "redirect_uri": redirect_uri,
        "header": header,
    }
    overrides = {**configured, **{name: value for name, value in overrides.items() if value is not None}}
    http = HttpClient(network, headers_for=_proxy_headers(where, proxy))
    find = _Finder(where, network, http, proxy, overrides, kind)
    identity = Identity(str(where), kind, client_id or "", tuple(scopes or ()), audience or "", subject or "")
    flow = _flow(kind, http, find, _secret(*sources.values()), headless=headless, subject=subject or "")
    # A client secret yields new tokens at any time, so that there is nothing to keep.
    store = None if kind == "ClientSecret" or disable_keyring else TokenStore(identity, _APPLICATION)
    marks = (identity, network, tuple(sorted(overrides.items())), disable_keyring, headless, interactive)
    sealed = tuple(_digest(str(source or "")) for source in sources.values())
    return _session(
        (*marks, *sealed, proxy),
        lambda: OAuthCredentials(flow, label=str(where), store=store, interactive=interactive),
    )


class _Finder:
    """Returns the authorization server, with the arguments in place of what the control plane names."""

    def __init__(
        self,
        endpoint: Endpoint,
        network: Network,
        http: HttpClient,
        proxy: Credentials | None,
        overrides: dict[str, Any],
        kind: str,
    ) -> None:
        self._where = endpoint, network, http, proxy
        self._overrides = overrides
        self._kind = kind

    def __call__(self) -> AuthServer:
        if all(self._overrides.get(name) for name in _NEEDED_URLS[self._kind]):
            fields: dict[str, Any] = {"redirect_uri": DEFAULT_REDIRECT_URI, **self._overrides}
            server = AuthServer(**fields)
        else:
            server = attrs.evolve(discover(*self._where), **self._overrides)
        if not server.client_id:
            raise InitializationError(
                f"{self._where[0]} names no OAuth client for auth_type={self._kind!r}. Pass client_id='...', which its operators "
                "know."
            )
        return server


def _configured(config: object) -> dict[str, Any]:
    """The fields of the authorization server that `auth_client_config` names."""
    if config is None:
        return {}
    names = {field.name: field.name for field in attrs.fields(AuthServer)} | {"header": "header_key"}
    found: dict[str, Any] = {}
    for ours, theirs in names.items():
        value: Any = (
            cast("Mapping[str, Any]", config).get(theirs)
            if isinstance(config, Mapping)
            else getattr(config, theirs, None)
        )
        if value is None or value == "":
            continue
        texts: list[Any] = list(value) if ours == "scopes" and not isinstance(value, str) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise _wrong(f"auth_client_config has a {theirs} that is not text")
        found[ours] = tuple(texts) if ours == "scopes" else _header_name(value) if ours == "header" else value
    if not found:
        raise _wrong("auth_client_config has none of the attributes that describe an authorization server")
    return found


def _kind(auth_type: str | None, secrets: Sequence[str], command: Sequence[str] | None) -> str:
    """The way to log in that the arguments ask for."""
    if auth_type is None:
        kind = "ClientSecret" if secrets else "ExternalCommand" if command else "Pkce"
    else:
        names = {name.lower(): name for name in AUTH_TYPES}
        kind = names.get(auth_type.strip().lower(), "")
        if not kind:
            choices = ", ".join(f"'{name}'" for name in AUTH_TYPES)
            raise _wrong(f"auth_type={auth_type!r} is not a way to log in; choose one of {choices}")
    if secrets and kind in _INTERACTIVE:
        kind = "ClientSecret"  # as other Flyte tools do: a file may name the default besides a secret
    if len(secrets) > 1:
        raise _wrong(f"{' and '.join(secrets)} are set; keep one of them")
    if secrets and kind != "ClientSecret":
        raise _wrong(f"auth_type={kind!r} uses no secret; omit {secrets[0]}, or write auth_type='ClientSecret'")
    if command and kind != "ExternalCommand":
        raise _wrong(f"auth_type={kind!r} runs no command; omit command, or write auth_type='ExternalCommand'")
    if kind == "ClientSecret" and not secrets:
        raise _wrong(
            "auth_type='ClientSecret' needs a secret; write client_secret_env_var='MY_SECRET', client_secret_location='/path' "
            "or client_credentials_secret=..."
        )
    if kind == "ExternalCommand" and not command:
        raise _wrong("auth_type='ExternalCommand' needs a command; write command=['my-program', 'print-token']")
    return kind


def _flow(
    kind: str,
    http: HttpClient,
    find: Callable[[], AuthServer],
    secret: Callable[[], str],
    *,
    headless: bool,
    subject: str,
) -> Flow:
    if kind == "ClientSecret":
        return ClientCredentials(http, find, secret)
    if kind == "DeviceFlow":
        return DeviceFlow(http, find, show=notices.show)
    browser = None if headless else notices.open_browser
    return PkceFlow(http, find, show=notices.show, open_browser=browser, login_hint=subject)


def _wrong(what: str) -> InitializationError:
    return InitializationError(f"The log-in cannot be set up: {what}.")


def _argv(argument: str, command: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(command, str):
        raise _wrong(f"{argument} takes a list, such as {argument}=['my-program', 'print-token'], and not one text")
    argv = tuple(command or ())
    if not argv or not all(isinstance(word, str) for word in argv):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise _wrong(f"{argument} takes a list of texts that begins with a program")
    return argv


def _header_name(name: str | None) -> str | None:
    if not name:
        return None
    try:
        checked([(name.lower(), "x")], called="authorization_header", ours=())
    except ValueError as error:
        raise _wrong(str(error)) from None
    return name.lower()


_Source = str | os.PathLike[str] | None


def _secret(value: _Source, location: _Source, variable: _Source) -> Callable[[], str]:
    """A function that returns the secret. Files and variables are read anew for each log-in."""

    def read() -> str:
        if value:
            return str(value)
        if location:
            return _from_file(Path(location).expanduser())
        found = os.environ.get(str(variable or ""), "").strip()
        if not found:
            raise AuthenticationError(f"The environment variable {variable} with the client secret is not set.")
        return found

    return read


def _from_file(path: Path) -> str:
    problem, found = "", ""
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
    except UnicodeDecodeError:
        problem = "is not a text file"
    if not found:
        raise AuthenticationError(
            f"The file of the client secret, {path}, {problem or 'is empty'}. Check client_secret_location."
        )
    return found


def proxy_session(command: Sequence[str] | None) -> Credentials | None:
    """Credentials for a proxy, from a command that prints its token; None without a command.

    Raises:
        InitializationError: The command is not a list of texts.
    """
    if command is None:
        return None
    argv = _argv("proxy_command", command)
    flow = TokenCommand(argv, argument="proxy_command", header=HEADER)
    return _session(("proxy", argv), lambda: OAuthCredentials(flow, label="the proxy"))


def with_proxy(proxy: Credentials | None, inner: Credentials | None) -> Credentials:
    """Credentials for the control plane, and for the proxy in front of it if there is one."""
    return WithProxyAuthorization(proxy, inner) if proxy is not None else cast(Credentials, inner)


def _proxy_headers(endpoint: Endpoint, proxy: Credentials | None) -> Callable[[str], Iterable[tuple[str, str]]]:
    """Headers for HTTP requests to the control plane itself, which pass the proxy as well."""

    def headers(url: str) -> Iterable[tuple[str, str]]:
        if proxy is None or urlsplit(url).hostname != endpoint.host:
            return ()
        return asyncio.run(_await_headers(proxy))

    return headers


async def _await_headers(credentials: Credentials) -> Iterable[tuple[str, str]]:
    return await credentials.headers()


def _session(key: tuple[Any, ...], make: Callable[[], OAuthCredentials]) -> OAuthCredentials:
    with _lock:
        found = _sessions.get(key)
        if found is None:
            found = _sessions[key] = make()
        return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
