"""The bytes of HTTP/2 as far as a gRPC client needs them: frames and settings."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from h2.errors import ErrorCodes

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0x0
HEADERS: Final = 0x1
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY: Final = 0x20

HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6

DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME: Final = 16_384
LARGEST_FRAME: Final = 2**24 - 1
LARGEST_WINDOW: Final = 2**31 - 1
LAST_STREAM: Final = 2**31 - 1

HEADER_BYTES: Final = 2**16
"""Most bytes of one header block, and of the headers it stands for."""

_CONTINUATIONS: Final = 100
"""Most CONTINUATION frames of a header block. A block of the largest size needs four."""

HEAD: Final = struct.Struct(">HBBBL")
"""What each frame begins with: length in 16 and 8 bits, type, flags, stream."""


class Violation(Exception):
    """The peer broke the rules of HTTP/2 in a way that ends the connection."""

    def __init__(self, message: str, code: ErrorCodes = ErrorCodes.PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def number(value: int) -> bytes:
    """32 bits, as in WINDOW_UPDATE and RST_STREAM."""
    return value.to_bytes(4)


def settings(values: Sequence[tuple[int, int]]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *pair) for pair in values))


def read_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """The settings in a frame, those we do not know included.

    Raises:
        Violation: One has a value it cannot have.
    """
    if len(payload) % 6:
        raise Violation("settings are cut short", ErrorCodes.FRAME_SIZE_ERROR)
    for key, value in struct.iter_unpack(">HL", payload):
        if key == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
            raise Violation("a window is too large", ErrorCodes.FLOW_CONTROL_ERROR)
        if key == MAX_FRAME_SIZE and not DEFAULT_FRAME <= value <= LARGEST_FRAME:
            raise Violation("a frame size is out of range")
        yield key, value


def unpadded(flags: int, payload: bytes) -> bytes:
    """The payload of a HEADERS or DATA frame, without padding and priority.

    Raises:
        Violation: There is more padding than payload.
    """
    begin, end = 0, len(payload)
    if flags & PADDED:
        begin = 1
        end -= payload[0] if payload else 1
    if flags & PRIORITY:
        begin += 5
    if begin > end:
        raise Violation("a frame is all padding")
    return payload[begin:end]


def error_name(code: int) -> str:
    """The name of an error code, or its number."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error {code}"


class FrameReader:
    """Splits received bytes into frames, joins header blocks, and passes each frame to the handler of its type.

    It takes no more into memory than one frame of the size that was allowed, or one header block.
    """

    def __init__(self, readers: Mapping[int, Callable[[int, int, bytes], None]]) -> None:
        """Describe the readers.

        Args:
            readers: By type, what takes flags, stream and payload of a frame; of header blocks, only whole ones, as HEADERS.
        """
        self._readers = readers
        self._rest = b""
        self._continuations = 0
        """Frames in which the header block goes on."""
        self._block: tuple[int, int, bytes] | None = None
        """Stream, flags and beginning of a header block that goes on in the next frame."""
        self.begun = False
        """Whether settings have come, with which every connection begins."""
        self.stopped = False
        """Set to have the rest ignored."""

    def feed(self, data: bytes) -> None:
        """Take what has arrived.

        Raises:
            Violation: It is not HTTP/2 as it should be.
        """
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        if not self.begun and size > 3 and data[3] != SETTINGS:  # too little for a frame may be all that ever comes
            raise Violation("it does not begin with settings")
        while size - at >= HEAD.size:
            high, low, kind, flags, stream = HEAD.unpack_from(data, at)
            if not self.begun and flags & ACK:
                raise Violation("it does not begin with settings")
            begin = at + HEAD.size
            end = begin + (high << 8 | low)
            if end - begin > DEFAULT_FRAME:
                raise Violation("a frame is too large", ErrorCodes.FRAME_SIZE_ERROR)
            if end > size:
                break
            self.begun = True
            self._dispatch(kind, flags, stream & LAST_STREAM, data[begin:end])
            if self.stopped:
                return
            at = end
        self._rest = data[at:]

    def _dispatch(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._block is not None:
            self._continuations += 1
            if self._continuations > _CONTINUATIONS:
                raise Violation("a header block has too many frames", ErrorCodes.ENHANCE_YOUR_CALM)
            flags, payload = self._continued(self._block, kind, flags, stream, payload)
            kind = HEADERS
        elif kind == HEADERS:
            if flags & (PADDED | PRIORITY):
                payload = unpadded(flags, payload)
        elif kind == CONTINUATION:
            raise Violation("a header block goes on that has not begun")
        if kind == HEADERS:
            if not flags & END_HEADERS:
                self._block = (stream, flags, payload)
                return
            self._block = None
            self._continuations = 0
        reader = self._readers.get(kind)
        if reader is not None:  # what nobody reads is an extension, to be ignored
            reader(flags, stream, payload)

    @staticmethod
    def _continued(
        block: tuple[int, int, bytes], kind: int, flags: int, stream: int, payload: bytes
    ) -> tuple[int, bytes]:
        """Flags and beginning of a header block with one more frame."""
        first_stream, first_flags, beginning = block
        if kind != CONTINUATION or stream != first_stream:
            raise Violation("a header block is interrupted")
        if len(beginning) + len(payload) > HEADER_BYTES:
            raise Violation("a header block is too large", ErrorCodes.ENHANCE_YOUR_CALM)
        return first_flags | flags & END_HEADERS, beginning + payload
