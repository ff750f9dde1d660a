"""The fields of generated messages that decode on first touch.

A parsed message keeps plain values under their field's name in its `__dict__`, and what takes work (sub-messages,
enums, maps) undecoded under the name with `*` in front. The class holds *non-data* descriptors under the plain names:
Python asks them only while the instance has no such entry, so the first read decodes and stores, later reads are
ordinary attribute reads, and a message that is passed on untouched is written back from the bytes it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from struct import error as StructError
from typing import Any, Final

from . import wire
from .lazy import resolve
from .wire import DecodeError, EncodeError


def _enum_member(cls: type[Any], number: int) -> Any:
    known = cls._value2member_map_.get(number)
    return cls(number) if known is None else known


class Deferred:
    """A field whose value is made when it is first read. Deliberately without `__set__`."""

    __slots__ = ("name", "raw", "reference")

    def __init__(self, reference: str = "") -> None:
        self.reference = reference

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.raw = "*" + name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        d = instance.__dict__
        raw = d.get(self.raw)
        if raw is None and self.name in d:
            return d[self.name]  # another thread has decoded it since this one found no value
        try:
            value = self.absent() if raw is None else self.decode(raw)
        except DecodeError as cause:
            raise DecodeError(f"{owner.__name__}.{self.name}: {cause}") from None
        if value is not None:
            # The first of several threads decides which object all of them see.
            value = d.setdefault(self.name, value)
            d.pop(self.raw, None)
        return value

    def absent(self) -> Any:
        return None

    def decode(self, raw: Any) -> Any:
        raise NotImplementedError

    def admit(self, value: Any) -> Any:
        """A value that user code assigns: checked, and in the container that the field keeps."""
        return value

    @property
    def target(self) -> type[Any]:
        """The message or enum class that the field refers to."""
        cls: type[Any] = resolve(self.reference)
        return cls

    def _check(self, value: Any) -> Any:
        if not isinstance(value, self.target):
            raise EncodeError(f"{self.name} takes {self.target.__name__}, not {type(value).__name__}")
        return value


class _Sub(Deferred):
    def decode(self, raw: Any) -> Any:
        return self.target.parse(raw)

    def admit(self, value: Any) -> Any:
        return self._check(value)


class _SubList(Deferred):
    def absent(self) -> Any:
        return []

    def decode(self, raw: Any) -> Any:
        parse = self.target.parse
        return [parse(chunk) for chunk in raw]

    def admit(self, value: Any) -> Any:
        return [self._check(item) for item in _sequence(self.name, value)]


class _Enum(Deferred):
    def absent(self) -> Any:
        return _enum_member(self.target, 0)

    def decode(self, raw: Any) -> Any:
        return _enum_member(self.target, raw)

    def admit(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise EncodeError(f"{self.name} takes {self.target.__name__}, not {type(value).__name__}")
        return _enum_member(self.target, value)


class _OptionalEnum(_Enum):
    def absent(self) -> Any:
        return None


class _EnumList(_Enum):
    def absent(self) -> Any:
        return []

    def decode(self, raw: Any) -> Any:
        target = self.target
        return [_enum_member(target, number) for number in raw]

    def admit(self, value: Any) -> Any:
        return [_Enum.admit(self, item) for item in _sequence(self.name, value)]


class _List(Deferred):
    def absent(self) -> Any:
        return []

    def admit(self, value: Any) -> Any:
        return list(_sequence(self.name, value))


class _Map(Deferred):
    __slots__ = ("read_key", "read_value", "zero")

    def __init__(
        self,
        read_key: Callable[[Any], Any],
        read_value: Callable[[Any], Any] | None,
        zero: Callable[[], tuple[Any, Any]],
        reference: str,
    ) -> None:
        super().__init__(reference)
        self.read_key, self.read_value, self.zero = read_key, read_value, zero

    def absent(self) -> Any:
        return {}

    def decode(self, raw: Any) -> Any:
        read_value = self.read_value
        if read_value is None:
            target = self.target
            read_value = target.parse if hasattr(target, "parse") else lambda n: _enum_member(target, wire.signed32(n))
        return dict(self._entry(chunk, read_value) for chunk in raw)

    def _entry(self, buf: bytes, read_value: Callable[[Any], Any]) -> tuple[Any, Any]:
        key, value = self.zero()
        if value is None:
            value = read_value(b"" if hasattr(self.target, "parse") else 0)
        pos, end = 0, len(buf)
        try:
            while pos < end:
                tag, pos = wire.varint(buf, pos)
                item: Any
                if tag & 7 == 0:
                    item, pos = wire.varint(buf, pos)
                else:
                    start = wire.varint(buf, pos)[1] if tag & 7 == 2 else pos
                    pos = wire.skip(buf, pos, tag)
                    item = buf[start:pos]
                if tag >> 3 == 1:
                    key = self.read_key(item)
                elif tag >> 3 == 2:
                    value = read_value(item)
        except (IndexError, TypeError, StructError):
            raise DecodeError(wire.CUT) from None
        except UnicodeDecodeError as cause:
            raise DecodeError(f"text is not UTF-8: {cause}") from None
        return key, value

    def admit(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise EncodeError(f"{self.name} takes a mapping, not {type(value).__name__}")
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _sequence(name: str, value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise EncodeError(f"{name} takes a sequence, not {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType]


def sub(reference: str) -> Any:
    """A sub-message field."""
    return _Sub(reference)


def sub_list(reference: str) -> Any:
    """A repeated sub-message field."""
    return _SubList(reference)


def enum_field(reference: str) -> Any:
    """An enum field without presence."""
    return _Enum(reference)


def optional_enum(reference: str) -> Any:
    """An enum field with presence."""
    return _OptionalEnum(reference)


def enum_list(reference: str) -> Any:
    """A repeated enum field."""
    return _EnumList(reference)


def scalar_list() -> Any:
    """A repeated field of numbers, text or bytes."""
    return _List()


def _text(chunk: bytes) -> str:
    return str(chunk, "utf-8")


_READERS: Final[dict[str, tuple[Callable[[Any], Any], Any]]] = {
    "string": (_text, ""),
    "bytes": (bytes, b""),
    "bool": (bool, False),
    "int32": (wire.signed32, 0),
    "int64": (wire.signed64, 0),
    "uint32": (wire.low32, 0),
    "uint64": (int, 0),
    "sint32": (wire.zigzag32, 0),
    "sint64": (wire.zigzag, 0),
    "fixed32": (wire.unsigned, 0),
    "fixed64": (wire.unsigned, 0),
    "sfixed32": (wire.signed, 0),
    "sfixed64": (wire.signed, 0),
    "float": (wire.float32, 0.0),
    "double": (wire.double, 0.0),
}


def map_field(key: str, value: str, reference: str = "") -> Any:
    """A map field; `key` and `value` are protobuf types, `reference` the class of message and enum values."""
    read_key, zero_key = _READERS[key]
    read_value, zero_value = _READERS.get(value, (None, None))
    return _Map(read_key, read_value, lambda: (zero_key, zero_value), reference)
