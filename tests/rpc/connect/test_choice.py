"""The choice of the transport: which one `auto` ends up with, and that no call is executed twice for it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

import flyte
from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.transports.choice import transport_factory
from flyte_rpc.transports.connect.transport import ConnectTransport
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.grpclib.transport import GrpclibTransport
from rpc.conftest import AT_ONCE, failure
from support.connect_server import STATS, ConnectServer, http1_server, reply
from support.echo import Echo, EchoServer, Note
from support.peers import Peer, raw_server, scripted


def auto(endpoint: str, **settings: Any) -> Client:
    return Client(endpoint, timeout=20, retry=AT_ONCE, **settings)


def chosen(client: Client) -> type[object] | None:
    """What the client sends calls over, as soon as it knows."""
    return type(found) if (found := cast(Any, client.transport())._chosen) is not None else None


async def stats(connect_go: ConnectServer) -> Note:
    async with Client(connect_go.endpoints["both"], timeout=20, transport="connect") as client:
        return await unary(client, STATS, Note())


class TestGrpcServers:
    async def test_a_server_of_grpc(self, server: RunningServer, echo: EchoServer) -> None:
        async with auto(server.endpoint) as client:
            await unary(client, Echo.WRITE, Note(n=1))
            assert chosen(client) is GrpcTransport
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]
        assert len({call.peer for call in echo.calls}) == 1

    async def test_a_stream_may_come_first(self, server: RunningServer) -> None:
        async with auto(server.endpoint) as client:
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]
            assert chosen(client) is GrpcTransport

    async def test_errors_of_grpc_are_not_tried_over_connect(self, server: RunningServer, echo: EchoServer) -> None:
        async with auto(server.endpoint) as client:
            with pytest.raises(errors.NotFoundError):
                await unary(client, Echo.WRITE, Note(status="NOT_FOUND"))
            with pytest.raises(errors.UnimplementedError):
                await unary(client, Echo.MISSING, Note())
            assert cast(Any, client.transport())._connect is None
        assert len(echo.calls) == 1

    async def test_connect_to_a_server_of_grpc(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at, ((":status", "415"),), end=True)

        async with scripted(script) as (endpoint, _):
            text = await failure(endpoint, errors.EndpointError, transport="connect")
        assert "not a Connect server (HTTP 415)" in text and "use transport='grpc'" in text

    async def test_a_server_of_both(self, connect_go: ConnectServer) -> None:
        async with auto(connect_go.endpoints["both"]) as client:
            await unary(client, Echo.WRITE, Note())
        assert (await stats(connect_go)).protocols == {"grpc": 1}


class TestConnectServers:
    @pytest.mark.parametrize("port", ["http1", "connect_only", "tls_http1"])
    async def test_a_write_is_executed_once(
        self, port: str, connect_go: ConnectServer, trusting: ssl.SSLContext
    ) -> None:
        async with auto(connect_go.endpoints[port], ssl_context=trusting) as client:
            for n in range(3):
                assert (await unary(client, Echo.WRITE, Note(n=n + 1))).n == n + 1
            assert chosen(client) is ConnectTransport
        seen = await stats(connect_go)
        assert seen.calls == {"Write": 3} and seen.protocols == {"connect": 3}

    @pytest.mark.parametrize("port", ["http1", "connect_only"])
    async def test_a_stream_may_come_first(self, port: str, connect_go: ConnectServer) -> None:
        async with auto(connect_go.endpoints[port]) as client:
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]
            assert chosen(client) is ConnectTransport
        assert (await stats(connect_go)).calls == {"Count": 1}

    async def test_a_server_on_the_standard_library(self) -> None:
        """It answers the beginning of HTTP/2 with a page that has no headers."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.wfile.write(reply())

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                async with auto(f"http://127.0.0.1:{server.server_port}") as client:
                    assert (await unary(client, Echo.WRITE, Note())).ok == 1
                    assert chosen(client) is ConnectTransport
            finally:
                await asyncio.to_thread(server.shutdown)
                thread.join()

    async def test_an_error_of_connect_decides_as_well(self, connect_go: ConnectServer) -> None:
        async with auto(connect_go.endpoints["http1"]) as client:
            with pytest.raises(errors.NotFoundError):
                await unary(client, Echo.WRITE, Note(status=5))
            assert chosen(client) is ConnectTransport
            with pytest.raises(errors.NotFoundError):
                await anext(stream(client, Echo.COUNT, Note(to=0, status=5)))
        assert (await stats(connect_go)).calls == {"Write": 1, "Count": 1}

    @pytest.mark.parametrize("port", ["http1", "connect_only", "tls_http1"])
    async def test_many_first_calls_at_a_time(
        self, port: str, connect_go: ConnectServer, trusting: ssl.SSLContext
    ) -> None:
        """They begin at different moments of the probing, which share the TLS settings."""
        calls: list[asyncio.Future[Note]] = []
        async with auto(connect_go.endpoints[port], ssl_context=trusting) as client:
            for n in range(50):
                calls.append(asyncio.ensure_future(unary(client, Echo.WRITE, Note(n=n))))
                await asyncio.sleep(0.0005)
            await asyncio.gather(*calls)
        assert (await stats(connect_go)).calls == {"Write": 50}

    @pytest.mark.parametrize(("port", "http"), [("http1", "1.1"), ("connect_only", "2")])
    async def test_the_choice_is_remembered_for_other_event_loops(
        self, port: str, http: str, connect_go: ConnectServer
    ) -> None:
        factory = transport_factory("auto", "test", None)
        endpoint = parse_endpoint(connect_go.endpoints[port])
        first, second = factory(endpoint), factory(endpoint)
        await first.unary("/test.Echo/Say", b"{}", [], 20)
        await second.unary("/test.Echo/Say", b"{}", [], 20)
        assert second.connected and not cast(Any, second)._grpc.connected
        assert cast(Any, second)._connect._http == http
        await first.aclose()
        await second.aclose()


class TestProxiesThatDropTrailers:
    async def test_a_write_raises_and_the_next_call_uses_connect(self, connect_go: ConnectServer) -> None:
        async with auto(connect_go.endpoints["no_trailers"]) as client:
            with pytest.raises(errors.ConnectionLostError) as raised:
                await unary(client, Echo.WRITE, Note(n=1))
            assert "a proxy between you and the server drops HTTP trailers" in str(raised.value)
            assert "Use transport='connect', or grpc_pass in nginx" in str(raised.value)
            assert (await stats(connect_go)).calls == {"Write": 1}
            assert (await unary(client, Echo.WRITE, Note(n=2))).n == 2
            assert chosen(client) is ConnectTransport
        seen = await stats(connect_go)
        assert seen.calls == {"Write": 2} and seen.protocols == {"grpc": 1, "connect": 1}

    async def test_a_read_is_repeated_over_connect(self, connect_go: ConnectServer) -> None:
        async with auto(connect_go.endpoints["no_trailers"]) as client:
            assert (await unary(client, Echo.SAY, Note(n=1))).n == 1
            assert chosen(client) is ConnectTransport

    async def test_a_stream(self, connect_go: ConnectServer) -> None:
        async with auto(connect_go.endpoints["no_trailers"]) as client:
            numbers: list[int] = []
            with pytest.raises(errors.ConnectionLostError, match="drops HTTP trailers"):
                async for note in stream(client, Echo.COUNT, Note(to=2)):
                    numbers.append(note.n)
            assert numbers == [0, 1]
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=2))] == [0, 1]

    async def test_a_single_reply_without_trailers_does_not_lose_a_grpc_server(self) -> None:
        """It is no Connect server: the next call tries Connect, is refused, and goes on over gRPC."""
        calls: list[str] = []

        def script(peer: Peer, at: int) -> None:
            calls.append(peer.headers[-1]["content-type"])
            if calls[-1] != "application/grpc":
                peer.begin(at, ((":status", "415"),), end=True)
            elif len(calls) == 1:
                peer.begin(at)
                peer.message(at, b"{}", end=True)
            else:
                peer.reply(at)

        async with scripted(script) as (endpoint, _), auto(endpoint) as client:
            with pytest.raises(errors.ConnectionLostError, match="drops HTTP trailers"):
                await unary(client, Echo.WRITE, Note())
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert chosen(client) is GrpcTransport
        assert calls == ["application/grpc", "application/proto", "application/grpc"]


class TestOtherServers:
    async def test_a_proxy_that_starts_does_not_hide_a_server_of_grpc(self) -> None:
        starting = True

        class Starting(Peer):
            def data_received(self, data: bytes) -> None:
                if data.startswith(b"POST"):
                    self.transport.abort()
                elif starting:
                    self.transport.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
                    self.transport.close()
                else:
                    super().data_received(data)

            def flush(self) -> None:
                if not starting:
                    super().flush()

        peers: list[Peer] = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Starting(lambda peer, at: peer.reply(at), peers), "127.0.0.1", 0)
        async with server, auto(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            with pytest.raises(errors.UnavailableError):
                await unary(client, Echo.WRITE, Note())
            starting = False
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert chosen(client) is GrpcTransport

    async def test_a_web_server(self) -> None:
        async with http1_server(lambda n: reply(b"<html>", "400 Bad Request", "text/html", "Connection: close")) as (
            endpoint,
            _,
        ):
            assert "speaks HTTP/1.1, not gRPC" in await failure(endpoint, errors.EndpointError)

    async def test_a_proxy_that_wants_credentials(self) -> None:
        async with http1_server(lambda n: reply(b"", "401 Unauthorized", "text/html")) as (endpoint, _):
            assert "HTTP 401" in await failure(endpoint, errors.UnauthenticatedError)

    async def test_a_server_that_may_have_executed_a_call_is_not_asked_again(self) -> None:
        paths: list[str] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n")
            paths.append(head.decode().strip())
            if head.startswith(b"PRI"):
                writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                await writer.drain()

        async with raw_server(talk) as address:
            text = await failure(f"http://{address}", errors.ConnectionLostError)
        assert "without a reply" in text
        assert paths[0] == "PRI * HTTP/2.0"
        assert [path for path in paths if not path.startswith("PRI")] == ["POST /test.Echo/Write HTTP/1.1"]


class TestArguments:
    def test_names_that_do_not_exist(self) -> None:
        message = 'transport=\'foo\': choose one of "auto", "grpc", "connect", "grpclib"'
        with pytest.raises(ValueError, match=message):
            Client("http://x", transport="foo")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=message):
            flyte.Client("http://x", transport="foo")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=message):
            flyte.init("http://x", transport="foo")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes a name or a function, not int"):
            Client("http://x", transport=5)  # type: ignore[arg-type]

    async def test_names(self) -> None:
        for name, expected in (("grpc", GrpcTransport), ("connect", ConnectTransport), ("grpclib", GrpclibTransport)):
            async with Client("http://x", transport=name) as client:  # type: ignore[arg-type]
                assert isinstance(client.transport(), expected)
