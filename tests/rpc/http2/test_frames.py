"""What a connection sends, frame by frame, and how it takes the frames of the server."""

from __future__ import annotations

import asyncio
import struct
from contextlib import aclosing

import pytest
from h2.errors import ErrorCodes

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, RpcError
from flyte_rpc.transports.http2 import frames
from flyte_rpc.transports.http2.receive_windows import FIRST_WINDOW_BYTES, WINDOW_BYTES
from support.peers import OK, REPLY

from .wire import Frame, Wire, goaway, message, reset, setting, window_update, wired


async def failure(call: asyncio.Task[bytes]) -> ConnectionLostError:
    with pytest.raises(ConnectionLostError) as raised:
        await call
    return raised.value


class TestWhatTheClientSends:
    async def test_a_connection_from_its_beginning_to_its_end(self) -> None:
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
            assert dict(wire.decoder.decode(headers.payload))[":path"] == "/a.B/C"
            assert data == Frame(frames.DATA, frames.END_STREAM, 1, message(b"abc"))
            wire.reply(1)
            assert await call == b"reply"
            assert await wire.settle() == [], "there is nothing to add to a call that both sides have finished"
            wires.transport.close()
            assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)]

    async def test_pings_are_answered_with_what_they_carry(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.send(frames.PING, b"\0\1\2\3\4\5\6\7")
            assert await wire.read() == Frame(frames.PING, frames.ACK, 0, b"\0\1\2\3\4\5\6\7")
            wire.send(frames.PING, b"87654321", flags=frames.ACK)
            assert await wire.settle() == [], "an answer is not answered"
            wire.reply(1)
            assert await call == b"reply"

    async def test_a_ping_of_the_client(self) -> None:
        async with wired(ping_interval=0.01, ping_timeout=20) as wires:
            wire, call = await wires.called()
            ping = await wire.read()
            assert ping == Frame(frames.PING, 0, 0, b"keepaliv")
            wire.send(frames.PING, ping.payload, flags=frames.ACK)
            assert await wire.read() == ping, "an answer to the first ping allows the second one"
            wire.reply(1)
            assert await call == b"reply"

    async def test_a_call_that_is_cancelled_is_reset(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            call.cancel()
            assert await wire.read() == reset(1, ErrorCodes.CANCEL)
            assert await wire.settle() == []

    async def test_a_reply_before_the_end_of_the_request_resets_the_stream(self) -> None:
        async with wired() as wires:
            accepting = asyncio.ensure_future(wires.accept())
            async with wires.transport.open("/a.B/C", [], 20) as stream:
                wire = await accepting
                assert (await wire.read()).kind == frames.HEADERS
                wire.headers(1)
                wire.headers(1, OK, end=True)
                assert await stream.receive() is None
            assert await wire.read() == reset(1, ErrorCodes.CANCEL)

    async def test_frames_as_large_as_the_server_takes_them(self) -> None:
        async with wired() as wires:
            call = wires.call(b"x" * 50_000)
            wire = await wires.accept(setting(frames.MAX_FRAME_SIZE, 20_000))
            _, *data = await wire.read_request()
            assert [len(frame.payload) for frame in data] == [20_000, 20_000, 10_005]
            wire.reply(1)
            assert await call == b"reply"

    async def test_a_request_follows_the_window_that_the_settings_give_it(self) -> None:
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

    async def test_a_request_waits_for_the_window_of_the_connection(self) -> None:
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


class TestStreamsOfTheServer:
    @pytest.mark.parametrize("flags", [0, frames.PADDED], ids=["plain", "padded"])
    async def test_a_server_may_fill_the_window_and_not_exceed_it(self, flags: int) -> None:
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
    async def test_nothing_follows_the_end_of_a_stream(self, kind: int) -> None:
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

    async def test_empty_data_may_end_a_stream(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.headers(1, (*REPLY, *OK))
            wire.data(1, message(b"x"))
            wire.send(frames.DATA, b"", 1, frames.END_STREAM)
            assert await call == b"x"

    async def test_responses_that_inform_precede_the_reply(self) -> None:
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
            [(":status", "503"), ("content-type", "application/grpc")],
            [(":status", "404"), ("content-type", "text/html")],
        ],
    )
    async def test_a_reply_that_is_not_grpc_is_not_read_to_its_end(self, headers: list[tuple[str, str]]) -> None:
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
        ],
    )
    async def test_a_stream_that_the_server_resets(
        self, headers: tuple[tuple[str, str], ...] | None, code: int, shown: str
    ) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            if headers is not None:
                wire.headers(1, headers)
            wire.send(frames.RST_STREAM, struct.pack(">I", code), 1)
            error = await failure(call)
            assert f"the server reset the stream ({shown})" in str(error) and not error.unprocessed
            assert await wire.settle() == [], "the stream is closed on both sides"
            second = wires.call()
            await wire.read_request()
            wire.reply(3)
            assert await second == b"reply"

    @pytest.mark.parametrize("size", [0, 1], ids=["no more", "too much more"])
    async def test_the_window_of_a_stream_has_a_limit(self, size: int) -> None:
        async with wired() as wires:
            call = wires.call()
            wire = await wires.accept(setting(frames.INITIAL_WINDOW_SIZE, 1000))
            await wire.read_request()
            wire.send(frames.WINDOW_UPDATE, struct.pack(">I", frames.LARGEST_WINDOW - 995), 1)
            assert await wire.settle() == []
            wire.send(frames.WINDOW_UPDATE, struct.pack(">I", size), 1)
            assert await wire.settle() == [reset(1, ErrorCodes.FLOW_CONTROL_ERROR)]
            assert "the server broke the rules of HTTP/2 (FLOW_CONTROL_ERROR)" in str(await failure(call))


class TestTheEndOfAConnection:
    @pytest.mark.parametrize("stream", [0, 2, 3, 4])
    async def test_streams_that_were_never_opened(self, stream: int) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.send(frames.RST_STREAM, b"\0\0\0\0", stream)
            wire.reply(1)
            error = await failure(call)
            assert f"Protocol error: a frame of stream {stream}, which was never opened" in str(error)
            assert await wire.read_all() == [goaway(ErrorCodes.PROTOCOL_ERROR)], "what follows is not read"

    @pytest.mark.parametrize(
        ("kind", "payload", "stream", "shown", "code"),
        [
            (frames.SETTINGS, b"", 1, "settings of a stream", ErrorCodes.PROTOCOL_ERROR),
            (frames.PUSH_PROMISE, b"", 1, "something is pushed, which was refused", ErrorCodes.PROTOCOL_ERROR),
            (frames.PING, b"12345678", 1, "a ping of a stream", ErrorCodes.PROTOCOL_ERROR),
            (frames.PING, b"123456789", 0, "a ping has a wrong size", ErrorCodes.FRAME_SIZE_ERROR),
            (frames.GOAWAY, b"\0" * 8, 1, "a GOAWAY of a stream", ErrorCodes.PROTOCOL_ERROR),
            (frames.GOAWAY, b"\0" * 7, 0, "a frame has a wrong size", ErrorCodes.FRAME_SIZE_ERROR),
            (frames.RST_STREAM, b"\0" * 5, 1, "a frame has a wrong size", ErrorCodes.FRAME_SIZE_ERROR),
            (frames.WINDOW_UPDATE, b"\0" * 4, 0, "a window update is out of range", ErrorCodes.FLOW_CONTROL_ERROR),
            (
                frames.WINDOW_UPDATE,
                struct.pack(">I", 0x8000_0000),
                0,
                "a window update is out of range",
                ErrorCodes.FLOW_CONTROL_ERROR,
            ),
        ],
    )
    async def test_broken_rules_are_named(
        self, kind: int, payload: bytes, stream: int, shown: str, code: ErrorCodes
    ) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.send(kind, payload, stream)
            error = await failure(call)
            assert f"Protocol error: {shown}" in str(error) and not error.unprocessed
            assert await wire.read_all() == [goaway(code)]

    @pytest.mark.parametrize(("extra", "ends"), [(0, False), (1, True)])
    async def test_frames_that_carry_nothing_have_a_limit(self, extra: int, ends: bool) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            for _ in range(600):
                wire.headers(1, [(":status", "103")])
            wire.headers(1)  # which begins the count anew
            for _ in range(500):
                wire.send(frames.DATA, b"", 1)
            wire.data(1, message(b"x"))
            for _ in range(1000 + extra):
                wire.send(frames.DATA, b"", 1)
            wire.headers(1, OK, end=True)
            if ends:
                assert "a flood of frames that carry nothing" in str(await failure(call))
                assert await wire.read_all() == [goaway(ErrorCodes.ENHANCE_YOUR_CALM)]
            else:
                assert await call == b"x"

    async def test_a_goaway_tells_which_calls_were_not_processed(self) -> None:
        async with wired() as wires:
            wire, first = await wires.called()
            second = wires.call()
            await wire.read_request()
            wire.send(frames.GOAWAY, struct.pack(">II", 0x8000_0001, 0))  # with the reserved bit
            error = await failure(second)
            assert error.unprocessed and "before it looked at the request" in str(error)
            assert await wire.read() == reset(3, ErrorCodes.CANCEL)
            wire.reply(1)
            assert await first == b"reply"
            assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)], "it ends with its last call"
            third = wires.call()
            other = await wires.accept()
            await other.read_request()
            other.reply(1)
            assert await third == b"reply"

    async def test_a_goaway_while_there_are_no_calls(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.reply(1)
            await call
            wire.send(frames.GOAWAY, struct.pack(">II", 1, 0))
            assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)]

    @pytest.mark.parametrize(
        ("code", "shown", "interval"),
        [(ErrorCodes.INTERNAL_ERROR, "INTERNAL_ERROR", 30), (11, "ENHANCE_YOUR_CALM", 60), (99, "error 99", 30)],
    )
    async def test_a_goaway_with_an_error_ends_all_calls(self, code: int, shown: str, interval: float) -> None:
        async with wired() as wires:
            wire, first = await wires.called()
            second = wires.call()
            await wire.read_request()
            wire.send(frames.GOAWAY, struct.pack(">II", 1, code))
            lost, refused = await failure(first), await failure(second)
            assert f"the server closed the connection with {shown}" in str(lost) and not lost.unprocessed
            assert refused.unprocessed
            assert wires.transport.pings.interval == interval

    async def test_a_socket_that_breaks(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: closing resets
            wire.writer.transport.abort()
            assert "the connection broke (" in str(await failure(call))

    async def test_a_socket_that_is_closed(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.writer.close()
            error = await failure(call)
            assert "the server closed the connection" in str(error) and not error.unprocessed

    async def test_closing_the_client_names_it(self) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wires.transport.close()
            wires.transport.close()
            assert "the client was closed" in str(await failure(call))
            assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)]

    async def test_identifiers_of_streams_run_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(frames, "LAST_STREAM", 7)
        async with wired() as wires:
            wire, call = await wires.called()
            wire.reply(1)
            await call
            for stream in (3, 5):
                call = wires.call()
                await wire.read_request()
                wire.reply(stream)
                await call
            call = wires.call()
            other = await wires.accept()
            assert (await other.read_request())[0].stream == 1
            other.reply(1)
            await call

    @pytest.mark.parametrize("heard", [True, False])
    async def test_a_connection_that_was_silent_until_a_deadline_is_replaced(self, heard: bool) -> None:
        async with wired() as wires:
            wire, call = await wires.called()
            wire.reply(1)
            await call
            late = wires.call(timeout=0.2)
            await wire.read_request()
            if heard:
                wire.headers(3)
            with pytest.raises(DeadlineExceededError, match=r"no reply after 0\.2 s"):
                await late
            call = wires.call()
            other: Wire = wire if heard else await wires.accept()
            await other.read_request()
            other.reply(5 if heard else 1)
            assert await call == b"reply"
