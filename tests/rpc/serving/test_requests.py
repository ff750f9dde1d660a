"""What is said about requests that the server does not carry out: over every protocol, the same."""

from __future__ import annotations

import gzip

import pytest

from flyte_rpc.serving.server import RunningServer, serve
from support.echo import Echo, EchoServer, Note
from support.raw_client import message, raw_client

SAY, COUNT = Echo.SAY.path, Echo.COUNT.path

PROTO = {"content-type": "application/proto", "te": ""}
STREAM = {"content-type": "application/connect+proto", "te": ""}
WEB = {"content-type": "application/grpc-web", "te": ""}
GRPC = {"content-type": "application/grpc"}

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    ("path", "headers", "framed"),
    [
        (SAY, PROTO | {"connect-timeout-ms": "0"}, False),
        (COUNT, STREAM | {"connect-timeout-ms": "0"}, True),
        (SAY, WEB | {"grpc-timeout": "0n"}, True),
        (SAY, GRPC | {"grpc-timeout": "0S"}, True),
    ],
    ids=["connect", "connect-stream", "grpc-web", "grpc"],
)
async def test_a_deadline_of_zero_has_passed(
    server: RunningServer, echo: EchoServer, path: str, headers: dict[str, str], framed: bool
) -> None:
    note = bytes(Note(n=1, to=1))
    async with raw_client(server.port) as client:
        answer = await client.call(path, message(note) if framed else note, **headers)
    shown = answer.data + str(answer.headers | answer.trailers).encode()
    assert b"deadline_exceeded" in shown or b"grpc-status: 4" in shown or b"'grpc-status': '4'" in shown
    assert echo.calls == []


@pytest.mark.parametrize(
    "data", [b"not gzip", gzip.compress(b"{}")[:-9], gzip.compress(b"{}") * 20], ids=["other", "cut", "parts"]
)
async def test_a_broken_request_is_not_called_a_reply(server: RunningServer, data: bytes) -> None:
    async with raw_client(server.port) as client:
        unary = await client.call(SAY, data, **PROTO, **{"content-encoding": "gzip"})
        streamed = await client.call(COUNT, message(data, flag=1), **STREAM, **{"connect-content-encoding": "gzip"})
    for answer in (unary, streamed):
        assert b"invalid_argument" in answer.data and b"the compressed message" in answer.data
        assert b"reply" not in answer.data


async def test_a_charset_is_named(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        answer = await client.call(SAY, b"{}", **{"content-type": "application/proto; charset=latin-1", "te": ""})
    assert answer.headers[":status"] == "415"
    assert (
        answer.data
        == b"the charset in the content type 'application/proto; charset=latin-1' is not supported; use UTF-8\n"
    )


@pytest.mark.parametrize("host", ["/tmp/server", "unix:///tmp/server", "http://127.0.0.1"])
async def test_the_server_listens_on_tcp_only(host: str) -> None:
    with pytest.raises(ValueError, match=r"host=.* is a path or URL. The server listens on TCP only"):
        await serve([EchoServer()], host=host)
