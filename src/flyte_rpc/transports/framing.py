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


def message_size(data: bytes | bytearray, at: int, limit: int, *, compression: bool = False) -> int:
    """The size of the message whose prefix is at a position of `data`.

    Raises:
        BadFrame: It is compressed though `compression` is False, has an unknown flag, or is larger than `limit` bytes.
    """
    flag, size = _PREFIX.unpack_from(data, at)
    if flag == 1 and not compression:
        raise BadFrame("the message is compressed, which was not agreed")
    if flag > 1:
        raise BadFrame(f"the message has the unknown flag {flag}")
    if size > limit:
        raise BadFrame(f"the message has {size:,} bytes; the limit is {limit:,}", too_large=True)
    return int(size)


def gunzip(data: bytes, limit: int) -> bytes:
    """Decompress a message.

    Raises:
        BadFrame: It is not gzip, or has more than `limit` bytes.
    """
    import zlib

    reader = zlib.decompressobj(wbits=31)
    try:
        message = reader.decompress(data, limit + 1)
    except zlib.error as error:
        raise BadFrame(f"the message is not valid gzip ({error})") from None
    if len(message) > limit:
        raise BadFrame(f"the message has more than {limit:,} bytes when decompressed", too_large=True)
    if not reader.eof:
        raise BadFrame("the compressed message is cut short")
    return message
