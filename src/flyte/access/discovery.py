"""Finding the authorization server of a control plane."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from flyte.errors import (
    EndpointError,
    InitializationError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    UnauthenticatedError,
    UnimplementedError,
)
from flyte_api.messages.flyteidl2.auth.auth_service import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)
from flyte_api.services.flyteidl2.auth.auth_metadata_service import AuthMetadataService
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.credentials import Credentials
from flyte_rpc.calls.metadata import checked
from flyte_rpc.http.addresses import origin_and_path
from flyte_rpc.http.client import HttpClient
from flyte_rpc.http.errors import HttpError
from flyte_rpc.transports.endpoint import Endpoint, is_loopback
from flyte_rpc.transports.network.settings import Network

_WELL_KNOWN = "/.well-known/oauth-authorization-server"
_TIMEOUT = 30.0
DEFAULT_REDIRECT_URI = "http://localhost:53593/callback"
"""What Flyte's own authorization server allows, for servers that do not say."""

_URLS = ("token_endpoint", "authorization_endpoint", "device_authorization_endpoint")

_NOT_OFFERED = (EndpointError, UnimplementedError, NotFoundError)
"""Answers of control planes without the service. They stay the same."""

_REFUSED = (UnauthenticatedError, PermissionDeniedError)
"""Answers that another way to find the authorization server may make up for."""

_lock = threading.Lock()
_found: dict[tuple[str, Network], AuthServer] = {}


class NoLogInError(InitializationError):
    """The control plane does not say how to log in."""


def discover(endpoint: Endpoint, network: Network, http: HttpClient, proxy: Credentials | None = None) -> AuthServer:
    """Ask a control plane for its authorization server. Blocks; a complete answer is kept for the life of the process.

    RPC: flyteidl2.auth.AuthMetadataService/GetOAuth2Metadata and GetPublicClientConfig. If the control plane does not offer
    them, `/.well-known/oauth-authorization-server` is fetched.

    Args:
        endpoint: The control plane.
        network: Trust and proxies.
        http: Sends HTTP requests.
        proxy: Credentials for a proxy in front of the control plane. Those for the control plane are not needed.

    Raises:
        NoLogInError: The control plane does not say how to log in.
        InitializationError: It names URLs to which secrets must not go.
        RpcError: The control plane cannot be reached, or its service fails.
    """
    key = (str(endpoint), network)
    with _lock:
        found = _found.get(key)
    if found is None:  # asked without the lock, which would make log-ins to other endpoints wait
        found, complete = _discover(endpoint, network, http, proxy)
        if complete:
            with _lock:
                _found[key] = found
    return found


def forget() -> None:
    """Forget what was discovered, so that it is asked for again."""
    with _lock:
        _found.clear()


def _discover(
    endpoint: Endpoint, network: Network, http: HttpClient, proxy: Credentials | None
) -> tuple[AuthServer, bool]:
    """The authorization server, and whether the control plane said all that it has to say."""
    metadata, config, failure, complete = asyncio.run(_ask(endpoint, network, proxy))
    if metadata is not None and metadata.token_endpoint:
        urls = {name: str(getattr(metadata, name)) for name in _URLS}
    else:
        urls = _well_known(endpoint, http, failure)
    for name, url in urls.items():
        _check_url(endpoint, name, url)
    server = AuthServer(
        token_endpoint=urls["token_endpoint"],
        authorization_endpoint=urls.get("authorization_endpoint", ""),
        device_authorization_endpoint=urls.get("device_authorization_endpoint", ""),
        redirect_uri=DEFAULT_REDIRECT_URI,
    )
    if config is None:
        return server, complete
    server = attrs.evolve(
        server,
        client_id=config.client_id,
        redirect_uri=config.redirect_uri or DEFAULT_REDIRECT_URI,
        scopes=tuple(config.scopes),
        audience=config.audience,
        header=_header(config.authorization_metadata_key),
    )
    return server, complete


async def _ask(
    endpoint: Endpoint, network: Network, proxy: Credentials | None
) -> tuple[GetOAuth2MetadataResponse | None, GetPublicClientConfigResponse | None, RpcError | None, bool]:
    """The answers of the control plane, why there is none to the first question, and whether they will stay the same."""
    metadata = config = failure = None
    refused = False
    async with Client(str(endpoint), network=network, credentials=proxy, timeout=_TIMEOUT) as client:
        try:
            metadata = await unary(client, AuthMetadataService.GET_O_AUTH2_METADATA, GetOAuth2MetadataRequest())
        except (*_NOT_OFFERED, *_REFUSED) as error:
            failure = error
            refused = isinstance(error, _REFUSED)
        try:
            config = await unary(client, AuthMetadataService.GET_PUBLIC_CLIENT_CONFIG, GetPublicClientConfigRequest())
        except (*_NOT_OFFERED, *_REFUSED) as error:
            # The arguments may say all that it would. What is missing then is an error of its own.
            failure = failure or (None if metadata is not None else error)
            refused = refused or isinstance(error, _REFUSED)
    return metadata, config, failure, not refused


def _well_known(endpoint: Endpoint, http: HttpClient, failure: RpcError | None) -> dict[str, str]:
    """The URLs of the authorization server as RFC 8414 publishes them."""
    found: Mapping[str, Any] = {}
    problem, unsent = "", False
    if not endpoint.socket_path:
        try:
            reply = http.get(str(endpoint) + _WELL_KNOWN)
            found = reply.json() if reply.status == 200 else {}
            problem = "" if reply.status == 200 else f"{reply.url} answers with status {reply.status}"
        except HttpError as error:
            problem, unsent = str(error), error.unsent
    nobody_there = unsent or (bool(endpoint.socket_path) and isinstance(failure, EndpointError))
    if nobody_there and failure is not None:
        raise failure
    if isinstance(found.get("token_endpoint"), str):
        return {name: url for name in _URLS if isinstance(url := found.get(name, ""), str)}
    if isinstance(failure, EndpointError):
        problem = failure.message or problem
    elif failure is not None and not isinstance(failure, UnimplementedError):
        problem = f"{failure.status.name}: {failure.message}"
    raise NoLogInError(
        f"{endpoint} does not say how to log in{f' ({problem})' if problem else ''}. Check that the endpoint is that of the "
        "control plane and not of its web console, or pass token= if its log-in is of another kind."
    )


def _check_url(endpoint: Endpoint, name: str, url: str) -> None:
    """Refuse URLs to which secrets would go in cleartext, unless the control plane is in cleartext itself."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        raise InitializationError(f"{endpoint} names a {name} that is not an http:// or https:// URL.")
    if endpoint.tls and scheme == "http" and not is_loopback(host):
        raise InitializationError(
            f"{endpoint} names the {name} {origin_and_path(url)}, to which secrets would go in cleartext. Its operators have to "
            "configure an https:// URL."
        )


def _header(key: str) -> str:
    """The request header that carries the token."""
    name = key.strip().lower() or "authorization"
    try:
        checked([(name, "x")], called="authorization_metadata_key", ours=())
    except ValueError as error:
        raise InitializationError(f"The control plane names a header that cannot be sent: {error}.") from None
    return name
