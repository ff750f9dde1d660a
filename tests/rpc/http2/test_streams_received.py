"""How a connection takes the frames of its streams."""

from __future__ import annotations

import asyncio
import struct
from contextlib import aclosing

import pytest
from h2.errors import ErrorCodes

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, RpcError
from flyte_rpc.transports.http2 import frames
from flyte_rpc.transports.http2.receive_windows import FIRST_WINDOW_BYTES
from flyte_rpc.transports.http2.stream import Http2Stream
from support.peers import OK, REPLY

from .wire import failure, message, reset, setting, wired


@pytest.mark.parametrize("flags", [0, frames.PADDED], ids=["plain", "padded"])
async def test_a_server_may_fill_the_window_and_not_exceed_it(flags: int) -> None:
    async with wired() as wires, aclosing(wires.transport.server_stream("/a.B/C", b"", [], None)) as replies:
        first = asyncio.ensure_future(anext(replies))
        wire = await wires.accept()
        await wire.read_request()
        wire.headers(1)
        wire.data(1, message(b"x") * 2)
        assert await first == b"x"
        # The reader has left a message, so that nothing is granted again. Padding counts as well.
        rest = FIRST_WINDOW_BYTES - 12
        while rest:
            size = min(rest, frames.DEFAULT_FRAME)
            rest -= size
            body = bytes((255,)) + bytes(size - 1) if flags else bytes(size)
            wire.send(frames.DATA, body, 1, flags)
        assert await wire.settle() == []
        wire.send(frames.DATA, b"\0", 1)
        assert await wire.settle() == [reset(1, ErrorCodes.FLOW_CONTROL_ERROR)]


@pytest.mark.parametrize("kind", [frames.DATA, frames.HEADERS])
async def test_nothing_follows_the_end_of_a_stream(kind: int) -> None:
    async with wired() as wires, aclosing(wires.transport.server_stream("/a.B/C", b"", [], None)) as replies:
        first = asyncio.ensure_future(anext(replies))
        wire = await wires.accept()
        await wire.read_request()
        wire.headers(1)
        wire.data(1, message(b"x") * 2)
        wire.headers(1, OK, end=True)
        assert await first == b"x"
        wire.send(kind, b"\x88" if kind == frames.HEADERS else b"x", 1, frames.END_HEADERS)
        assert await wire.settle() == [reset(1, ErrorCodes.STREAM_CLOSED)]
        assert [reply async for reply in replies] == [b"x"], "what was complete counts"
        assert await wire.settle() == [], "a stream is reset once"


async def test_empty_data_may_end_a_stream() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.headers(1, (*REPLY, *OK))
        wire.data(1, message(b"x"))
        wire.send(frames.DATA, b"", 1, frames.END_STREAM)
        assert await call == b"x"


async def test_responses_that_inform_precede_the_reply() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.headers(1, [(":status", "103"), ("link", "x")])
        assert await wire.settle() == []
        wire.reply(1)
        assert await call == b"reply"


@pytest.mark.parametrize(
    "headers",
    [
        [(":status", "200"), ("content-type", "text/html")],
        [(":status", "200")],
        [("content-type", "application/grpc")],
        [(":status", "503"), ("content-type", "application/grpc")],
        [(":status", "404"), ("content-type", "text/html")],
    ],
)
async def test_a_reply_that_is_not_grpc_is_not_read_to_its_end(headers: list[tuple[str, str]]) -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.headers(1, headers)
        with pytest.raises(RpcError) as raised:
            await call
        assert not isinstance(raised.value, (ConnectionLostError, DeadlineExceededError))
        assert await wire.read() == reset(1, ErrorCodes.CANCEL)


@pytest.mark.parametrize(
    ("headers", "code", "shown"),
    [
        (None, ErrorCodes.NO_ERROR, "NO_ERROR"),
        (REPLY, ErrorCodes.NO_ERROR, "NO_ERROR"),
        ((*REPLY, *OK), ErrorCodes.CANCEL, "CANCEL"),
        (REPLY, 99, "error 99"),
        (None, ErrorCodes.REFUSED_STREAM, "REFUSED_STREAM"),
    ],
)
async def test_a_stream_that_the_server_resets(
    headers: tuple[tuple[str, str], ...] | None, code: int, shown: str
) -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        if headers is not None:
            wire.headers(1, headers)
        wire.send(frames.RST_STREAM, struct.pack(">I", code), 1)
        error = await failure(call)
        assert f"the server reset the stream ({shown})" in str(error) and not error.unprocessed
        assert error.refused is (code == ErrorCodes.REFUSED_STREAM)
        assert await wire.settle() == [], "the stream is closed on both sides"
        second = wires.call()
        await wire.read_request()
        wire.reply(3)
        assert await second == b"reply"


async def test_a_status_in_headers_and_a_reset_without_error_are_a_reply() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.headers(1, (*REPLY, *OK))
        wire.data(1, message(b"x"))
        wire.send(frames.RST_STREAM, b"\0\0\0\0", 1)
        assert await call == b"x"


@pytest.mark.parametrize("begun", [True, False], ids=["headers twice", "data before headers"])
async def test_frames_out_of_order(begun: bool) -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        if begun:
            wire.headers(1)
            wire.headers(1)
        else:
            wire.data(1, b"x")
        assert await wire.settle() == [reset(1, ErrorCodes.PROTOCOL_ERROR)]
        assert "the server broke the rules of HTTP/2 (PROTOCOL_ERROR)" in str(await failure(call))


async def test_headers_of_a_reply_wake_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads a reply waits for messages or the end."""
    async with wired() as wires:
        wire, call = await wires.called()
        woken: list[Http2Stream] = []
        wake = Http2Stream.wake

        def waking(stream: Http2Stream) -> None:
            woken.append(stream)
            wake(stream)

        monkeypatch.setattr(Http2Stream, "wake", waking)
        wire.headers(1)
        wire.data(1, message(b"x"))
        await wire.settle()
        assert woken == []
        wire.headers(1, OK, end=True)
        assert await call == b"x" and len(woken) == 1


@pytest.mark.parametrize("size", [0, 1], ids=["no more", "too much more"])
async def test_the_window_of_a_stream_has_a_limit(size: int) -> None:
    async with wired() as wires:
        call = wires.call()
        wire = await wires.accept(setting(frames.INITIAL_WINDOW_SIZE, 1000))
        await wire.read_request()
        wire.send(frames.WINDOW_UPDATE, struct.pack(">I", frames.LARGEST_WINDOW - 995), 1)
        assert await wire.settle() == []
        wire.send(frames.WINDOW_UPDATE, struct.pack(">I", size), 1)
        assert await wire.settle() == [reset(1, ErrorCodes.FLOW_CONTROL_ERROR)]
        assert "the server broke the rules of HTTP/2 (FLOW_CONTROL_ERROR)" in str(await failure(call))
