"""What the Connect transport makes of HTTP/1.1 servers that misbehave, and of things that are no Connect server."""

from __future__ import annotations

import asyncio
import gzip
import traceback

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports.connect.transport import ConnectTransport
from flyte_rpc.transports.endpoint import parse_endpoint
from rpc.conftest import failure
from support.connect_server import http1_server, reply
from support.echo import Echo, Note
from support.peers import Peer, Talk, raw_server, saying, scripted

STREAM = "application/connect+proto"


def connect_client(endpoint: str) -> Client:
    return Client(endpoint, timeout=20, transport="connect")


class TestWrongEndpoints:
    @pytest.mark.parametrize(
        ("status", "kind", "error", "shown"),
        [
            ("200 OK", "text/html", errors.EndpointError, "not a Connect server (HTTP 200 of type text/html)"),
            ("404 Not Found", "text/html; charset=utf-8", errors.EndpointError, "HTTP 404 of type text/html"),
            ("404 Not Found", "text/plain", errors.UnimplementedError, "HTTP 404 of type text/plain"),
            ("405 Method Not Allowed", "text/html", errors.EndpointError, "HTTP 405"),
            ("415 Unsupported Media Type", "text/plain", errors.EndpointError, "HTTP 415"),
            ("400 Bad Request", "text/plain", errors.InternalError, "HTTP 400 of type text/plain, '<html>'"),
            ("401 Unauthorized", "text/html", errors.UnauthenticatedError, "HTTP 401"),
            ("403 Forbidden", "text/html", errors.PermissionDeniedError, "HTTP 403"),
            ("429 Too Many Requests", "text/html", errors.UnavailableError, "HTTP 429"),
            ("502 Bad Gateway", "text/html", errors.UnavailableError, "HTTP 502"),
            ("503 Service Unavailable", "application/json", errors.UnavailableError, "HTTP 503"),
            ("504 Gateway Timeout", "text/html", errors.UnavailableError, "HTTP 504"),
            ("500 Internal Server Error", "text/html", errors.UnknownError, "HTTP 500"),
        ],
    )
    @pytest.mark.parametrize("streaming", [False, True])
    async def test_other_replies(
        self, status: str, kind: str, error: type[errors.RpcError], shown: str, streaming: bool
    ) -> None:
        async with http1_server(lambda n: reply(b"<html>", status, kind)) as (endpoint, _):
            if not streaming:
                assert shown in await failure(endpoint, error, transport="connect")
                return
            async with connect_client(endpoint) as client:
                with pytest.raises(error) as raised:
                    await anext(stream(client, Echo.COUNT, Note()))
                assert shown in str(raised.value)

    async def test_a_redirect_says_where_without_its_query(self) -> None:
        redirect = reply(b"", "302 Found", "text/html", "Location: https://login.example/?state=secret")
        async with http1_server(lambda n: redirect) as (endpoint, _):
            text = await failure(endpoint, errors.EndpointError, transport="connect")
        assert "redirects to https://login.example/?***" in text

    @pytest.mark.parametrize(
        ("says", "error", "shown"),
        [
            (b"SSH-2.0-OpenSSH_9.2\r\n", errors.EndpointError, "does not speak HTTP/1.1 (it sends b'SSH-2.0"),
            (b"\x15\x03\x01\x00\x02\x02\x46", errors.EndpointError, "expects TLS"),
            (b"HTTP/1.1 abc\r\n\r\n", errors.EndpointError, "headers that are not valid HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, errors.EndpointError, "not valid HTTP/1.1"),
            (b"", errors.ConnectionLostError, "If the server expects TLS, use https://127.0.0.1:"),
            (b"HTTP/1.1 200", errors.ConnectionLostError, "closed the connection without a reply"),
        ],
    )
    async def test_something_else_answers(self, says: bytes, error: type[errors.RpcError], shown: str) -> None:
        async with saying(says) as address:
            assert shown in await failure(f"http://{address}", error, transport="connect")

    async def test_a_server_in_cleartext_that_speaks_http2_only(self) -> None:
        """It sends its settings, whatever it is sent."""

        def answer(peer: Peer, at: int) -> None:
            peer.begin(at, ((":status", "200"), ("content-type", "application/proto")))
            peer.h2.send_data(at, b'{"ok": 1}', end_stream=True)

        class Http2Only(Peer):
            def data_received(self, data: bytes) -> None:
                if data.startswith(b"POST"):
                    self.transport.close()
                else:
                    super().data_received(data)

        peers: list[Peer] = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Http2Only(answer, peers), "127.0.0.1", 0)
        async with server, connect_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert len(peers) == 2
        assert peers[1].headers[0]["connect-protocol-version"] == "1"
        assert "te" not in peers[1].headers[0]

    async def test_http2_that_is_cut_off(self) -> None:
        transport_errors: list[BaseException] = []
        async with scripted(lambda peer, at: peer.transport.abort()) as (endpoint, _):
            transport = ConnectTransport(parse_endpoint(endpoint), http="2")
            with pytest.raises(errors.ConnectionLostError) as raised:
                await transport.unary("/a.B/C", b"", [], 20)
            transport_errors.append(raised.value)
            await transport.aclose()
        assert not raised.value.unprocessed


class TestConnections:
    async def test_a_server_that_closes_idle_connections(self) -> None:
        """The end is noticed before the next request, so that even a write goes over a new connection."""
        async with http1_server(lambda n: reply()) as (endpoint, peer), connect_client(endpoint) as client:
            for _ in range(3):
                await unary(client, Echo.WRITE, Note())
            assert peer.connections == 1
        closing = reply(b'{"ok": 1}', "200 OK", "application/proto", "Connection: close")
        async with http1_server(lambda n: closing) as (endpoint, peer), connect_client(endpoint) as client:
            for _ in range(3):
                await unary(client, Echo.WRITE, Note())
            assert peer.connections == 3

    async def test_an_end_that_the_event_loop_has_not_noticed(self) -> None:
        ended = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"{}")
            writer.write(reply())
            await writer.drain()
            writer.close()
            ended.set()

        async with raw_server(talk) as address, connect_client(f"http://{address}") as client:
            for _ in range(5):
                ended.clear()
                assert (await unary(client, Echo.WRITE, Note())).ok == 1
                await ended.wait()

    async def test_a_request_on_a_connection_that_the_server_closes_may_have_been_executed(self) -> None:
        async with http1_server(lambda n: reply() if n == 1 else None) as (endpoint, peer):
            async with connect_client(endpoint) as client:
                await unary(client, Echo.WRITE, Note())
                with pytest.raises(errors.ConnectionLostError, match="without a reply") as raised:
                    await unary(client, Echo.WRITE, Note())
            assert not raised.value.unprocessed
            assert len(peer.requests) == 2

    async def test_idle_connections_are_closed(self) -> None:
        async with http1_server(lambda n: reply()) as (endpoint, peer):
            transport = ConnectTransport(parse_endpoint(endpoint), idle_seconds=0.01)
            await transport.unary("/a.B/C", b"", [], 20)
            await peer.closed.wait()
            await transport.unary("/a.B/C", b"", [], 20)
            assert peer.connections == 2
            await transport.aclose()

    async def test_the_server_says_how_long_it_keeps_a_connection(self) -> None:
        short = reply(b"", "200 OK", "application/proto", "Keep-Alive: timeout=1, max=100")
        async with http1_server(lambda n: short) as (endpoint, peer):
            transport = ConnectTransport(parse_endpoint(endpoint))
            await transport.unary("/a.B/C", b"", [], 20)
            await peer.closed.wait()
            await transport.aclose()

    async def test_a_reply_without_a_request_is_no_reply_to_the_next_request(self) -> None:
        twice = reply(b'{"first": 1}') + reply(b'{"stray": 1}')
        async with http1_server(lambda n: twice if n == 1 else reply()) as (endpoint, peer):
            async with connect_client(endpoint) as client:
                assert (await unary(client, Echo.WRITE, Note())).first == 1
                assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert peer.connections == 2

    async def test_nothing_listens(self) -> None:
        async with http1_server(lambda n: None) as (endpoint, _):
            pass
        assert "nothing is listening" in await failure(endpoint, errors.EndpointError, transport="connect")

    async def test_the_deadline_covers_connecting(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        async with raw_server(silent) as address:
            transport = ConnectTransport(parse_endpoint(f"https://{address}"), connect_seconds=20)
            with pytest.raises(errors.DeadlineExceededError, match="not connected to the server") as raised:
                await transport.unary("/a.B/C", b"", [], 0.01)
            assert raised.value.unprocessed
            impatient = ConnectTransport(parse_endpoint(f"https://{address}"), connect_seconds=0.01)
            with pytest.raises(errors.EndpointError, match="does not answer"):
                await impatient.unary("/a.B/C", b"", [], 20)
            await transport.aclose()
            await impatient.aclose()

    async def test_a_closed_client(self) -> None:
        async with http1_server(lambda n: reply()) as (endpoint, _):
            transport = ConnectTransport(parse_endpoint(endpoint))
            await transport.aclose()
            with pytest.raises(errors.ConnectionLostError, match="the client was closed"):
                await transport.unary("/a.B/C", b"", [], 20)

    async def test_more_calls_than_connections_wait(self) -> None:
        async with http1_server(lambda n: reply()) as (endpoint, peer), connect_client(endpoint) as client:
            await asyncio.gather(*(unary(client, Echo.WRITE, Note()) for _ in range(100)))
            assert peer.connections == 16
            assert len(peer.requests) == 100


class TestReplies:
    @pytest.mark.parametrize(
        ("answer", "error", "shown"),
        [
            (reply(gzip.compress(b"{}")[:-4], headers := "200 OK", "application/proto", "Content-Encoding: gzip"),
             errors.DecodeError, "the compressed message is cut short"),
            (reply(b"{}", headers, "application/proto", "Content-Encoding: gzip"), errors.DecodeError, "broken"),
            (reply(b"{}", headers, "application/proto", "Content-Encoding: br"), errors.DecodeError, "'br'"),
            (reply(b"{}", headers, "application/proto", "Connection: close", "Content-Length: 9", length=False),
             errors.ConnectionLostError, "in the middle of the reply"),
            (reply(b"{}", headers, "application/proto", "Connection: close", length=False),
             errors.ConnectionLostError, "has no length"),
            (reply(b"5\r\n{}", headers, "application/proto", "Connection: close", "Transfer-Encoding: chunked",
                   length=False), errors.ConnectionLostError, "in the middle of the reply"),
            (reply(b"zz\r\n{}", headers, "application/proto", "Transfer-Encoding: chunked", length=False),
             errors.ConnectionLostError, "broke the rules of HTTP/1.1"),
            (reply(b"not json"), errors.DecodeError, "not a valid Note"),
        ],
    )  # fmt: skip
    async def test_broken_replies(self, answer: bytes, error: type[errors.RpcError], shown: str) -> None:
        async with http1_server(lambda n: answer) as (endpoint, _):
            assert shown in await failure(endpoint, error, transport="connect")

    async def test_a_reply_that_expands_to_too_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flyte_rpc.transports.connect.protocol.MAX_MESSAGE_BYTES", 1_000_000)
        bomb = reply(gzip.compress(bytes(50_000_000)), "200 OK", "application/proto", "Content-Encoding: gzip")
        async with http1_server(lambda n: bomb) as (endpoint, _):
            text = await failure(endpoint, errors.DecodeError, transport="connect")
        assert "expands to more than the limit of 1,000,000 bytes" in text

    async def test_informational_replies_and_chunks(self) -> None:
        answer = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(
            b'4\r\n{"ok\r\n5\r\n": 1}\r\n0\r\n\r\n',
            "200 OK",
            "application/proto",
            "Transfer-Encoding: chunked",
            length=False,
        )
        async with http1_server(lambda n: answer) as (endpoint, _), connect_client(endpoint) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1

    @pytest.mark.parametrize(
        ("body", "shown"),
        [
            (b"", "without the message that ends it"),
            (b"\0\0\0\0\2{}", "without the message that ends it"),
            (b"\0\0\0\0\2{", "in the middle of a message"),
        ],
    )
    async def test_streams_that_end_early(self, body: bytes, shown: str) -> None:
        answer = reply(body, "200 OK", STREAM)
        async with http1_server(lambda n: answer) as (endpoint, _), connect_client(endpoint) as client:
            with pytest.raises(errors.ConnectionLostError, match=shown):
                async for _ in stream(client, Echo.COUNT, Note()):
                    pass

    async def test_credentials_are_in_no_error(self) -> None:
        body = b'{"code": "unauthenticated", "message": "bad token hunter2-hunter2"}'
        answer = reply(body, "401 Unauthorized", "application/json")
        async with http1_server(lambda n: answer) as (endpoint, _):
            text = await failure(endpoint, errors.UnauthenticatedError, transport="connect", token="hunter2-hunter2")
        assert "hunter2" not in text and "bad token ***" in text

    async def test_credentials_are_in_no_cause_of_an_error(self) -> None:
        answer = reply(b"no such token: hunter2-hunter2", "403 Forbidden", "text/plain")
        async with (
            http1_server(lambda n: answer) as (endpoint, _),
            Client(endpoint, timeout=20, transport="connect", token="hunter2-hunter2") as client,
        ):
            with pytest.raises(errors.PermissionDeniedError, match="no such token") as raised:
                await unary(client, Echo.WRITE, Note())
        assert "hunter2" not in "".join(traceback.format_exception(raised.value))


async def test_a_request_that_the_server_does_not_take() -> None:
    """The deadline ends a call whose request fills all buffers."""

    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    talk: Talk = stuck
    async with raw_server(talk) as address, connect_client(f"http://{address}") as client:
        with pytest.raises(errors.DeadlineExceededError):
            await unary(client, Echo.WRITE, Note(big="x" * 20_000_000), timeout=0.2)
