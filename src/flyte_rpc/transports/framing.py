"""How gRPC puts messages into a stream of bytes: a flag, the length in 32 bits, the message."""

from __future__ import annotations

import struct

MAX_MESSAGE_BYTES = 256 * 2**20
"""Largest message that either side reads. It bounds the memory one reply can claim, not what the API allows."""

PREFIX_BYTES = 5

_MAX_MEMBERS = 16
"""Parts of a gzip file. Servers write one; thousands would only serve to keep the client busy."""

_GZIP = 16 + 15
"""Tells zlib to expect the header and checksum of gzip."""

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


def decompress(encoding: str, message: bytes) -> bytes:
    """Decompress a gRPC message.

    Args:
        encoding: The value of `grpc-encoding`.
        message: The compressed message.

    Raises:
        BadFrame: The encoding is not gzip, or the message is broken or too large.
    """
    if encoding != "gzip":
        raise BadFrame(f"the message is compressed as {encoding or 'identity'!r}, which was not agreed")
    return gunzip(message, MAX_MESSAGE_BYTES)


def gunzip(data: bytes, limit: int) -> bytes:
    """Decompress gzip.

    Args:
        data: All of it, in one or a few members.
        limit: The most bytes that it may expand to. More are never produced.

    Raises:
        BadFrame: The data is broken or cut short, expands to more than the limit, or has too many members.
    """
    import zlib

    parts: list[bytes] = []
    size = 0
    while data:
        if len(parts) == _MAX_MEMBERS:
            raise BadFrame("the compressed message has too many parts")
        member = zlib.decompressobj(wbits=_GZIP)
        try:
            part = member.decompress(data, limit - size + 1)
        except zlib.error as error:
            raise BadFrame(f"the compressed message is broken ({error})") from None
        size += len(part)
        if size > limit:
            raise BadFrame(f"the compressed message expands to more than the limit of {limit:,} bytes", too_large=True)
        if not member.eof:
            raise BadFrame("the compressed message is cut short")
        parts.append(part)
        data = member.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)
