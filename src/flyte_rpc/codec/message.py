"""The base classes of generated messages and enums. `fields.py` describes how fields are stored."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final, Self, dataclass_transform

import betterproto2

from . import wire
from .fields import Deferred
from .spec import FieldSpec, Row, checked
from .traverse import equal, fault, show
from .wire import DecodeError, EncodeError, Slots, not_too_deep

__all__ = ["DecodeError", "EncodeError", "Enum", "FieldSpec", "Message", "which_one_of"]

_new: Final = object.__new__


class Enum(betterproto2.Enum):
    """Base of generated enums. Members lack the shared prefix. Unknown numbers keep their value and have no name."""

    @property
    def proto_name(self) -> str | None:
        """The member's name in the definitions; None for an unknown number."""
        name: str | None = vars(self).get("_proto_name")
        return name

    @classmethod
    def betterproto_value_to_renamed_proto_names(cls) -> dict[int, str]:
        # If a number has several names, the first one is written.
        return {number: name for name, number in reversed(cls.betterproto_renamed_proto_names_to_value().items())}

    @classmethod
    def betterproto_renamed_proto_names_to_value(cls) -> dict[str, int]:
        prefix: str = getattr(cls, "__proto_prefix__", "")
        renamed: dict[str, str] = getattr(cls, "__proto_names__", {})
        return {renamed.get(name, prefix + name): int(member) for name, member in cls.__members__.items()}


class _DataclassFields:
    """`__dataclass_fields__`, built on first use: decorating hundreds of classes at import takes too long."""

    def __get__(self, instance: Any, owner: type[Message]) -> dict[str, Any]:
        from .betterproto import dataclass_fields

        made = dataclass_fields(owner)
        type.__setattr__(owner, "__dataclass_fields__", made)
        return made


@dataclass_transform(kw_only_default=True, eq_default=False)
class Message(betterproto2.Message):
    """Base of generated messages: keyword-only construction, exact codec, exact JSON mapping.

    Raises:
        TypeError: Construction with a name the message does not have, or with a value of the wrong type (which is an
            `EncodeError` and so a ValueError too).
        ValueError: Construction with two members of one oneof, or with a number out of range.
    """

    FIELDS: ClassVar[tuple[Row, ...]] = ()
    FULL_NAME: ClassVar[str] = ""
    _unknown_fields = b""

    __dataclass_fields__: ClassVar[Any] = _DataclassFields()

    def __init__(self, /, **values: Any) -> None:
        specs = type(self).specs()
        seen: dict[str, str] = {}
        d = vars(self)
        for name, value in values.items():
            spec = specs.get(name)
            if spec is None:
                raise TypeError(_no_field(type(self), name))
            if value is None:
                continue
            if spec.oneof and seen.setdefault(spec.oneof, name) != name:
                raise ValueError(
                    f"{type(self).__name__} takes only one of {seen[spec.oneof]} and {name} (oneof {spec.oneof})"
                )
            d[name] = _admit(type(self), spec, value)

    @classmethod
    def specs(cls) -> dict[str, FieldSpec]:
        """The field table by Python name."""
        specs: dict[str, FieldSpec] | None = cls.__dict__.get("_specs")
        if specs is None:
            specs = {row[0]: FieldSpec.of(row) for row in cls.FIELDS}
            type.__setattr__(cls, "_specs", specs)
        return specs

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_unknown_fields":
            vars(self)[name] = bytes(value)
            return
        cls = type(self)
        spec = cls.specs().get(name)
        if spec is None:
            raise AttributeError(_no_field(cls, name))
        d = vars(self)
        admitted = None if value is None else _admit(cls, spec, value)
        cleared = [name]
        if spec.oneof and admitted is not None:
            cleared = [s.name for s in cls.specs().values() if s.oneof == spec.oneof]
        for field in cleared:
            d.pop(field, None)
            d.pop("*" + field, None)
        if admitted is not None:
            d[name] = admitted

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    @staticmethod
    def _decode(d: Slots, buf: bytes) -> None:
        """Generated: split `buf` into the fields of `d`."""
        pos, end = 0, len(buf)
        while pos < end:
            pos = wire.unknown(d, buf, pos)

    def _encode(self, d: Slots, out: bytearray) -> None:
        """Generated: append the fields of `d`, by field number."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Decode a message.

        Args:
            data: The encoded message. Sub-messages are decoded when they are first read.

        Raises:
            DecodeError: The data is truncated or malformed. A malformed sub-message raises on its first read.
        """
        self = _new(cls)
        d = vars(self)
        try:
            cls._decode(d, data if type(data) is bytes else bytes(memoryview(data)))
        except (IndexError, ValueError) as cause:
            raise DecodeError(f"{cls.__name__}: {wire.reason(cause)}") from None
        return self

    @not_too_deep(EncodeError)
    def __bytes__(self) -> bytes:
        try:
            return bytes(self._encoded())
        except (AttributeError, TypeError, ValueError) as cause:
            raise EncodeError(fault(self) or f"{type(self).__name__}: {cause}") from cause

    def _encoded(self) -> bytes | bytearray:
        out = bytearray()
        d = vars(self)
        self._encode(d, out)
        if "_unknown_fields" in d:
            out += d["_unknown_fields"]
        return out

    def load(self, stream: Any, size: int | None = None) -> Any:
        """Merge an encoded message, read from `stream`, into this one.

        Args:
            stream: A binary file.
            size: Number of bytes to read; None for all, `betterproto2.SIZE_DELIMITED` for a length prefix.

        Raises:
            DecodeError: The data is truncated or malformed.
        """
        if size == betterproto2.SIZE_DELIMITED:
            size = _length(stream)
        data = stream.read(-1 if size is None else size)
        if size is not None and len(data) != size:
            raise DecodeError(f"{type(self).__name__}: {wire.CUT}")
        type(self).parse(data)
        merged = type(self).parse(bytes(self) + data)
        vars(self).clear()
        vars(self).update(vars(merged))
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message) or type(self) is not type(other):
            return NotImplemented
        return equal(self, other)

    __hash__ = None  # type: ignore[assignment]  # messages change, as lists do

    def __repr__(self) -> str:
        return show(self)

    def __bool__(self) -> bool:
        for name, value in list(vars(self).items()):  # a copy: another thread may decode a field
            if value and name != "_unknown_fields":
                return True
        return any(True for _ in self.present())

    def __copy__(self, _: Any = None) -> Self:
        # Messages own their lists and maps, so these are copied; sub-messages are shared, as in any shallow copy.
        made = _new(type(self))
        vars(made).update({k: v.copy() if isinstance(v, (list, dict)) else v for k, v in vars(self).copy().items()})
        return made

    def __deepcopy__(self, memo: Any = None) -> Self:
        return type(self).parse(bytes(self))

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *type(self).specs()]

    def present(self) -> Iterator[str]:
        """Return the names of fields that are present or differ from their default. Nothing is decoded."""
        d = vars(self)
        for name, spec in type(self).specs().items():
            value = d.get(name, d.get("*" + name))
            if value is not None and (spec.label == "optional" or value or _negative_zero(value)):
                yield name

    def set_fields(self) -> Iterable[tuple[str, Any]]:
        """Return the fields that are present or differ from their default, with their values."""
        return ((name, getattr(self, name)) for name in self.present())

    def is_set(self, name: str) -> bool:
        """Whether a field is present (if it has presence) or differs from its default."""
        if name not in type(self).specs():
            raise AttributeError(_no_field(type(self), name))
        return name in self.present()

    @classmethod
    def _type_hints(cls) -> dict[str, type]:
        from .betterproto import type_hints

        return type_hints(cls)

    @not_too_deep(EncodeError)
    def to_dict(
        self,
        *,
        output_format: betterproto2.OutputFormat = betterproto2.OutputFormat.PROTO_JSON,
        casing: betterproto2.Casing = betterproto2.Casing.CAMEL,
        include_default_values: bool = False,
    ) -> Any:
        """Convert the message to the protobuf JSON mapping.

        Args:
            output_format: `PROTO_JSON`, or `PYTHON` for plain Python values instead of their JSON form.
            casing: `CAMEL` (the standard) or `SNAKE` for the names of the .proto file.
            include_default_values: Whether to include fields with default values.

        Returns:
            A dict; for well-known types, their JSON form.

        Raises:
            EncodeError: A value has no JSON form, such as a timestamp in the year 10000.
        """
        from .json import to_json_value

        try:
            return to_json_value(
                self,
                plain=output_format == betterproto2.OutputFormat.PYTHON,
                snake=casing == betterproto2.Casing.SNAKE,
                defaults=include_default_values,
            )
        except (AttributeError, TypeError) as cause:
            if isinstance(cause, EncodeError):
                raise
            raise EncodeError(fault(self) or f"{type(self).__name__}: {cause}") from cause

    @classmethod
    @not_too_deep(DecodeError)
    def from_dict(cls, value: Any, *, ignore_unknown_fields: bool = False) -> Self:
        """Create a message from a value in the protobuf JSON mapping.

        Args:
            value: The output of `to_dict`, or parsed JSON of another implementation.
            ignore_unknown_fields: Whether to ignore unknown names.

        Raises:
            ValueError: A value does not fit its field. The error names its path.
        """
        from .json import from_json_value

        return from_json_value(cls, value, ignore_unknown_fields)

    @classmethod
    @not_too_deep(DecodeError)
    def from_json(cls, value: str | bytes, *, ignore_unknown_fields: bool = False) -> Self:
        """Create a message from JSON text in the protobuf JSON mapping; see `from_dict`."""
        return cls.from_dict(json.loads(value), ignore_unknown_fields=ignore_unknown_fields)


def _length(stream: Any) -> int:
    prefix = b""
    while not prefix or (prefix[-1] > 127 and len(prefix) < 5):
        byte: bytes = stream.read(1)
        if not byte:
            raise DecodeError(wire.CUT)
        prefix += byte
    return wire.varint32(prefix, 0)[0]


def _negative_zero(value: Any) -> bool:
    return isinstance(value, float) and wire.written(value)


def _admit(cls: type[Message], spec: FieldSpec, value: Any) -> Any:
    field = getattr(cls, spec.name)
    if isinstance(field, Deferred):
        return field.admit(value)
    return checked(f"{cls.__name__}.{spec.name}", spec.kind, value)


def _no_field(cls: type[Message], name: str) -> str:
    close = difflib.get_close_matches(name, cls.specs(), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(cls.specs()) or 'no fields'}"
    return f"{cls.__name__} has no field {name!r}{hint}"


def which_one_of(message: Message, oneof: str) -> tuple[str, Any]:
    """Return the member of a oneof that is set, and its value.

    Args:
        message: Any message.
        oneof: Name of the oneof in the .proto file.

    Returns:
        `(name, value)`, or `("", None)` if none is set.

    Raises:
        AttributeError: The message has no oneof of that name.
    """
    members = [s.name for s in type(message).specs().values() if s.oneof == oneof]
    if not members:
        raise AttributeError(f"{type(message).__name__} has no oneof {oneof!r}")
    d = vars(message)
    return next(((name, getattr(message, name)) for name in members if name in d or "*" + name in d), ("", None))
