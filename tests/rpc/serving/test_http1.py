"""Requests over HTTP/1.1, byte by byte."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import h11
import pytest

from flyte_rpc.serving.server import Page, RunningServer, ServerCall, Status, abort, serve
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES
from support.echo import Echo, EchoServer, Note

SAY, COUNT, SUM, CHAT = (rpc.path for rpc in (Echo.SAY, Echo.COUNT, Echo.SUM, Echo.CHAT))

pytestmark = pytest.mark.usefixtures("quiet")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error of Connect in the body."""
        assert self.headers["content-type"] == "application/json"
        found: dict[str, Any] = json.loads(self.body)
        return found


class Browser:
    """A client that sends whatever it is told to, on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, method: str, path: str, *headers: str, body: bytes | None = None) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    async def reply(self, method: str = "POST") -> Reply:
        """The next reply. Reads no byte of the one after it."""
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        http.send(h11.EndOfMessage())
        head: h11.Response | None = None
        body = b""
        while True:
            match event := http.next_event():
                case h11.Response():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    assert head is not None
                    fields = {name.decode(): value.decode() for name, value in head.headers}
                    return Reply(head.status_code, fields, body)
                case h11.InformationalResponse():
                    body += b"%d " % event.status_code
                case h11.ConnectionClosed():
                    raise ConnectionError("the server closed the connection")
                case _:
                    http.receive_data(await self.reader.read(1))

    async def call(self, method: str, path: str, *headers: str, body: bytes | None = None) -> Reply:
        self.send(method, path, *headers, body=body)
        return await self.reply(method)

    async def closed(self) -> bool:
        """Whether the server closes the connection without another byte."""
        return await self.reader.read(1) == b""


def accepted(server: RunningServer) -> Any:
    """The server's side of the only connection."""
    (connection,) = server.connections._open
    return connection


@pytest.fixture
async def browser(server: RunningServer) -> AsyncGenerator[Browser, None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(20):
        yield Browser(reader, writer)
    writer.close()


PROTO = "Content-Type: application/proto"
STREAM = "Content-Type: application/connect+proto"
WEB = "Content-Type: application/grpc-web+proto"


def note(**fields: object) -> bytes:
    return bytes(Note(**fields))


def envelope(data: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(data)) + data


def envelopes(body: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while body:
        flags, size = struct.unpack_from(">BI", body)
        found.append((flags, body[5 : 5 + size]))
        assert len(found[-1][1]) == size
        body = body[5 + size :]
    return found


class TestConnections:
    async def test_a_connection_is_kept(self, browser: Browser, echo: EchoServer) -> None:
        for n in range(3):
            assert (await browser.call("POST", SAY, PROTO, body=note(n=n))).body == note(n=n)
        assert len({call.peer for call in echo.calls}) == 1

    async def test_requests_in_advance_are_answered_in_order(self, browser: Browser) -> None:
        for n in range(100):
            browser.send("POST", SAY, PROTO, body=note(n=n, size=1000 if n % 3 else 10))
            browser.send("GET", "/healthz")
        for n in range(100):
            assert len(json.loads((await browser.reply()).body)["big"]) == (1000 if n % 3 else 10)
            assert (await browser.reply("GET")).body == b"ok\n"

    async def test_requests_in_advance_do_not_fill_the_memory(
        self, browser: Browser, echo: EchoServer, server: RunningServer
    ) -> None:
        echo.reading.clear()
        browser.send("POST", SUM, STREAM, body=envelope(note(n=1)))
        await echo.entered.wait()
        for _ in range(200_000):
            browser.send("GET", "/healthz")
        connection = accepted(server)
        while connection._reading:
            await asyncio.sleep(0)
        assert len(connection._http.trailing_data[0]) < 2**20
        echo.reading.set()
        assert (await browser.reply()).status == 200
        for _ in range(100):
            assert (await browser.reply("GET")).body == b"ok\n"

    async def test_the_last_request(self, browser: Browser) -> None:
        reply = await browser.call("POST", SAY, PROTO, "Connection: close", body=note(n=1))
        assert reply.body == note(n=1)
        assert await browser.closed()

    async def test_http_1_0(self, browser: Browser) -> None:
        browser.writer.write(b"POST %b HTTP/1.0\r\n%b\r\nContent-Length: 8\r\n\r\n" % (SAY.encode(), PROTO.encode()))
        browser.writer.write(b'{"n": 1}')
        assert (await browser.reply()).body == note(n=1)
        assert await browser.closed()

    async def test_bodies_in_chunks(self, browser: Browser) -> None:
        browser.send("POST", SAY, PROTO, "Transfer-Encoding: chunked")
        for byte in note(n=1):
            browser.writer.write(b"1\r\n%c\r\n" % byte)
            await browser.writer.drain()
        browser.writer.write(b"0\r\n\r\n")
        assert (await browser.reply()).body == note(n=1)

    async def test_a_client_that_waits_to_be_asked_for_the_body(self, browser: Browser) -> None:
        browser.send("POST", SAY, PROTO, "Expect: 100-continue", "Content-Length: 8")
        assert await browser.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 \r\n\r\n"
        browser.writer.write(note(n=1))
        assert (await browser.reply()).body == note(n=1)
        assert (await browser.call("GET", "/healthz")).status == 200

    async def test_a_body_that_is_not_wanted(self, browser: Browser) -> None:
        reply = await browser.call("POST", SAY, "Content-Type: text/html", "Expect: 100-continue", "Content-Length: 8")
        assert (reply.status, reply.headers["connection"]) == (415, "close")
        assert await browser.closed()

    async def test_a_refused_body_is_skipped(self, browser: Browser) -> None:
        assert (await browser.call("POST", SAY, "Content-Type: text/html", body=bytes(100_000))).status == 415
        assert (await browser.call("GET", "/healthz")).status == 200

    async def test_a_large_refused_body_ends_the_connection_after_the_reply(self, browser: Browser) -> None:
        browser.send("POST", SAY, "Content-Type: text/html", f"Content-Length: {2**30}")
        assert (await browser.reply()).status == 415
        with pytest.raises(ConnectionError):
            while True:
                browser.writer.write(bytes(2**16))
                await browser.writer.drain()

    @pytest.mark.parametrize(
        "sent",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET / HTTP/3.0\r\n\r\n",
            b"hello\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000,
            b"PRI * HTTP/2.0\r\n\r\nnot the rest",
        ],
        ids=["tls", "version", "words", "no host", "length", "two lengths", "large header", "preface"],
    )
    async def test_what_is_not_http(self, browser: Browser, sent: bytes) -> None:
        browser.writer.write(sent)
        reply = await browser.reply()
        assert reply.status in (400, 431, 505) and reply.headers["connection"] == "close"
        assert await browser.closed()


class TestHealth:
    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    async def test_it_needs_no_credentials(self, path: str) -> None:
        def nobody(call: ServerCall) -> None:
            abort(Status.UNAUTHENTICATED, "no")

        async with await serve([EchoServer()], authenticate=nobody) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            browser = Browser(reader, writer)
            assert (await browser.call("GET", path))[::2] == (200, b"ok\n")
            assert (await browser.call("GET", path + "?verbose")).status == 200
            head = await browser.call("HEAD", path)
            assert (head.status, head.headers["content-length"], head.body) == (200, "3", b"")
            refused = await browser.call("POST", path, body=b"")
            assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
            assert (await browser.call("POST", SAY, PROTO, body=note())).error["code"] == "unauthenticated"
            writer.close()


class TestPages:
    async def test_it_needs_no_credentials_and_answers_get_only(self) -> None:
        def nobody(call: ServerCall) -> None:
            abort(Status.UNAUTHENTICATED, "no")

        async def page() -> Page:
            return Page(b"{}", 501, "application/json")

        async with await serve([EchoServer()], authenticate=nobody, pages={"/.well-known/x": page}) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            browser = Browser(reader, writer)
            for target in ("/.well-known/x", "/.well-known/x?a=b"):
                reply = await browser.call("GET", target)
                assert (reply.status, reply.headers["content-type"], reply.body) == (501, "application/json", b"{}")
            for method in ("HEAD", "POST"):
                refused = await browser.call(method, "/.well-known/x", body=b"")
                assert (refused.status, refused.headers["allow"]) == (405, "GET")
            assert (await browser.call("GET", "/.well-known/y")).status == 404
            writer.close()


class TestRefusals:
    async def test_paths(self, browser: Browser) -> None:
        for method in ("GET", "HEAD", "DELETE"):
            assert (await browser.call(method, "/nothing")).status == 404
        assert (await browser.call("OPTIONS", "*")).status == 404
        assert (await browser.call("POST", "/test.Echo/None", body=b"")).status == 404
        for kind in (PROTO, STREAM, "Content-Type: application/json"):
            reply = await browser.call("POST", "/test.Echo/None", kind, body=b"")
            assert (reply.status, reply.error["code"]) == (404, "unimplemented")
            assert "/test.Echo/None" in reply.error["message"]

    async def test_methods(self, browser: Browser) -> None:
        reply = await browser.call("GET", COUNT)
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        reply = await browser.call("PUT", SAY, PROTO, body=note())
        assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")
        assert (await browser.call("HEAD", SAY)).status == 405
        reply = await browser.call("GET", Echo.WRITE.path + "?encoding=proto&message=%7B%7D")
        assert (reply.status, reply.headers["allow"]) == (405, "POST"), "it is not a read"

    @pytest.mark.parametrize("path", [SAY, COUNT])
    async def test_content_types(self, browser: Browser, path: str) -> None:
        stream = path == COUNT
        for kind in ("text/html", "", "application/proto; charset=latin-1", PROTO[14:] if stream else STREAM[14:]):
            reply = await browser.call("POST", path, *([f"Content-Type: {kind}"] if kind else []), body=note())
            assert reply.status == 415
            own = "application/connect+proto" if stream else "application/proto"
            assert reply.headers["accept-post"].split(", ")[0] == own and "json" not in reply.headers["accept-post"]
            assert (kind or "(none)") in reply.body.decode()
        assert (await browser.call("POST", SAY, PROTO + "; charset=UTF-8", body=note(n=1))).status == 200

    async def test_protocols_that_need_http2(self, browser: Browser, server: RunningServer) -> None:
        reply = await browser.call("POST", CHAT, STREAM, body=b"")
        assert (reply.status, reply.headers["connection"]) == (505, "close")
        assert await browser.closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        reply = await Browser(reader, writer).call("POST", SAY, "Content-Type: application/grpc", body=b"")
        assert reply.status == 505 and reply.body == b"gRPC needs HTTP/2\n"
        writer.close()


class TestUnaryCalls:
    @pytest.mark.parametrize(
        ("header", "status", "code"),
        [
            ("Connect-Protocol-Version: 2", 400, "invalid_argument"),
            ("Connect-Timeout-Ms: soon", 400, "invalid_argument"),
            ("Connect-Timeout-Ms: -1", 400, "invalid_argument"),
            ("Connect-Timeout-Ms: 12345678901", 400, "invalid_argument"),
            ("Connect-Timeout-Ms: 0", 504, "deadline_exceeded"),
            ("Content-Encoding: br", 501, "unimplemented"),
            ("Content-Encoding: gzip", 400, "invalid_argument"),
        ],
    )
    async def test_headers_that_are_refused(self, browser: Browser, header: str, status: int, code: str) -> None:
        reply = await browser.call("POST", SAY, PROTO, header, body=note(hang=True))
        assert (reply.status, reply.error["code"]) == (status, code)
        assert (await browser.call("POST", SAY, PROTO, "Connect-Protocol-Version: 1", body=note(n=1))).status == 200

    async def test_bodies_that_are_refused(self, browser: Browser) -> None:
        reply = await browser.call("POST", SAY, PROTO, body=b"not json")
        assert reply.status == 400 and "the request is not a Note" in reply.error["message"]
        reply = await browser.call("POST", SAY, PROTO, f"Content-Length: {MAX_MESSAGE_BYTES + 1}")
        assert (reply.status, reply.error["code"]) == (429, "resource_exhausted")
        assert "the limit is" in reply.error["message"]

    async def test_a_body_that_turns_out_to_be_too_large(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flyte_rpc.serving.connect.unary.MAX_MESSAGE_BYTES", 1000)
        browser.send("POST", SAY, PROTO, "Transfer-Encoding: chunked")
        browser.writer.write(b"3e9\r\n" + b" " * 1001 + b"\r\n")
        assert (await browser.reply()).error["code"] == "resource_exhausted"

    async def test_a_bomb(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flyte_rpc.serving.connect.compression.MAX_MESSAGE_BYTES", 10_000_000)
        bomb = gzip.compress(bytes(10_000_001))
        reply = await browser.call("POST", SAY, PROTO, "Content-Encoding: gzip", body=bomb)
        assert reply.error["code"] == "resource_exhausted" and "expands" in reply.error["message"]

    async def test_compression(self, browser: Browser) -> None:
        data = note(padding="x" * 10_000)
        packed = await browser.call(
            "POST", SAY, PROTO, "Content-Encoding: gzip", "Accept-Encoding: br, gzip;q=0.5", body=gzip.compress(data)
        )
        assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == data
        for accepted, body in (("br", data), ("gzip;q=0", data), ("gzip", note(n=1))):
            plain = await browser.call("POST", SAY, PROTO, f"Accept-Encoding: {accepted}", body=body)
            assert "content-encoding" not in plain.headers and plain.body == body

    async def test_a_crash_shows_nothing_of_the_server(
        self, browser: Browser, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply = await browser.call("POST", SAY, PROTO, "X-Request-Id: r1", body=note(crash=True))
        assert (reply.status, reply.error["code"]) == (500, "internal")
        assert reply.error["message"] == "the server failed to handle the call; its log has the request id r1"
        assert "RuntimeError: secret path" in caplog.text
        caplog.clear()

    async def test_get(self, browser: Browser) -> None:
        for query in (
            "encoding=proto&message=%7B%22n%22%3A+1%7D",
            "connect=v1&encoding=proto&base64=1&message=eyJuIjogMX0=",
            "connect=v1&encoding=proto&base64=1&message=eyJuIjogMX0",
        ):
            reply = await browser.call("GET", f"{SAY}?{query}")
            assert (reply.status, reply.body) == (200, note(n=1))
        packed = gzip.compress(note(n=1)).hex()
        percent = "".join(f"%{packed[at : at + 2]}" for at in range(0, len(packed), 2))
        reply = await browser.call("GET", f"{SAY}?encoding=proto&compression=gzip&message={percent}")
        assert reply.body == note(n=1)

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "message=1",
            "encoding=proto",
            "encoding=xml&message=1",
            "encoding=json&message={}",
            "connect=v2&encoding=proto&message=1",
            "encoding=proto&base64=1&message=*",
            "encoding=proto&message=nope",
        ],
    )
    async def test_get_requests_that_are_refused(self, browser: Browser, query: str) -> None:
        reply = await browser.call("GET", f"{SAY}?{query}")
        assert (reply.status, reply.error["code"]) == (400, "invalid_argument")


class TestStreams:
    async def test_compression(self, browser: Browser) -> None:
        body = envelope(gzip.compress(note(to=2, size=5000)), flags=1)
        reply = await browser.call(
            "POST", COUNT, STREAM, "Connect-Content-Encoding: gzip", "Connect-Accept-Encoding: gzip", body=body
        )
        assert reply.headers["connect-content-encoding"] == "gzip" and "content-encoding" not in reply.headers
        first, second, end = envelopes(reply.body)
        assert first[0] == second[0] == 1 and end == (2, b"{}")
        assert json.loads(gzip.decompress(second[1])) == {"n": 1, "big": "x" * 5000}

    @pytest.mark.parametrize(
        ("body", "code", "shown"),
        [
            (b"", "invalid_argument", "the request is missing"),
            (b"\0\0", "invalid_argument", "cut short"),
            (envelope(note(to=1))[:-1], "invalid_argument", "cut short"),
            (envelope(note(to=1), flags=1), "invalid_argument", "compressed"),
            (envelope(note(to=1), flags=2), "invalid_argument", "unknown flag"),
            (envelope(b"nope"), "invalid_argument", "the request is not a Note"),
            (envelope(note(to=1)) * 2, "invalid_argument", "takes one request"),
            (struct.pack(">BI", 0, MAX_MESSAGE_BYTES + 1), "resource_exhausted", "the limit is"),
            (envelope(note(to=0, status="NOT_FOUND")), "not_found", "after the last"),
        ],
    )
    async def test_requests_that_fail(self, browser: Browser, body: bytes, code: str, shown: str) -> None:
        reply = await browser.call("POST", COUNT, STREAM, body=body)
        ((flags, end),) = envelopes(reply.body)
        error = json.loads(end)["error"]
        assert (reply.status, flags, error["code"]) == (200, 2, code)
        assert shown in error["message"]

    async def test_an_unknown_compression(self, browser: Browser) -> None:
        reply = await browser.call("POST", COUNT, STREAM, "Connect-Content-Encoding: br", body=envelope(note(to=1)))
        ((_, end),) = envelopes(reply.body)
        assert json.loads(end)["error"]["code"] == "unimplemented"
        assert reply.headers["connect-accept-encoding"] == "gzip"

    async def test_a_message_is_sent_before_the_next_one_is_there(self, browser: Browser) -> None:
        browser.send("POST", COUNT, STREAM, body=envelope(note(to=1, hang=True)))
        head = await browser.reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        assert envelope(note(n=0)) in await browser.reader.readuntil(note(n=0))

    async def test_requests_are_read_while_they_arrive(self, browser: Browser, echo: EchoServer) -> None:
        browser.send("POST", SUM, STREAM, "Transfer-Encoding: chunked")
        data = envelope(note(n=2))
        browser.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await echo.entered.wait()
        for byte in data:
            browser.writer.write(b"1\r\n%c\r\n" % byte)
            await browser.writer.drain()
        browser.writer.write(b"0\r\n\r\n")
        assert envelopes((await browser.reply()).body) == [(0, note(total=4)), (2, b"{}")]


class TestGrpcWeb:
    async def test_a_call(self, browser: Browser) -> None:
        reply = await browser.call("POST", SAY, WEB, body=envelope(note(n=1)))
        assert reply.headers["content-type"] == "application/grpc-web+proto"
        assert envelopes(reply.body) == [(0, note(n=1)), (0x80, b"grpc-status: 0\r\n")]

    async def test_errors(self, browser: Browser) -> None:
        reply = await browser.call("POST", SAY, WEB, body=envelope(note(status="NOT_FOUND", message="a\nb %")))
        assert envelopes(reply.body) == [(0x80, b"grpc-status: 5\r\ngrpc-message: a%0Ab %25\r\n")]
        reply = await browser.call("POST", "/test.Echo/None", WEB, body=envelope(note()))
        ((_, trailers),) = envelopes(reply.body)
        assert trailers.startswith(b"grpc-status: 12\r\n")

    @pytest.mark.parametrize("timeout", ["10m", "10000u", "0S"])
    async def test_deadlines(self, browser: Browser, timeout: str) -> None:
        reply = await browser.call("POST", SAY, WEB, f"Grpc-Timeout: {timeout}", body=envelope(note(hang=True)))
        assert envelopes(reply.body)[0][1].startswith(b"grpc-status: 4\r\n")

    async def test_a_deadline_that_is_none(self, browser: Browser) -> None:
        reply = await browser.call("POST", SAY, WEB, "Grpc-Timeout: 5", body=envelope(note()))
        assert envelopes(reply.body)[0][1].startswith(b"grpc-status: 3\r\n")

    async def test_base64(self, browser: Browser) -> None:
        """Each part of a body may have padding of its own."""
        from base64 import b64decode, b64encode

        data = envelope(note(to=2))
        parts = b64encode(data[:4]) + b64encode(data[4:])
        assert parts.count(b"=") >= 2
        for text in (parts, b64encode(data)):
            reply = await browser.call("POST", COUNT, "Content-Type: application/grpc-web-text", body=text)
            assert reply.headers["content-type"] == "application/grpc-web-text"
            decoded, body = b"", reply.body
            while body:
                end = body.find(b"=")
                end = len(body) if end < 0 else end // 4 * 4 + 4
                decoded, body = decoded + b64decode(body[:end]), body[end:]
            assert envelopes(decoded) == [(0, note(n=0)), (0, note(n=1)), (0x80, b"grpc-status: 0\r\n")]
        reply = await browser.call("POST", COUNT, "Content-Type: application/grpc-web-text", body=b"!!!!")
        assert envelopes(b64decode(reply.body))[0][1].startswith(b"grpc-status: 3\r\n")


class TestClientsThatGoAway:
    @pytest.mark.parametrize("path", [SAY, COUNT])
    async def test_the_handler_is_cancelled(self, browser: Browser, echo: EchoServer, path: str) -> None:
        data = note(to=1, hang=True)
        if path == SAY:
            browser.send("POST", path, PROTO, body=data)
        else:
            browser.send("POST", path, STREAM, body=envelope(data))
        await echo.entered.wait()
        browser.writer.close()
        await echo.cancelled.wait()

    async def test_in_the_middle_of_a_request(self, browser: Browser, server: RunningServer) -> None:
        browser.send("POST", SUM, STREAM, "Content-Length: 1000")
        await browser.writer.drain()
        browser.writer.close()
        while server.connections:
            await asyncio.sleep(0)

    async def test_stopping_the_server(self, browser: Browser, echo: EchoServer, server: RunningServer) -> None:
        browser.send("POST", SAY, PROTO, body=note(hang=True))
        await echo.entered.wait()
        await server.close()
        assert echo.cancelled.is_set()
        assert await browser.closed()


class TestBackpressure:
    async def test_a_client_that_does_not_read_holds_the_handler_up(
        self, browser: Browser, echo: EchoServer, server: RunningServer
    ) -> None:
        browser.send("POST", COUNT, STREAM, body=envelope(note(to=10_000, size=100_000)))
        await echo.entered.wait()
        connection = accepted(server)
        while connection._writable.is_set():
            await asyncio.sleep(0)
        assert echo.sent < 300

    async def test_a_handler_that_does_not_read_holds_the_client_up(
        self, browser: Browser, echo: EchoServer, server: RunningServer
    ) -> None:
        echo.reading.clear()
        data = envelope(note(n=1, padding="x" * 100_000))
        browser.send("POST", SUM, STREAM, body=data * 300)
        await echo.entered.wait()
        connection = accepted(server)
        while connection._reading:
            await asyncio.sleep(0)
        assert echo.read == 1 and connection._exchange.buffered < 2**20
        echo.reading.set()
        assert envelopes((await browser.reply()).body)[0] == (0, note(total=300))
