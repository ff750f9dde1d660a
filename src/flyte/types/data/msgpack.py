"""MessagePack, which Flyte SDKs use for dicts and data classes. Reading it runs no code.

This is not the `msgpack` package, because JSON-like values need only a small part of the format, workers start without
another compiled dependency, and errors have the place inside the value.
"""

import struct
from collections.abc import Mapping
from typing import Any

from .guards import is_dict, is_list_or_tuple
from .mismatch import MAX_DEPTH

_NUMBERS = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
# For each size, the unsigned form first: non-negative numbers use it, as in other implementations.
_INTEGERS = (0xCC, 0xD0, 0xCD, 0xD1, 0xCE, 0xD2, 0xCF, 0xD3)
# Bytes of the length after each tag.
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack(data: bytes) -> Any:
    """Decode a whole MessagePack message.

    Raises:
        ValueError: The message is truncated, has trailing data, or contains values without a plain Python form.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.pos != len(data):
        raise ValueError("it has trailing data")
    return value


def pack(value: Any) -> bytes:
    """Encode a value as a MessagePack message.

    Args:
        value: A combination of None, `bool`, `int` within 64 bits, `float`, `str`, `bytes`, lists, tuples and dicts.

    Raises:
        ValueError: The value contains anything else, or an integer beyond 64 bits.
    """
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _write(out: bytearray, value: Any) -> None:
    match value:
        case None:
            out.append(0xC0)
        case bool():
            out.append(0xC3 if value else 0xC2)
        case int():
            _write_int(out, value)
        case float():
            out += struct.pack(">Bd", 0xCB, value)
        case str():
            data = value.encode()
            _write_head(out, len(data), _TEXTS, (0xA0, 0x20))
            out += data
        case bytes():
            _write_head(out, len(value), _BYTES, None)
            out += value
        case _ if is_list_or_tuple(value):
            _write_head(out, len(value), _ARRAYS, (0x90, 0x10))
            for item in value:
                _write(out, item)
        case _ if is_dict(value):
            _write_head(out, len(value), _MAPS, (0x80, 0x10))
            for key, item in value.items():
                _write(out, key)
                _write(out, item)
        case _:
            raise ValueError(f"{type(value).__name__} has no MessagePack form")


def _write_int(out: bytearray, value: int) -> None:
    if -0x20 <= value < 0x80:
        out.append(value & 0xFF)
        return
    for tag in _INTEGERS:
        code = _NUMBERS[tag]
        bits = struct.calcsize(code) * 8
        low, high = (0, 1 << bits) if code.isupper() else (-(1 << bits - 1), 1 << bits - 1)
        if low <= value < high:
            out += struct.pack(f">B{code[1]}", tag, value)
            return
    raise ValueError("an int must fit into 64 bits")


def _write_head(out: bytearray, length: int, tags: Mapping[int, int], short: tuple[int, int] | None) -> None:
    """Write the length of the following data, with the shortest possible tag."""
    if short is not None and length < short[1]:
        out.append(short[0] | length)
        return
    tag, size = next(((tag, size) for tag, size in tags.items() if length < 1 << size * 8), (0, 0))
    if not tag:
        raise ValueError("it is longer than 4 GiB")
    out.append(tag)
    out += length.to_bytes(size, "big")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def take(self, size: int) -> bytes:
        end = self.pos + size
        if end > len(self.data):
            raise ValueError("it is cut")
        chunk = self.data[self.pos : end]
        self.pos = end
        return chunk

    def length(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        tag = self.take(1)[0]
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag < 0x90:
            return self.map(tag & 0x0F, depth)
        if tag < 0xA0:
            return self.array(tag & 0x0F, depth)
        if tag < 0xC0:
            return self.text(tag & 0x1F)
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag in _NUMBERS:
            code = _NUMBERS[tag]
            return struct.unpack(code, self.take(struct.calcsize(code)))[0]
        if tag in _TEXTS:
            return self.text(self.length(_TEXTS[tag]))
        if tag in _BYTES:
            return self.take(self.length(_BYTES[tag]))
        if tag in _ARRAYS:
            return self.array(self.length(_ARRAYS[tag]), depth)
        if tag in _MAPS:
            return self.map(self.length(_MAPS[tag]), depth)
        raise ValueError(f"it contains an extension (0x{tag:02x})")

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise ValueError("text in it is not UTF-8") from None

    def array(self, size: int, depth: int) -> list[Any]:
        # Do not trust the claimed size: each item takes at least one byte.
        if size > len(self.data) - self.pos:
            raise ValueError("it is cut")
        return [self.value(depth + 1) for _ in range(size)]

    def map(self, size: int, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in range(size):
            key = self.value(depth + 1)
            if isinstance(key, (list, dict)):
                raise ValueError("a key in it is a list or map")
            found[key] = self.value(depth + 1)
        return found
