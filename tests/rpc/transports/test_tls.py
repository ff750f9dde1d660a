"""TLS with a certificate that is made for the test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from rpc.conftest import failure
from support.echo import Echo, EchoServer, Note
from support.peers import Peer


class TestTls:
    @pytest.fixture
    async def tls(self, certificate: Path) -> AsyncGenerator[int, None]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        context.set_alpn_protocols(["h2"])
        peers: list[Peer] = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Peer(lambda peer, at: peer.reply(at), peers), "127.0.0.1", 0, ssl=context
        )
        yield server.sockets[0].getsockname()[1]
        server.close()
        for peer in peers:
            peer.transport.abort()

    async def test_a_trusted_server_is_called(
        self, tls: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with Client(f"https://localhost:{tls}", timeout=20) as client:
            assert (await unary(client, Echo.SAY, Note())).ok == 1

    @pytest.mark.parametrize("transport", ["grpc", "connect", "grpclib", "auto"])
    async def test_an_untrusted_server_is_not(self, tls: int, transport: str) -> None:
        text = await failure(f"https://localhost:{tls}", errors.EndpointError, transport=transport)
        assert "certificate of localhost" in text and "SSL_CERT_FILE" in text

    async def test_clear_text_to_a_tls_server(self, tls: int) -> None:
        text = await failure(f"http://127.0.0.1:{tls}", errors.EndpointError)
        assert "https://127.0.0.1" in text

    @pytest.mark.parametrize("transport", ["grpc", "connect", "grpclib", "auto"])
    async def test_tls_to_a_clear_text_server(self, transport: str) -> None:
        async with await serve([EchoServer()]) as server:
            text = await failure(f"https://127.0.0.1:{server.port}", errors.EndpointError, transport=transport)
        assert "TLS handshake" in text
