"""Reading MessagePack, in which other Flyte SDKs write dicts and dataclasses. Plain data: reading it runs no code."""

import struct
from typing import Any

_DEEPEST = 100
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
# Size of the length that follows the tag.
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack(data: bytes) -> Any:
    """The value that a whole MessagePack message holds.

    Raises:
        ValueError: The message is cut, goes on after its value, or holds what has no plain Python form.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.pos != len(data):
        raise ValueError("it goes on after its end")
    return value


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
        if depth > _DEEPEST:
            raise ValueError("it is nested too deep")
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
        raise ValueError(f"it holds an extension (0x{tag:02x})")

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise ValueError("text in it is not UTF-8") from None

    def array(self, size: int, depth: int) -> list[Any]:
        # A claimed size is not believed: each item must take at least one byte.
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
