"""What the sender of a connection writes, frame by frame: within windows, frame sizes and the socket's buffer."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from h2.errors import ErrorCodes

from flyte_rpc.transports.http2 import flow_control, frames
from flyte_rpc.transports.http2.flow_control import FrameSender
from flyte_rpc.transports.http2.stream import Http2Stream


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


class Socket:
    """Stands in for a transport: keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.reading = True
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def frames(self) -> list[Frame]:
        """Return the frames that were written since the last time."""
        found, data = [], bytes(self.written)
        self.written.clear()
        while data:
            size = int.from_bytes(data[:3])
            found.append(Frame(data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
            data = data[9 + size :]
        return found


class Sender:
    """A sender, its socket, and streams to send on."""

    def __init__(self) -> None:
        self.socket = Socket()
        socket: Any = self.socket
        self.sender = FrameSender(asyncio.get_running_loop(), socket)
        self.ids = iter(range(1, 1000, 2))

    def stream(self, window: int = frames.DEFAULT_WINDOW) -> Http2Stream:
        made = Http2Stream(asyncio.get_running_loop(), 1, lambda stream, consumed: 0)
        made.id, made.send_window = next(self.ids), window
        return made

    async def frames(self) -> list[Frame]:
        await asyncio.sleep(0)  # the frames of one turn of the loop are written together
        return self.socket.frames()


@pytest.fixture
async def sending() -> Sender:
    return Sender()


def sizes(found: list[Frame]) -> list[int]:
    return [len(frame.payload) for frame in found]


async def test_a_request_over_one_frame_ends_with_its_last(sending: Sender) -> None:
    stream, data = sending.stream(), bytes(range(256)) * 160
    assert len(data) == 2 * frames.DEFAULT_FRAME + 8192
    assert sending.sender.send_data(stream, data, 0) == len(data)
    found = await sending.frames()
    assert sizes(found) == [frames.DEFAULT_FRAME, frames.DEFAULT_FRAME, 8192]
    assert b"".join(frame.payload for frame in found) == data
    assert [frame.flags for frame in found] == [0, 0, frames.END_STREAM] and stream.sent is True


async def test_an_empty_end(sending: Sender) -> None:
    stream = sending.stream(window=0)
    assert sending.sender.send_data(stream, b"", 0) == 0
    assert await sending.frames() == [Frame(frames.DATA, frames.END_STREAM, stream.id, b"")]
    assert stream.sent is True
    sending.sender.send_data(stream, b"", 0)
    assert await sending.frames() == [], "a request ends once"


async def test_a_piece_that_is_not_the_end(sending: Sender) -> None:
    stream = sending.stream()
    assert sending.sender.send_data(stream, b"abc", 0, end=False) == 3
    assert await sending.frames() == [Frame(frames.DATA, 0, stream.id, b"abc")]
    assert not stream.sent


async def test_the_window_of_the_connection_is_shared(sending: Sender) -> None:
    first, second = sending.stream(10**6), sending.stream(10**6)
    assert sending.sender.send_data(first, b"a" * 60_000, 0) == 60_000
    assert sending.sender.send_data(second, b"b" * 60_000, 0) == frames.DEFAULT_WINDOW - 60_000
    assert sum(sizes(await sending.frames())) == frames.DEFAULT_WINDOW
    assert sending.sender.send_data(second, b"b" * 60_000, 5535) == 5535, "nothing is left"
    assert await sending.frames() == []
    assert sending.sender.add_window(1) is True
    assert sending.sender.send_data(second, b"b" * 60_000, 5535) == 5536, "a window of one byte is used"
    assert sizes(await sending.frames()) == [1]


async def test_the_window_of_a_stream_is_its_own(sending: Sender) -> None:
    small, large = sending.stream(3), sending.stream()
    assert sending.sender.send_data(small, b"abcdef", 0) == 3 and small.send_window == 0
    assert sending.sender.send_data(large, b"abcdef", 0) == 6
    assert [(frame.stream, frame.payload, frame.flags) for frame in await sending.frames()] == [
        (small.id, b"abc", 0),
        (large.id, b"abcdef", frames.END_STREAM),
    ]


async def test_a_window_beyond_the_limit_is_told(sending: Sender) -> None:
    assert sending.sender.add_window(frames.LARGEST_WINDOW - frames.DEFAULT_WINDOW) is True
    assert sending.sender.add_window(1) is False


async def test_only_streams_that_wait_are_woken(sending: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(Http2Stream, "wake", lambda stream: woken.append(stream.id))
    done, waits, gone = sending.stream(), sending.stream(0), sending.stream(0)
    for stream in (done, waits, gone):
        sending.sender.send_data(stream, b"abc", 0)
    sending.sender.discard(gone)
    sending.sender.unblock()
    assert woken == [waits.id]
    sending.sender.unblock()
    assert woken == [waits.id], "it waits no more until it tries again"


async def test_a_full_socket_holds_data_and_not_headers(sending: Sender) -> None:
    sending.sender.pause()
    stream = sending.stream()
    sending.sender.send_headers(stream.id, b"h")
    assert sending.sender.send_data(stream, b"abc", 0) == 0
    assert [frame.kind for frame in await sending.frames()] == [frames.HEADERS]
    sending.sender.resume()
    assert sending.sender.send_data(stream, b"abc", 0) == 3


@pytest.mark.parametrize(
    ("length", "parts"),
    [
        (frames.DEFAULT_FRAME, [frames.DEFAULT_FRAME]),
        (frames.DEFAULT_FRAME + 1, [frames.DEFAULT_FRAME, 1]),
        (3 * frames.DEFAULT_FRAME, [frames.DEFAULT_FRAME] * 3),
    ],
)
async def test_headers_in_as_many_frames_as_it_takes(sending: Sender, length: int, parts: list[int]) -> None:
    sending.sender.send_headers(7, b"x" * length)
    found = await sending.frames()
    assert sizes(found) == parts
    assert [frame.kind for frame in found] == [frames.HEADERS, *[frames.CONTINUATION] * (len(parts) - 1)]
    assert [frame.flags for frame in found] == [*[0] * (len(parts) - 1), frames.END_HEADERS]


async def test_a_reset_has_no_flags(sending: Sender) -> None:
    sending.sender.send_reset(5, ErrorCodes.CANCEL)
    assert await sending.frames() == [Frame(frames.RST_STREAM, 0, 5, int(ErrorCodes.CANCEL).to_bytes(4))]


async def test_a_window_update(sending: Sender) -> None:
    sending.sender.send_window_update(5, 300)
    assert await sending.frames() == [Frame(frames.WINDOW_UPDATE, 0, 5, (300).to_bytes(4))]


async def test_a_frame_of_the_largest_size_is_written_at_once(sending: Sender) -> None:
    sending.sender.send_data(sending.stream(), b"x" * (frames.DEFAULT_FRAME + 1), 0)
    assert sizes(sending.socket.frames()) == [frames.DEFAULT_FRAME], "so that the socket can say that it is full"
    assert sizes(await sending.frames()) == [1]


async def test_nothing_is_sent_after_the_goodbye(sending: Sender) -> None:
    sending.sender.write(b"queued")
    sending.sender.stop(ErrorCodes.NO_ERROR)
    sending.sender.send_reset(5, ErrorCodes.CANCEL)
    assert await sending.frames() == [Frame(frames.GOAWAY, 0, 0, bytes(8))]
    assert sending.sender.stopped is True and sending.socket.closed


async def test_a_peer_that_reads_no_acknowledgements_is_not_read(
    sending: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "_UNREAD_ACKNOWLEDGEMENTS", 3)
    for _ in range(5):
        sending.sender.acknowledge(b"123456789")
    assert sending.socket.reading, "the socket takes them"
    await asyncio.sleep(0)
    assert sending.socket.written == b"123456789" * 5
    sending.sender.pause()
    for wanted in (True, True, False):
        sending.sender.acknowledge(b"")
        assert sending.socket.reading is wanted
    sending.sender.resume()
    assert sending.socket.reading
    sending.sender.pause()
    for wanted in (True, True, False):
        sending.sender.acknowledge(b"")
        assert sending.socket.reading is wanted, "the count starts anew"
    sending.socket.closed = True
    sending.sender.resume()
    assert not sending.socket.reading, "a socket that closes is left alone"
