"""The protobuf wire format: building blocks of generated codecs.

Readers take a buffer and a position, and return the value and the position after it. They detect truncated buffers by
`IndexError` and explicit bounds checks; `Message.parse` converts these errors to `DecodeError`. Writers return the bytes
of one value without its tag.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import wraps
from math import copysign
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Slots = dict[str, Any]
"""The storage of a message's fields: its `__dict__`."""


class DecodeError(ValueError):
    """The bytes are not a valid encoding of the message."""


class EncodeError(TypeError, ValueError):
    """A field has a value that its type can't express."""


def not_too_deep(error: type[DecodeError] | type[EncodeError]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Convert a `RecursionError` in the block to `error`. Parsing itself never recurses."""

    def guard(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except RecursionError:
                raise error("messages are nested too deep for the interpreter's recursion limit") from None

        return guarded

    return guard


def reason(cause: Exception) -> str:
    """Describe a decoder's exception."""
    if isinstance(cause, IndexError):
        return CUT
    return f"text is not UTF-8: {cause}" if isinstance(cause, UnicodeDecodeError) else str(cause)


CUT: Final = "the data ends in the middle of a field"
NO_FIELD: Final = ("", "", "")
"""What decoders with a table find for tags that are not in it: no key, no style, and no oneof."""
_MAX_DEPTH: Final = 100

_SMALL: Final = tuple(bytes((n,)) for n in range(128))
_PACK_DOUBLE: Final = struct.Struct("<d")
_PACK_FLOAT: Final = struct.Struct("<f")


def varint(buf: bytes, pos: int) -> tuple[int, int]:
    """Read a base-128 integer of at most 64 bits."""
    value = shift = 0
    while True:
        byte = buf[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, pos
        shift += 7
        if shift > 63:
            raise DecodeError("an integer takes more than ten bytes")


def varint32(buf: bytes, pos: int) -> tuple[int, int]:
    """Read a tag or a length: at most 32 bits, in at most five bytes."""
    value = shift = 0
    while True:
        byte = buf[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 1 << 32:
            return value, pos
        shift += 7
        if shift > 28:
            raise DecodeError("a tag or a length takes more than 32 bits")


def skip(buf: bytes, pos: int, tag: int, depth: int = 0) -> int:
    """Return the position after the value of `tag`."""
    kind = tag & 7
    if tag < 8:
        raise DecodeError("field number 0 is not allowed")
    if kind == 0:
        return varint(buf, pos)[1]
    if kind == 2:
        size, pos = varint32(buf, pos)
        pos += size
    elif kind == 1:
        pos += 8
    elif kind == 5:
        pos += 4
    elif kind == 3:
        return _skip_group(buf, pos, tag, depth)
    else:
        raise DecodeError(f"wire type {kind} is unknown")
    if pos > len(buf):
        raise DecodeError(CUT)
    return pos


def _skip_group(buf: bytes, pos: int, start: int, depth: int) -> int:
    if depth >= _MAX_DEPTH:
        raise DecodeError(f"groups are nested more than {_MAX_DEPTH} deep")
    while True:
        tag, pos = varint32(buf, pos)
        if tag & 7 == 4:
            if tag >> 3 != start >> 3:
                raise DecodeError("a group is closed by the wrong field number")
            return pos
        pos = skip(buf, pos, tag, depth + 1)


def head(buf: bytes, pos: int) -> tuple[int, int, int]:
    """Read a tag and the number after it: the value of a varint, or a length.

    Returns:
        The tag, the number, and the position after both. For other wire types, the number is meaningless, and the position
        is one after the tag, which is where generated decoders are before they call this for large tags and numbers.
    """
    tag, number = buf[pos], buf[pos + 1]
    kind = tag & 7
    if tag < 128 and kind == 2 and number > 127 and (high := buf[pos + 2]) < 128:
        # The most common case: a sub-message of 128 bytes to 16 kB.
        return tag, number & 127 | high << 7, pos + 3
    tag, pos = varint32(buf, pos)
    if kind == 0:
        return tag, *varint(buf, pos)
    if kind == 2:
        return tag, *varint32(buf, pos)
    return tag, 0, pos + 1


def unknown(d: Slots, buf: bytes, start: int) -> int:
    """Store an unknown field, which starts at `start`. Return the position after it."""
    tag, pos = varint32(buf, start)
    end = skip(buf, pos, tag)
    # Appended in place: concatenating bytes would take quadratic time on hostile input.
    d.setdefault("_unknown_fields", bytearray()).extend(buf[start:end])
    return end


def again(earlier: bytes | list[bytes], chunk: bytes) -> list[bytes]:
    """Store another occurrence of a sub-message. Occurrences are merged when decoded."""
    if isinstance(earlier, list):
        earlier.append(chunk)
        return earlier
    return [earlier, chunk]


def choose(d: Slots, cases: dict[str, str], oneof: str, key: str) -> None:
    """Drop the member of a oneof that was decoded before, if it is another one. `cases` has the last member of each."""
    earlier = cases.get(oneof, key)
    if earlier != key:
        d.pop(earlier, None)
    cases[oneof] = key


def signed32(value: int) -> int:
    """Convert a varint to int32 or an enum number."""
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value >= 0x80000000 else value


def signed64(value: int) -> int:
    """Convert a varint to int64."""
    return value - 0x10000000000000000 if value >= 0x8000000000000000 else value


def zigzag(value: int) -> int:
    """Convert a varint to sint64."""
    return (value >> 1) ^ -(value & 1)


def zigzag32(value: int) -> int:
    """Convert a varint to sint32."""
    value &= 0xFFFFFFFF
    return (value >> 1) ^ -(value & 1)


def low32(value: int) -> int:
    """Convert a varint to uint32."""
    return value & 0xFFFFFFFF


def double(chunk: bytes) -> float:
    """Decode eight bytes as a double."""
    value: float = _PACK_DOUBLE.unpack(chunk)[0]
    return value


def float32(chunk: bytes) -> float:
    """Decode four bytes as a float."""
    value: float = _PACK_FLOAT.unpack(chunk)[0]
    return value


def unsigned(chunk: bytes) -> int:
    """Decode fixed-width bytes as an unsigned integer."""
    return int.from_bytes(chunk, "little")


def signed(chunk: bytes) -> int:
    """Decode fixed-width bytes as a signed integer."""
    return int.from_bytes(chunk, "little", signed=True)


def packed(chunk: bytes, read: Callable[[int], Any] | None = None) -> Iterable[Any]:
    """Decode the integers of a packed field with `read`."""
    pos, end = 0, len(chunk)
    while pos < end:
        value, pos = varint(chunk, pos)
        yield value if read is None else read(value)


def packed_fixed(chunk: bytes, width: int, read: Callable[[bytes], Any]) -> Iterable[Any]:
    """Decode the fixed-width numbers of a packed field."""
    if len(chunk) % width:
        raise DecodeError(CUT)
    return (read(chunk[i : i + width]) for i in range(0, len(chunk), width))


def put_varint(value: int) -> bytes:
    """Encode an unsigned 64-bit integer."""
    if 0 <= value < 128:
        return _SMALL[value]
    if 0 <= value < 1 << 14:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if not 0 <= value < 1 << 64:
        raise EncodeError(f"{value} does not fit in an unsigned 64-bit integer")
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _ranged(low: int, high: int, put: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def checked(value: int) -> bytes:
        if not low <= value <= high:
            raise EncodeError(f"{value} is not between {low} and {high}")
        return put(value)

    return checked


def _ranged_varint(low: int, high: int) -> Callable[[int], bytes]:
    def checked(value: int) -> bytes:
        if 0 <= value < 128:
            return _SMALL[value]
        if not low <= value <= high:
            raise EncodeError(f"{value} is not between {low} and {high}")
        return put_varint(value & 0xFFFFFFFFFFFFFFFF)

    return checked


def _fixed(width: int, with_sign: bool) -> Callable[[int], bytes]:
    return lambda value: value.to_bytes(width, "little", signed=with_sign)


_I32: Final = (-(1 << 31), (1 << 31) - 1)
_I64: Final = (-(1 << 63), (1 << 63) - 1)
put_uint32: Final = _ranged_varint(0, (1 << 32) - 1)
put_uint64: Final = put_varint
put_int32: Final = _ranged_varint(*_I32)
put_int64: Final = _ranged_varint(*_I64)
put_enum: Final = put_int32
put_sint32: Final = _ranged(*_I32, lambda v: put_varint(v << 1 if v >= 0 else ~(v << 1)))
put_sint64: Final = _ranged(*_I64, lambda v: put_varint(v << 1 if v >= 0 else ~(v << 1)))
put_fixed32: Final = _ranged(0, (1 << 32) - 1, _fixed(4, False))
put_fixed64: Final = _ranged(0, (1 << 64) - 1, _fixed(8, False))
put_sfixed32: Final = _ranged(*_I32, _fixed(4, True))
put_sfixed64: Final = _ranged(*_I64, _fixed(8, True))


def put_bool(value: bool) -> bytes:
    """Encode a boolean."""
    return b"\x01" if value else b"\x00"


def put_double(value: float) -> bytes:
    """Encode a double."""
    return _PACK_DOUBLE.pack(value)


def put_float(value: float) -> bytes:
    """Encode a float. Numbers too large for 32 bits become infinite, as in all protobuf implementations."""
    try:
        return _PACK_FLOAT.pack(value)
    except OverflowError:
        return _PACK_FLOAT.pack(copysign(float("inf"), value))


def put_string(value: str) -> bytes:
    """Encode text with a length prefix."""
    encoded = value.encode()
    size = len(encoded)
    return (_SMALL[size] if size < 128 else put_varint(size)) + encoded


def put_bytes(value: bytes) -> bytes:
    """Encode bytes, or an encoded message, with a length prefix."""
    size = len(value)
    return (_SMALL[size] if size < 128 else put_varint(size)) + value


def put_message(value: Any) -> bytes:
    """Encode a message, or its undecoded bytes, with a length prefix."""
    encoded: bytes = _joined(value) if isinstance(value, (bytes, list)) else value._encoded()
    size = len(encoded)
    return (_SMALL[size] if size < 128 else put_varint(size)) + encoded


def _joined(raw: Any) -> bytes:
    return raw if isinstance(raw, bytes) else b"".join(raw)


def entries(
    value: dict[Any, Any] | list[bytes] | None,
    key_tag: bytes,
    put_key: Callable[[Any], bytes],
    value_tag: bytes,
    put_value: Callable[[Any], bytes],
) -> Iterable[bytes]:
    """Return the entries of a map, or its undecoded entries unchanged."""
    if isinstance(value, dict):
        return [key_tag + put_key(k) + value_tag + put_value(v) for k, v in value.items()]
    return value or ()


def written(value: float) -> bool:
    """Whether a float without presence is written. Negative zero is, because it is not the default."""
    return bool(value) or copysign(1.0, value) < 0
