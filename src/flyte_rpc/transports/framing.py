"""How gRPC puts messages into a stream of bytes: a flag, the length in 32 bits, the message."""

from __future__ import annotations

import struct

MAX_MESSAGE_BYTES = 256 * 2**20
"""Largest message that either side reads. It bounds the memory one reply can claim, not what the API allows."""

PREFIX_BYTES = 5

_PREFIX = struct.Struct(">BL")


class BadFrame(Exception):
    """The bytes of a message are cut short, compressed or larger than we accept."""

    def __init__(self, message: str, *, too_large: bool = False, cut: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large
        self.cut = cut


def frame(message: bytes) -> bytes:
    """One message with its prefix."""
    return _PREFIX.pack(0, len(message)) + message


def message_size(data: bytes | bytearray, at: int, limit: int) -> int:
    """The size of the message whose prefix is at a position of `data`.

    Raises:
        BadFrame: It is compressed, or larger than `limit` bytes.
    """
    compressed, size = _PREFIX.unpack_from(data, at)
    if compressed:
        raise BadFrame("the message is compressed, which was not agreed")
    if size > limit:
        raise BadFrame(f"the message has {size:,} bytes; the limit is {limit:,}", too_large=True)
    return int(size)
