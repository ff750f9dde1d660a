"""Which servers are trusted, and how the client identifies itself: over every transport, against servers on loopback."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.errors import InitializationError
from flyte_rpc.transports.network.settings import Network
from flyte_rpc.transports.transport import TransportName
from rpc.conftest import AT_ONCE
from support.certificates import Authority
from support.connect_server import ConnectServer
from support.echo import Echo, Note
from support.peers import Peer, scripted

TRANSPORTS: list[TransportName] = ["grpc", "grpclib", "connect", "auto"]
GRPC: list[TransportName] = ["grpc", "grpclib", "auto"]


def answer(peer: Peer, at: int) -> None:
    peer.reply(at)


def server_context(certificate: Path, authority: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)
    return context


def client_to(endpoint: str, transport: TransportName, network: Network) -> Client:
    return Client(endpoint, timeout=20, retry=AT_ONCE, transport=transport, network=network)


@contextmanager
def blocking_server(context: ssl.SSLContext) -> Generator[str]:
    """A server on blocking sockets, where OpenSSL sends the alert of a failed handshake itself."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_authority_of_ones_own(connect_go: ConnectServer, certificate: Path, transport: TransportName) -> None:
    async with client_to(connect_go.endpoints["tls"], transport, Network(ca_file=certificate)) as client:
        assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_unknown_authority(connect_go: ConnectServer, authority: Authority, transport: TransportName) -> None:
    async with client_to(connect_go.endpoints["tls"], transport, Network(ca_file=authority.certificate)) as client:
        with pytest.raises(errors.EndpointError, match=r"is not trusted.*Network\(ca_file=") as raised:
            await unary(client, Echo.WRITE, Note())
        assert raised.value.unprocessed


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_environment_names_the_authority(
    connect_go: ConnectServer, certificate: Path, transport: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with client_to(connect_go.endpoints["tls"], transport, Network()) as client:
        assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_no_verification(
    connect_go: ConnectServer, transport: TransportName, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with client_to(connect_go.endpoints["tls"], transport, Network(verify=False)) as client:
        for n in range(1, 4):
            assert (await unary(client, Echo.WRITE, Note(n=n))).n == n
    assert caplog.text.count("TLS certificates are not verified") == 1


@pytest.mark.parametrize("transport", GRPC)
async def test_the_name_in_the_certificate(authority: Authority, transport: TransportName) -> None:
    tls = server_context(authority.issue("elsewhere", "DNS:flyte.internal"))
    async with scripted(answer, tls=tls) as (endpoint, _):
        async with client_to(endpoint, transport, Network(ca_file=authority.certificate)) as client:
            with pytest.raises(errors.EndpointError, match=r"Network\(server_name=\.\.\.\)"):
                await unary(client, Echo.WRITE, Note())
        network = Network(ca_file=authority.certificate, server_name="flyte.internal")
        async with client_to(endpoint, transport, network) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1


class TestMutualTls:
    @pytest.mark.parametrize("transport", GRPC)
    async def test_a_client_certificate(
        self, authority: Authority, server_certificate: Path, transport: TransportName
    ) -> None:
        mine = authority.issue("ada")
        async with scripted(answer, tls=server_context(server_certificate, authority)) as (endpoint, _):
            network = Network(ca_file=authority.certificate, client_certificate=mine)
            async with client_to(endpoint, transport, network) as client:
                assert (await unary(client, Echo.WRITE, Note())).ok == 1

    @pytest.mark.parametrize("transport", GRPC)
    async def test_without_one(self, authority: Authority, server_certificate: Path, transport: TransportName) -> None:
        context = server_context(server_certificate, authority)
        with blocking_server(context) as endpoint:
            async with client_to(endpoint, transport, Network(ca_file=authority.certificate)) as client:
                with pytest.raises(errors.EndpointError, match="client certificate"):
                    await unary(client, Echo.WRITE, Note())

    def test_files_that_cannot_be_used(self, authority: Authority, tmp_path: Path) -> None:
        mine = authority.issue("grace")
        text = tmp_path / "text.pem"
        text.write_text("hunter2")
        with pytest.raises(InitializationError, match="client_certificate='/nowhere' is not a file"):
            Network(client_certificate="/nowhere")
        with pytest.raises(ValueError, match="client_key is set without client_certificate"):
            Network(client_key=mine)
        for network in (Network(client_certificate=text), Network(client_certificate=mine, client_key=text)):
            with pytest.raises(InitializationError, match="cannot be used") as raised:
                network.ssl_context()
            assert "hunter2" not in str(raised.value)
        with pytest.raises(InitializationError, match="cannot be read"):
            Network(ca_file=text).ssl_context()


@pytest.mark.parametrize("transport", GRPC)
async def test_a_unix_socket(tmp_path: Path, transport: TransportName) -> None:
    path = str(tmp_path / "flyte.sock")
    async with client_to(f"unix://{path}", transport, Network()) as client:
        with pytest.raises(errors.EndpointError, match="there is no socket at"):
            await unary(client, Echo.WRITE, Note())
    async with scripted(answer, path=path) as (endpoint, peers), client_to(endpoint, transport, Network()) as client:
        assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert peers[0].headers[0][":authority"] == "localhost"
