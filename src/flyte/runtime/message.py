"""The base of generated messages and enums. How their fields are kept is told in `fields.py`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from math import isnan
from struct import error as StructError
from typing import Any, ClassVar, Final, NamedTuple, Self, dataclass_transform

import betterproto2

from . import wire
from .fields import Deferred
from .wire import DecodeError, EncodeError, Slots

__all__ = ["DecodeError", "EncodeError", "Enum", "FieldSpec", "Message", "which_one_of"]

_new: Final = object.__new__


class FieldSpec(NamedTuple):
    """One row of a message's field table. `kind` is the protobuf type; of a map, `map<key,value>`."""

    name: str
    number: int
    kind: str
    label: str
    oneof: str
    json_name: str
    proto_name: str


class Enum(betterproto2.Enum):
    """Base of generated enums. Members drop the prefix they share; unknown numbers keep their value and have no name."""

    @classmethod
    def betterproto_value_to_renamed_proto_names(cls) -> dict[int, str]:
        prefix: str = getattr(cls, "__proto_prefix__", "")
        renamed: dict[str, str] = getattr(cls, "__proto_names__", {})
        return {int(member): renamed.get(name, prefix + name) for name, member in cls.__members__.items()}

    @classmethod
    def betterproto_renamed_proto_names_to_value(cls) -> dict[str, int]:
        prefix: str = getattr(cls, "__proto_prefix__", "")
        renamed: dict[str, str] = getattr(cls, "__proto_names__", {})
        return {renamed.get(name, prefix + name): int(member) for name, member in cls.__members__.items()}


class _DataclassFields:
    """`__dataclass_fields__`, made when somebody asks: decorating hundreds of classes at import takes too long."""

    def __get__(self, instance: Any, owner: type[Message]) -> dict[str, Any]:
        from .betterproto import dataclass_fields

        made = dataclass_fields(owner)
        type.__setattr__(owner, "__dataclass_fields__", made)
        return made


@dataclass_transform(kw_only_default=True, eq_default=False)
class Message(betterproto2.Message):
    """Base of generated messages: keyword-only construction, exact codec, exact JSON mapping.

    Raises:
        TypeError: Construction or assignment with a name the message does not have, or a value of the wrong shape.
        ValueError: Construction with two members of one oneof.
    """

    FIELDS: ClassVar[tuple[tuple[str, int, str, str, str, str, str], ...]] = ()
    FULL_NAME: ClassVar[str] = ""
    _unknown_fields = b""

    __dataclass_fields__: ClassVar[Any] = _DataclassFields()

    def __init__(self, /, **values: Any) -> None:
        specs = type(self).specs()
        seen: dict[str, str] = {}
        d = self.__dict__
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
            d[name] = _admit(type(self), name, value)

    @classmethod
    def specs(cls) -> dict[str, FieldSpec]:
        """The field table by Python name."""
        try:
            return cls.__dict__["_specs"]  # type: ignore[no-any-return]
        except KeyError:
            specs = {row[0]: FieldSpec(*row) for row in cls.FIELDS}
            type.__setattr__(cls, "_specs", specs)
            return specs

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_unknown_fields":
            self.__dict__[name] = value
            return
        cls = type(self)
        spec = cls.specs().get(name)
        if spec is None:
            raise AttributeError(_no_field(cls, name))
        d = self.__dict__
        if spec.oneof and value is not None:
            for sibling in cls.specs().values():
                if sibling.oneof == spec.oneof and sibling.name != name:
                    d.pop(sibling.name, None)
                    d.pop("*" + sibling.name, None)
        d.pop("*" + name, None)
        if value is None:
            d.pop(name, None)
        else:
            d[name] = _admit(cls, name, value)

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    @staticmethod
    def _decode(d: Slots, buf: bytes) -> None:
        """Generated: split `buf` into the fields of `d`."""
        pos, end = 0, len(buf)
        while pos < end:
            start = pos
            tag, pos = wire.varint(buf, pos)
            pos = wire.unknown(d, buf, start, tag, pos)

    def _encode(self, d: Slots, out: bytearray) -> None:
        """Generated: append the fields of `d`, by field number."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Decode a message.

        Args:
            data: The encoded message. Sub-messages are decoded when they are first read.

        Raises:
            DecodeError: The data is cut or malformed; also later, on the first read of a malformed sub-message.
        """
        self = _new(cls)
        try:
            cls._decode(self.__dict__, data if type(data) is bytes else bytes(data))
        except IndexError:
            raise DecodeError(f"{cls.__name__}: {wire.CUT}") from None
        except UnicodeDecodeError as cause:
            raise DecodeError(f"{cls.__name__}: text is not UTF-8: {cause}") from None
        except StructError:
            raise DecodeError(f"{cls.__name__}: {wire.CUT}") from None
        return self

    def __bytes__(self) -> bytes:
        out = bytearray()
        d = self.__dict__
        try:
            self._encode(d, out)
        except EncodeError:
            raise
        except (AttributeError, TypeError, ValueError, StructError) as cause:
            raise EncodeError(f"{type(self).__name__} holds a value of the wrong type: {cause}") from cause
        out += d.get("_unknown_fields", b"")
        return bytes(out)

    def load(self, stream: Any, size: int | None = None) -> Any:
        """Merge an encoded message, read from `stream`, into this one."""
        if size == betterproto2.SIZE_DELIMITED:
            size, _ = betterproto2.load_varint(stream)
        merged = type(self).parse(bytes(self) + stream.read(-1 if size is None else size))
        self.__dict__.clear()
        self.__dict__.update(merged.__dict__)
        return self

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, n), getattr(other, n)) for n in type(self).specs())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={value!r}" for name, value in self.set_fields())
        return f"{type(self).__name__}({parts})"

    def __bool__(self) -> bool:
        return any(True for _ in self.set_fields())

    def __copy__(self, _: Any = None) -> Self:
        made = _new(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: Any = None) -> Self:
        return type(self).parse(bytes(self))

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *type(self).specs()]

    def set_fields(self) -> Iterable[tuple[str, Any]]:
        """The fields that are present or differ from their default, with their values."""
        for name, spec in type(self).specs().items():
            value = getattr(self, name)
            if value is not None and (spec.label == "optional" or value or _negative_zero(value)):
                yield name, value

    def is_set(self, name: str) -> bool:
        """Whether a field is present (where presence exists) or differs from its default."""
        if name not in type(self).specs():
            raise AttributeError(_no_field(type(self), name))
        return any(name == present for present, _ in self.set_fields())

    @classmethod
    def _type_hints(cls) -> dict[str, type]:
        from .betterproto import type_hints

        return type_hints(cls)

    def to_dict(
        self,
        *,
        output_format: betterproto2.OutputFormat = betterproto2.OutputFormat.PROTO_JSON,
        casing: betterproto2.Casing = betterproto2.Casing.CAMEL,
        include_default_values: bool = False,
    ) -> Any:
        """The message in the protobuf JSON mapping.

        Args:
            output_format: `PROTO_JSON`, or `PYTHON` for plain Python values instead of their JSON form.
            casing: `CAMEL` (the standard) or `SNAKE` for the names of the .proto file.
            include_default_values: Whether fields at their default are written too.

        Returns:
            A dict, for nearly all messages; well-known types have the form that JSON gives them.
        """
        from .json import to_json_value

        return to_json_value(
            self,
            plain=output_format == betterproto2.OutputFormat.PYTHON,
            snake=casing == betterproto2.Casing.SNAKE,
            defaults=include_default_values,
        )

    @classmethod
    def from_dict(cls, value: Any, *, ignore_unknown_fields: bool = False) -> Self:
        """The message that a value of the protobuf JSON mapping stands for.

        Args:
            value: What `to_dict` gives, or the parsed JSON of another implementation.
            ignore_unknown_fields: Whether names the message does not have are passed over.

        Raises:
            ValueError: A value does not fit its field; the message names the path to it.
        """
        from .json import from_json_value

        return from_json_value(cls, value, ignore_unknown_fields)


def _same(left: Any, right: Any) -> bool:
    if left == right:
        return True
    return isinstance(left, float) and isinstance(right, float) and isnan(left) and isnan(right)


def _negative_zero(value: Any) -> bool:
    return isinstance(value, float) and wire.written(value)


def _admit(cls: type[Message], name: str, value: Any) -> Any:
    field = cls.__dict__.get(name)
    if isinstance(field, Deferred):
        return field.admit(value)
    kind = cls.specs()[name].kind
    if not isinstance(value, _ACCEPTED[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise EncodeError(f"{cls.__name__}.{name} takes {kind}, not {type(value).__name__}")
    return value


_ACCEPTED: Final[dict[str, Any]] = {
    "string": str,
    "bytes": (bytes, bytearray, memoryview),
    "bool": bool,
    "double": (float, int),
    "float": (float, int),
} | dict.fromkeys(
    ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64"), int
)


def _no_field(cls: type[Message], name: str) -> str:
    close = difflib.get_close_matches(name, cls.specs(), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(cls.specs()) or 'no fields'}"
    return f"{cls.__name__} has no field {name!r}{hint}"


def which_one_of(message: Message, oneof: str) -> tuple[str, Any]:
    """The member of a oneof that is set, and its value.

    Args:
        message: Any message.
        oneof: Name of the oneof in the .proto file.

    Returns:
        `(name, value)`, or `("", None)` when none is set.

    Raises:
        AttributeError: The message has no oneof of that name.
    """
    members = [s.name for s in type(message).specs().values() if s.oneof == oneof]
    if not members:
        raise AttributeError(f"{type(message).__name__} has no oneof {oneof!r}")
    d = message.__dict__
    for name in members:
        if name in d or "*" + name in d:
            return name, getattr(message, name)
    return "", None
