"""How a connection ends, and what becomes of its calls."""

from __future__ import annotations

import struct

import pytest
from h2.errors import ErrorCodes

from flyte_rpc.errors import DeadlineExceededError, EndpointError
from flyte_rpc.transports import connections
from flyte_rpc.transports.http2 import frames
from support.peers import OK, REPLY

from .wire import Wire, failure, goaway, message, reset, setting, wired


@pytest.mark.parametrize("stream", [0, 2, 3, 4])
async def test_streams_that_were_never_opened(stream: int) -> None:
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
async def test_broken_rules_are_named(kind: int, payload: bytes, stream: int, shown: str, code: ErrorCodes) -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.send(kind, payload, stream)
        error = await failure(call)
        assert f"Protocol error: {shown}" in str(error) and not error.unprocessed
        assert await wire.read_all() == [goaway(code)]


@pytest.mark.parametrize(("extra", "ends"), [(0, False), (1, True)])
async def test_frames_that_carry_nothing_have_a_limit(extra: int, ends: bool) -> None:
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
            assert "Protocol error: a flood of frames that carry nothing" in str(await failure(call))
            assert await wire.read_all() == [goaway(ErrorCodes.ENHANCE_YOUR_CALM)]
        else:
            assert await call == b"x"


async def test_responses_that_inform_have_a_limit() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        for _ in range(1001):
            wire.headers(1, [(":status", "103")])
        assert "Protocol error: a flood of frames that carry nothing" in str(await failure(call))


async def test_an_empty_end_is_more_than_nothing() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.headers(1, (*REPLY, *OK))
        wire.data(1, message(b"x"))
        for _ in range(1000):
            wire.send(frames.DATA, b"", 1)
        wire.send(frames.DATA, b"", 1, frames.END_STREAM)
        assert await call == b"x"


async def test_a_ping_without_an_answer() -> None:
    async with wired(ping_interval=0.01, ping_timeout=0.1) as wires:
        _, call = await wires.called()
        error = await failure(call)
        assert "the server has not answered a ping for 0.1 s" in str(error) and not error.unprocessed


async def test_a_call_that_waits_for_its_turn_was_not_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    async with wired() as wires:
        wire, first = await wires.called(setting(frames.MAX_CONCURRENT_STREAMS, 1))
        waits = wires.call()
        assert await wire.settle() == []
        wire.send(frames.GOAWAY, struct.pack(">II", 1, 0) + b"restarting")
        error = await failure(waits)
        assert error.unprocessed and "lost its connection: the server closes the connection" in str(error)
        wire.reply(1)
        assert await first == b"reply"


async def test_a_goaway_tells_which_calls_were_not_processed() -> None:
    async with wired() as wires:
        wire, first = await wires.called()
        second = wires.call()
        await wire.read_request()
        wire.send(frames.GOAWAY, struct.pack(">II", 0x8000_0001, 0))  # with the reserved bit
        error = await failure(second)
        assert error.unprocessed and ": the server closed the connection before it looked at the request" in str(error)
        assert await wire.read() == reset(3, ErrorCodes.CANCEL)
        wire.reply(1)
        assert await first == b"reply"
        assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)], "it ends with its last call"
        third = wires.call()
        other = await wires.accept()
        await other.read_request()
        other.reply(1)
        assert await third == b"reply"


async def test_a_goaway_while_there_are_no_calls() -> None:
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
async def test_a_goaway_with_an_error_ends_all_calls(code: int, shown: str, interval: float) -> None:
    async with wired() as wires:
        wire, first = await wires.called()
        second = wires.call()
        await wire.read_request()
        wire.send(frames.GOAWAY, struct.pack(">II", 1, code))
        lost, refused = await failure(first), await failure(second)
        assert f"the server closed the connection with {shown}" in str(lost) and not lost.unprocessed
        assert refused.unprocessed
        assert wires.transport.pings.interval == interval


async def test_a_socket_that_breaks() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: closing resets
        wire.writer.transport.abort()
        assert "the connection broke (" in str(await failure(call))


async def test_a_socket_that_is_closed() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.writer.close()
        error = await failure(call)
        assert "the server closed the connection" in str(error) and not error.unprocessed


async def test_closing_the_client_names_it() -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wires.transport.close()
        wires.transport.close()
        assert "the client was closed" in str(await failure(call))
        assert await wire.read_all() == [goaway(ErrorCodes.NO_ERROR)]


async def test_identifiers_of_streams_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
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
async def test_a_connection_that_was_silent_until_a_deadline_is_replaced(heard: bool) -> None:
    async with wired() as wires:
        wire, call = await wires.called()
        wire.reply(1)
        await call
        late = wires.call(timeout=0.4)
        await wire.read_request()
        if heard:
            wire.headers(3)
        with pytest.raises(DeadlineExceededError, match=r"no reply after 0\.4 s"):
            await late
        call = wires.call()
        other: Wire = wire if heard else await wires.accept()
        await other.read_request()
        other.reply(5 if heard else 1)
        assert await call == b"reply"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (ErrorCodes.NO_ERROR, ": the server closed the connection."),
        (ErrorCodes.INTERNAL_ERROR, ": the server closed the connection with INTERNAL_ERROR."),
    ],
)
async def test_a_server_that_says_goodbye_at_once(code: ErrorCodes, shown: str) -> None:
    async with wired() as wires:
        call = wires.call()
        wire = await wires.arrived.get()
        goodbye = struct.pack(">II", 0, code)
        settings = struct.pack(">IBI", frames.SETTINGS, 0, 0)
        wire.writer.write(settings + struct.pack(">IBI", len(goodbye) << 8 | frames.GOAWAY, 0, 0) + goodbye)
        error = await failure(call)
        assert error.unprocessed and shown in str(error)
        assert (await wire.read_all())[-1] == goaway(ErrorCodes.NO_ERROR)


async def test_a_server_of_another_protocol_is_recognized_by_its_first_bytes() -> None:
    async with wired() as wires:
        call = wires.call()
        wire = await wires.arrived.get()
        wire.writer.write(b"HTT")
        await wire.writer.drain()
        wire.writer.write(b"P/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(EndpointError, match=r"speaks HTTP/1\.1, not gRPC \('HTTP/1\.1 400 Bad Request'\)"):
            await call
