"""How much a connection lets the server send ahead of the readers: window updates, to the byte."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from h2.errors import ErrorCodes

from flyte_rpc.transports.http2 import frames, receive_windows
from flyte_rpc.transports.http2.receive_windows import FIRST_WINDOW_BYTES
from support.peers import OK

from .wire import Frame, Wire, message, reset, setting, window_update, wired

FIRST = FIRST_WINDOW_BYTES


def of_streams(found: list[Frame]) -> list[Frame]:
    return [frame for frame in found if frame.stream]


async def send_part(wire: Wire, stream: int, size: int) -> list[Frame]:
    """Send so much of a message, and return what the client grants the stream for it."""
    wire.data(stream, bytes(size))
    return of_streams(await wire.settle())


async def begin(wire: Wire, stream: int, size: int) -> None:
    """Begin a reply with a message of so many bytes."""
    wire.headers(stream)
    wire.data(stream, message(bytes(size))[:5])
    assert await wire.settle() == []


def end(wire: Wire, stream: int) -> None:
    """Send the last byte of a message, and the end of the reply."""
    wire.data(stream, b"\0")
    wire.headers(stream, OK, end=True)


async def test_a_window_doubles_while_its_reader_waits() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        size = 8 * FIRST
        await begin(wire, 1, size)
        assert await send_part(wire, 1, FIRST // 2 - 6) == [], "one byte less than half of the window"
        assert await send_part(wire, 1, 1) == [window_update(1, FIRST // 2 + FIRST)]
        assert await send_part(wire, 1, FIRST - 1) == []
        assert await send_part(wire, 1, 1) == [window_update(1, FIRST + 2 * FIRST)]
        assert await send_part(wire, 1, 2 * FIRST) == [window_update(1, 2 * FIRST + 4 * FIRST)]
        assert await send_part(wire, 1, 4 * FIRST) == [window_update(1, 4 * FIRST + 8 * FIRST)]
        assert await send_part(wire, 1, FIRST // 2 + 5) == []
        wire.headers(1, OK, end=True)
        assert len(await call) == size


@pytest.mark.parametrize(("long", "last"), [(True, FIRST), (False, 2 * FIRST)])
async def test_a_window_grows_up_to_a_limit(long: bool, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_windows, "_LARGEST_LONG_WINDOW", 3 * FIRST)
    monkeypatch.setattr(receive_windows, "WINDOW_BYTES", 4 * FIRST)
    async with wired() as wires, aclosing(wires.transport.server_stream("/a.B/C", b"", [], None)) as replies:
        call = asyncio.ensure_future(anext(replies)) if long else wires.call()
        wire = await wires.accept()
        await wire.read_request()
        await begin(wire, 1, 4 * FIRST)
        assert await send_part(wire, 1, FIRST // 2) == [window_update(1, 5 + FIRST // 2 + FIRST)]
        assert await send_part(wire, 1, FIRST) == [window_update(1, FIRST + last)]
        half = (2 * FIRST + last) // 2
        assert await send_part(wire, 1, half) == [window_update(1, half)], "no more than was read"
        await send_part(wire, 1, 4 * FIRST - FIRST // 2 - FIRST - half)
        wire.headers(1, OK, end=True)
        assert len(await call) == 4 * FIRST


async def test_a_reader_that_does_not_wait_is_granted_what_it_has_read() -> None:
    async with wired() as wires, aclosing(wires.transport.server_stream("/a.B/C", b"", [], None)) as replies:
        first = asyncio.ensure_future(anext(replies))
        wire = await wires.accept()
        await wire.read_request()
        wire.headers(1)
        wire.data(1, message(b"x"))
        assert await first == b"x"
        wire.data(1, message(b"y"))
        wire.data(1, message(bytes(FIRST // 2)))
        assert await wire.settle() == [], "nothing of it was read"
        assert await anext(replies) == b"y"
        assert await wire.settle() == [], "a message is left"
        assert len(await anext(replies)) == FIRST // 2
        assert await wire.settle() == [window_update(1, 6 + 6 + 5 + FIRST // 2)]
        # So the window is as large as at first, to the byte.
        wire.data(1, message(b"z") + bytes(FIRST - 6))
        assert await wire.settle() == []
        wire.data(1, b"\0")
        assert await wire.settle() == [reset(1, ErrorCodes.FLOW_CONTROL_ERROR)]


async def test_the_windows_of_a_connection_grow_by_a_limited_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_windows, "_GROWTH_BYTES", FIRST + 1000)
    async with wired() as wires:
        wire, first = await wires.called(setting(frames.MAX_CONCURRENT_STREAMS, 100))
        others = [wires.call() for _ in range(2)]
        for _ in others:
            await wire.read_request()
        for stream, growth in ((1, FIRST), (3, 1000), (5, 0)):
            await begin(wire, stream, FIRST // 2 + 1)
            assert await send_part(wire, stream, FIRST // 2) == [window_update(stream, 5 + FIRST // 2 + growth)]
        end(wire, 1)
        assert len(await first) == FIRST // 2 + 1
        later = [wires.call() for _ in range(2)]
        for _ in later:
            await wire.read_request()
        for stream, growth in ((7, FIRST), (9, 0)):  # the growth of the first one is free again
            await begin(wire, stream, FIRST // 2 + 1)
            assert await send_part(wire, stream, FIRST // 2) == [window_update(stream, 5 + FIRST // 2 + growth)]
        for stream, call in zip((3, 5, 7, 9), (*others, *later), strict=True):
            end(wire, stream)
            assert len(await call) == FIRST // 2 + 1


async def test_a_call_that_never_began_takes_no_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_windows, "_GROWTH_BYTES", FIRST)
    monkeypatch.setattr("flyte_rpc.transports.connections.MAX_CONNECTIONS", 1)
    async with wired() as wires:
        wire, first = await wires.called(setting(frames.MAX_CONCURRENT_STREAMS, 1))
        waits = wires.call()
        await wire.settle()
        waits.cancel()
        await asyncio.wait([waits])
        await begin(wire, 1, FIRST // 2 + 1)
        assert await send_part(wire, 1, FIRST // 2) == [window_update(1, 5 + FIRST // 2 + FIRST)]
        end(wire, 1)
        assert len(await first) == FIRST // 2 + 1


async def test_the_window_of_the_connection_opens_when_half_of_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_windows, "WINDOW_BYTES", 100_000)
    async with wired() as wires:
        wire, call = await wires.called()
        wire.headers(1)
        wire.data(1, message(bytes(200_000))[: 50_000 - 1])
        assert await wire.settle() == []
        wire.data(1, b"\0")
        assert await wire.settle() == [window_update(0, 50_000)]
        wire.data(1, bytes(49_999))
        assert await wire.settle() == [], "the count starts anew"
        call.cancel()
        await asyncio.wait([call])


async def test_data_of_a_call_that_was_left_counts_for_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_windows, "WINDOW_BYTES", 100_000)
    async with wired() as wires:
        wire, call = await wires.called()
        call.cancel()
        await asyncio.wait([call])
        assert len(await wire.settle()) == 1
        wire.data(1, bytes(60_000))
        assert await wire.settle() == [window_update(0, 60_000)], "with the fourth frame"
