"""Fields of generated messages, which are decoded on first access.

A parsed message stores plain values in its `__dict__` under the field's name. Values that are expensive to decode
(sub-messages, enums, maps) are stored undecoded, under the name with a leading `*`. The class has *non-data* descriptors
under the plain names. Python calls them only if the instance has no such entry, so the first read decodes and stores the
value, and later reads are ordinary attribute reads. Undecoded values are written back unchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from flyte_rpc.lazy import resolve
from flyte_rpc.typeguards import is_mapping, is_sequence

from . import wire
from .spec import AnyMessage, FieldSpec, checked
from .wire import DecodeError, EncodeError, Slots, reason

_new: Final = object.__new__


def enum_member(cls: type[Any], number: int) -> Any:
    """Return the member with that number; a nameless one if the number is unknown."""
    known = cls._value2member_map_.get(number)
    return cls(number) if known is None else known


class Deferred(ABC):
    """A field that decodes its value on first read. Deliberately without `__set__`."""

    __slots__ = ("name", "owner", "raw", "reference")

    def __init__(self, reference: str = "") -> None:
        self.reference = reference

    def __set_name__(self, owner: type[AnyMessage], name: str) -> None:
        self.owner = owner
        self.name = name
        self.raw = "*" + name

    def __get__(self, instance: Any, owner: type[AnyMessage]) -> Any:
        if instance is None:
            return self
        d = instance.__dict__
        raw = d.get(self.raw)
        if raw is None and self.name in d:
            return d[self.name]  # another thread has decoded it in the meantime
        try:
            value = self.absent() if raw is None else self.decode(raw)
        except DecodeError as cause:
            raise DecodeError(f"{self.where}: {cause}") from None
        if value is not None:
            # The first thread wins, so that all threads get the same object.
            value = d.setdefault(self.name, value)
            d.pop(self.raw, None)
        return value

    def absent(self) -> Any:
        """Return the value of an unset field. It is stored, unless it is None."""
        return None

    def decode(self, raw: Any) -> Any:
        """Decode what the parser stored. By default, that is the value itself."""
        return raw

    @abstractmethod
    def admit(self, value: Any) -> Any:
        """Check a value that user code assigns, and convert it to the stored container."""

    @property
    def where(self) -> str:
        """The name of the field in errors."""
        return f"{self.owner.__name__}.{self.name}"

    @property
    def target(self) -> type[Any]:
        """The message or enum class that the field refers to."""
        cls: type[Any] = resolve(self.reference)
        return cls


class _Sub(Deferred):
    __slots__ = ("cls", "fill")
    cls: type[AnyMessage]
    fill: Callable[[Slots, bytes], None]

    def __get__(self, instance: Any, owner: type[AnyMessage]) -> Any:
        """Like `Deferred.__get__`, inlined for the most common case."""
        if instance is None:
            return self
        d = instance.__dict__
        raw = d.get(self.raw)
        if type(raw) is not bytes:
            return Deferred.__get__(self, instance, owner)
        try:
            cls, fill = self.cls, self.fill
        except AttributeError:
            cls = self.cls = self.target
            fill = self.fill = cls._decode
        value: Any = _new(cls)
        slots: Slots = value.__dict__
        try:
            fill(slots, raw)
        except (IndexError, ValueError) as cause:
            raise DecodeError(f"{self.where}: {cls.__name__}: {reason(cause)}") from None
        value = d.setdefault(self.name, value)
        d.pop(self.raw, None)
        return value

    def decode(self, raw: Any) -> Any:
        return _merged(self.target, raw)

    def admit(self, value: Any) -> Any:
        return _instance(self.where, self.target, value)


class _SubList(Deferred):
    def absent(self) -> Any:
        return []

    def decode(self, raw: Any) -> Any:
        # `Message.parse`, inlined, because a page has hundreds of items.
        cls = self.target
        fill, made = cls._decode, list[Any]()
        try:
            for chunk in raw:
                value = _new(cls)
                fill(value.__dict__, chunk)
                made.append(value)
        except (IndexError, ValueError) as cause:
            raise DecodeError(f"{cls.__name__}: {reason(cause)}") from None
        return made

    def admit(self, value: Any) -> Any:
        where, target = self.where, self.target
        return [_instance(where, target, item) for item in _sequence(where, value)]


class _Enum(Deferred):
    __slots__ = ("members",)
    members: dict[int, Any]

    def absent(self) -> Any:
        return self.decode(0)

    def decode(self, raw: Any) -> Any:
        try:
            return self.members[raw]
        except AttributeError:
            self.members = self.target._value2member_map_
            return self.decode(raw)
        except KeyError:
            return self.target(raw)

    def admit(self, value: Any) -> Any:
        return _member(self.where, self.target, value)


class _OptionalEnum(_Enum):
    def absent(self) -> Any:
        return None


class _EnumList(Deferred):
    def absent(self) -> Any:
        return []

    def decode(self, raw: Any) -> Any:
        target = self.target
        return [enum_member(target, number) for number in raw]

    def admit(self, value: Any) -> Any:
        where, target = self.where, self.target
        return [_member(where, target, item) for item in _sequence(where, value)]


class _List(Deferred):
    def absent(self) -> Any:
        return []

    def admit(self, value: Any) -> Any:
        where, kind = self.where, self.owner.specs()[self.name].kind
        return [checked(where, kind, item) for item in _sequence(where, value)]


class _Map(Deferred):
    __slots__ = ("key", "key_kind", "value", "value_kind")

    def __init__(self, key: str, value: str, reference: str) -> None:
        super().__init__(reference)
        self.key_kind, self.value_kind = key, value
        self.key, self.value = _READERS[key], _READERS[value]

    def absent(self) -> Any:
        return {}

    def decode(self, raw: Any) -> Any:
        finish: Callable[[Any], Any] | None = None
        if self.reference:
            target = self.target
            finish = (
                (lambda v: _merged(target, v)) if self.value_kind == "message" else lambda v: enum_member(target, v)
            )
        return dict(self._entry(chunk, finish) for chunk in raw)

    def _entry(self, buf: bytes, finish: Callable[[Any], Any] | None) -> tuple[Any, Any]:
        key, value = self.key.zero, self.value.zero
        key_tag, value_tag = 1 << 3 | self.key.wire_type, 2 << 3 | self.value.wire_type
        pos, end = 0, len(buf)
        try:
            while pos < end:
                tag, pos = wire.varint32(buf, pos)
                start, pos = pos, wire.skip(buf, pos, tag)
                if tag == key_tag:
                    key = self.key.read(_item(buf, start, pos, tag))
                elif tag == value_tag:
                    item = self.value.read(_item(buf, start, pos, tag))
                    # A message that occurs twice is merged here, too.
                    value = wire.again(value, item) if self.value_kind == "message" and value else item
        except IndexError:
            raise DecodeError(wire.CUT) from None
        except UnicodeDecodeError as cause:
            raise DecodeError(f"text is not UTF-8: {cause}") from None
        return key, value if finish is None else finish(value)

    def admit(self, value: Any) -> Any:
        where = self.where
        if not is_mapping(value):
            raise EncodeError(f"{where} takes a mapping, not {type(value).__name__}")
        take: Callable[[Any], Any] = lambda v: checked(where, self.value_kind, v)  # noqa: E731
        if self.reference:
            target, admit = self.target, _instance if self.value_kind == "message" else _member
            take = lambda v: admit(where, target, v)  # noqa: E731
        return {checked(where, self.key_kind, k): take(v) for k, v in value.items()}


def _merged(target: type[AnyMessage], raw: bytes | list[bytes]) -> AnyMessage:
    """Decode a sub-message from its occurrences. Concatenation merges them, but each must be valid by itself."""
    if isinstance(raw, list):
        for chunk in raw:
            target.parse(chunk)
        raw = b"".join(raw)
    return target.parse(raw)


def _instance(where: str, target: type[Any], value: Any) -> Any:
    if not isinstance(value, target):
        raise EncodeError(f"{where} takes {target.__name__}, not {type(value).__name__}")
    return value


def _member(where: str, target: type[Any], value: Any) -> Any:
    if isinstance(value, target) and value.name:
        return value
    return enum_member(target, checked(where, "enum", value, target.__name__))


def _sequence(where: str, value: Any) -> Iterable[Any]:
    if not is_sequence(value):
        raise EncodeError(f"{where} takes a sequence, not {type(value).__name__}")
    return value


def sub(reference: str) -> Any:
    """Create a sub-message field."""
    return _Sub(reference)


def sub_list(reference: str) -> Any:
    """Create a repeated sub-message field."""
    return _SubList(reference)


def enum_field(reference: str) -> Any:
    """Create an enum field without presence."""
    return _Enum(reference)


def optional_enum(reference: str) -> Any:
    """Create an enum field with presence."""
    return _OptionalEnum(reference)


def enum_list(reference: str) -> Any:
    """Create a repeated enum field."""
    return _EnumList(reference)


def scalar_list() -> Any:
    """Create a repeated field of numbers, text or bytes."""
    return _List()


def map_field(key: str, value: str, reference: str = "") -> Any:
    """Create a map field; `key` and `value` are protobuf types, `reference` the class of message and enum values."""
    return _Map(key, value, reference)


class _Reader(NamedTuple):
    """Reads the key or the value of a map entry; has its default, too."""

    wire_type: int
    read: Callable[[Any], Any]
    zero: Any


def _item(buf: bytes, start: int, end: int, tag: int) -> Any:
    """Return the value after `tag`: a number for a varint, else its bytes."""
    if tag & 7 == 0:
        return wire.varint(buf, start)[0]
    return buf[wire.varint32(buf, start)[1] if tag & 7 == 2 else start : end]


def _same(value: Any) -> Any:
    return value


def _text(chunk: bytes) -> str:
    return str(chunk, "utf-8")


_READERS: Final[dict[str, _Reader]] = {
    "string": _Reader(2, _text, ""),
    "bytes": _Reader(2, _same, b""),
    "message": _Reader(2, _same, b""),
    "bool": _Reader(0, bool, False),
    "int32": _Reader(0, wire.signed32, 0),
    "int64": _Reader(0, wire.signed64, 0),
    "uint32": _Reader(0, wire.low32, 0),
    "uint64": _Reader(0, _same, 0),
    "sint32": _Reader(0, wire.zigzag32, 0),
    "sint64": _Reader(0, wire.zigzag, 0),
    "enum": _Reader(0, wire.signed32, 0),
    "fixed32": _Reader(5, wire.unsigned, 0),
    "fixed64": _Reader(1, wire.unsigned, 0),
    "sfixed32": _Reader(5, wire.signed, 0),
    "sfixed64": _Reader(1, wire.signed, 0),
    "float": _Reader(5, wire.float32, 0.0),
    "double": _Reader(1, wire.double, 0.0),
}


def reading(spec: FieldSpec, field: Any) -> tuple[int, Callable[[Any], Any], Any]:
    """Return a singular field's wire type, the function that decodes its value, and its default."""
    unset = spec.label == "optional"
    if spec.kind == "message":
        return 2, field.decode, None
    reader = _READERS[spec.kind]
    if spec.kind == "enum":
        return 0, field.decode, None if unset else field.absent()
    return reader.wire_type, reader.read, None if unset else reader.zero
