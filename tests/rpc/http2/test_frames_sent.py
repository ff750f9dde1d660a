"""What a connection sends, frame by frame."""

from __future__ import annotations

import asyncio
import struct

from h2.errors import ErrorCodes

from flyte_rpc.transports.http2 import frames
from flyte_rpc.transports.http2.receive_windows import FIRST_WINDOW_BYTES, WINDOW_BYTES
from support.peers import OK, REPLY

from .wire import Frame, goaway, message, reset, setting, window_update, wired


async def test_a_connection_from_its_beginning_to_its_end() -> None:
    async with wired() as wires:
        call = wires.call(b"abc")
        wire = await wires.arrived.get()
        settings = setting(frames.ENABLE_PUSH, 0) + setting(frames.INITIAL_WINDOW_SIZE, FIRST_WINDOW_BYTES)
        settings += setting(frames.MAX_HEADER_LIST_SIZE, 65_536)
        assert await wire.read() == Frame(frames.SETTINGS, 0, 0, settings)
        assert await wire.read() == window_update(0, WINDOW_BYTES - frames.DEFAULT_WINDOW)
        wire.send(frames.SETTINGS)
        wire.send(frames.SETTINGS, flags=frames.ACK)
        assert await wire.read() == Frame(frames.SETTINGS, frames.ACK, 0, b"")
        headers, data = await wire.read_request()
        assert (headers.kind, headers.flags, headers.stream) == (frames.HEADERS, frames.END_HEADERS, 1)
        sent = dict(wire.decoder.decode(headers.payload))
        assert sent[":path"] == "/a.B/C" and 19_000_000 < int(sent["grpc-timeout"].removesuffix("u")) <= 20_000_000
        assert data == Frame(frames.DATA, frames.END_STREAM, 1, message(b"abc"))
        wire.reply(1)
        assert await call == b"reply"
        assert await wire.settle() == [], "there is nothing to add to a call that both sides have finished"
        wires.transport.close()
        assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)]


async def test_pings_are_answered_with_what_they_carry() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.send(frames.PING, b"\0\1\2\3\4\5\6\7")
        assert await wire.read() == Frame(frames.PING, frames.ACK, 0, b"\0\1\2\3\4\5\6\7")
        wire.send(frames.PING, b"87654321", flags=frames.ACK)
        assert await wire.settle() == [], "an answer is not answered"
        wire.reply(1)
        assert await call == b"reply"


async def test_a_ping_of_the_client() -> None:
    async with wired(ping_interval=0.01, ping_timeout=20) as wires:
        wire, call = await wires.called()
        ping = await wire.read()
        assert ping == Frame(frames.PING, 0, 0, b"keepaliv")
        wire.send(frames.PING, ping.payload, flags=frames.ACK)
        assert await wire.read() == ping, "an answer to the first ping allows the second one"
        wire.reply(1)
        assert await call == b"reply"


async def test_a_call_that_is_cancelled_is_reset() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        call.cancel()
        assert await wire.read() == reset(1, ErrorCodes.CANCEL)
        assert await wire.settle() == []


async def test_a_reply_before_the_end_of_the_request_resets_the_stream() -> None:
    async with wired() as wires:
        accepting = asyncio.ensure_future(wires.accept())
        async with wires.transport.open("/a.B/C", [], 20) as stream:
            wire = await accepting
            assert (await wire.read()).kind == frames.HEADERS
            wire.headers(1)
            wire.headers(1, OK, end=True)
            assert await stream.receive() is None
        assert await wire.read() == reset(1, ErrorCodes.CANCEL)


async def test_frames_as_large_as_the_server_takes_them() -> None:
    async with wired() as wires:
        call = wires.call(b"x" * 50_000)
        wire = await wires.accept(setting(frames.MAX_FRAME_SIZE, 20_000))
        _, *data = await wire.read_request()
        assert [len(frame.payload) for frame in data] == [20_000, 20_000, 10_005]
        wire.reply(1)
        assert await call == b"reply"


async def test_a_request_follows_the_window_that_the_settings_give_it() -> None:
    async with wired() as wires:
        call = wires.call(bytes(range(30)))
        wire = await wires.accept(setting(frames.INITIAL_WINDOW_SIZE, 10))
        assert (await wire.read()).kind == frames.HEADERS
        sent = [await wire.read()]
        for size, part in ((15, [5]), (0, []), (20, [5])):
            wire.send(frames.SETTINGS, setting(frames.INITIAL_WINDOW_SIZE, size))
            acknowledged, *data = await wire.settle()
            assert acknowledged == Frame(frames.SETTINGS, frames.ACK, 0, b"")
            assert [len(frame.payload) for frame in data] == part
            sent += data
        wire.send(frames.WINDOW_UPDATE, struct.pack(">I", 0x8000_0003), 1)
        (frame,) = await wire.settle()
        assert len(frame.payload) == 3, "the reserved bit is no part of the number"
        wire.send(frames.WINDOW_UPDATE, struct.pack(">I", 100), 1)
        sent += [frame, await wire.read()]
        assert b"".join(frame.payload for frame in sent) == message(bytes(range(30)))
        assert [frame.flags for frame in sent] == [0] * (len(sent) - 1) + [frames.END_STREAM]
        wire.reply(1)
        assert await call == b"reply"


async def test_a_message_that_waits_for_a_window_does_not_end_the_request() -> None:
    async with wired() as wires:
        accepting = asyncio.ensure_future(wires.accept(setting(frames.INITIAL_WINDOW_SIZE, 10)))
        async with wires.transport.open("/a.B/C", [], 20) as stream:
            wire = await accepting
            sending = asyncio.ensure_future(stream.send(b"x" * 15))
            assert (await wire.read()).kind == frames.HEADERS
            assert len((await wire.read()).payload) == 10
            wire.send(frames.WINDOW_UPDATE, struct.pack(">I", 100), 1)
            assert await wire.read() == Frame(frames.DATA, 0, 1, b"x" * 10)
            assert await sending is True
            await stream.end()
            assert await wire.read() == Frame(frames.DATA, frames.END_STREAM, 1, b"")
            wire.headers(1, (*REPLY, *OK), end=True)
            assert await stream.receive() is None


async def test_a_request_waits_for_the_window_of_the_connection() -> None:
    async with wired() as wires:
        call = wires.call(b"x" * 70_000)
        wire = await wires.accept(setting(frames.INITIAL_WINDOW_SIZE, 100_000))
        await wire.read()
        assert sum(len(frame.payload) for frame in await wire.settle()) == frames.DEFAULT_WINDOW
        wire.send(frames.WINDOW_UPDATE, struct.pack(">I", 4000))
        (frame,) = await wire.settle()
        assert len(frame.payload) == 4000
        wire.send(frames.WINDOW_UPDATE, struct.pack(">I", 4000))
        assert len((await wire.read()).payload) == 70_005 - frames.DEFAULT_WINDOW - 4000
        wire.reply(1)
        assert await call == b"reply"


async def test_headers_use_no_larger_table_than_the_server_has() -> None:
    async with wired() as wires:
        call = wires.call()
        wire = await wires.accept(setting(frames.HEADER_TABLE_SIZE, 0))
        headers, _ = await wire.read_request()
        assert headers.payload[0] == 0x20, "a new table size, which is 0"
        assert dict(wire.decoder.decode(headers.payload))[":path"] == "/a.B/C"
        wire.reply(1)
        assert await call == b"reply"
