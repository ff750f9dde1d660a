"""`google.rpc.Status`, the message in which gRPC carries the details of an error, written without its generated class."""

from __future__ import annotations

from collections.abc import Iterable

_TYPE_PREFIX = "type.googleapis.com/"


def packed_status(status: int, message: str, details: Iterable[tuple[str, bytes]]) -> bytes:
    """Encode a `google.rpc.Status`.

    Args:
        status: The code.
        message: Text of the error.
        details: Full names or type URLs of messages, and the encoded messages.
    """
    packed = b"".join(_field(3, _packed_any(name, data)) for name, data in details)
    return b"\x08" + _varint(status) + (_field(2, _utf8(message)) if message else b"") + packed


def _packed_any(name: str, data: bytes) -> bytes:
    """A `google.protobuf.Any`."""
    url = name if "/" in name else _TYPE_PREFIX + name
    return _field(1, _utf8(url)) + (_field(2, data) if data else b"")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # JSON may hold half of a surrogate pair


def _field(number: int, data: bytes) -> bytes:
    """A field of a protobuf message that holds bytes."""
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
