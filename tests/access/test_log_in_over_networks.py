"""Calls and log-ins use the same certificates and the same proxy."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.errors import AuthenticationError, EndpointError, InitializationError
from flyte_rpc.calls.call_path import unary
from flyte_rpc.serving.server import RunningServer
from rpc.network.test_trust import server_context
from support.certificates import Authority
from support.control_plane import Access
from support.echo import Echo, Note
from support.oauth_server import SECRET, OAuthServer
from support.proxies.http_proxy import http_proxy
from support.proxies.tls import tls_proxy

LOG_IN: dict[str, Any] = {"client_id": "robot", "client_credentials_secret": SECRET, "scopes": ["all"]}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def behind_tls(
    context: ssl.SSLContext, plane: RunningServer, oauth: OAuthServer, access: Access
) -> AsyncGenerator[str]:
    """Control plane and authorization server, both behind TLS."""
    async with AsyncExitStack() as stack:
        oauth.url = await stack.enter_async_context(tls_proxy(oauth.url.removeprefix("http://"), context))
        access.metadata = oauth.metadata()
        yield await stack.enter_async_context(tls_proxy(plane.endpoint.removeprefix("http://"), context))


async def write() -> int:
    return int((await unary(flyte.current_client(), Echo.WRITE, Note(n=1), timeout=20)).n)


async def test_a_private_authority(
    plane: RunningServer, oauth: OAuthServer, access: Access, authority: Authority
) -> None:
    context = server_context(authority.issue("server", "DNS:localhost"))
    context.set_alpn_protocols([])  # the authorization server speaks HTTP/1.1
    async with behind_tls(context, plane, oauth, access) as endpoint:
        flyte.init(endpoint, ca_cert_file_path=authority.certificate, **LOG_IN)
        assert await write() == 1
        assert oauth.grants == {"client_credentials": 1}
        flyte.init(endpoint, **LOG_IN, replace=True)
        with pytest.raises((EndpointError, AuthenticationError), match="certificate"):
            await write()


async def test_a_client_certificate(
    plane: RunningServer, oauth: OAuthServer, access: Access, authority: Authority
) -> None:
    context = server_context(authority.issue("server", "DNS:localhost"), authority)
    context.set_alpn_protocols([])
    async with behind_tls(context, plane, oauth, access) as endpoint:
        trust = {"ca_cert_file_path": authority.certificate}
        flyte.init(endpoint, client_cert_file_path=authority.issue("me"), **trust, **LOG_IN)
        assert await write() == 1
        assert oauth.grants == {"client_credentials": 1}
        flyte.init(endpoint, **trust, **LOG_IN, replace=True)
        with pytest.raises(InitializationError, match="closes the connection"):
            await write()


async def test_a_proxy_with_a_password(plane: RunningServer, oauth: OAuthServer, tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with http_proxy(folder, credentials="ada:hunter2") as port:
        flyte.init(plane.endpoint, http_proxy_url=f"http://ada:hunter2@127.0.0.1:{port}", **LOG_IN)
        assert await write() == 1
        await flyte.current_client().aclose()
        log = (folder / "log").read_text()
    assert oauth.grants == {"client_credentials": 1}
    for server in (plane.endpoint, oauth.url):
        assert server.removeprefix("http://") in log


async def test_a_proxy_that_rejects_the_password(plane: RunningServer, oauth: OAuthServer, tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with http_proxy(folder, credentials="ada:hunter2") as port:
        flyte.init(plane.endpoint, http_proxy_url=f"http://ada:wrong@127.0.0.1:{port}", **LOG_IN)
        with pytest.raises((EndpointError, AuthenticationError), match="407") as raised:
            await write()
    assert "wrong" not in str(raised.value) and oauth.grants == {}
