"""Mixins for the messages of JSON values: `Struct`, `ListValue` and `Value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Self

from flyte_rpc.typeguards import is_mapping, is_sequence

from .message import Message
from .wire import EncodeError, not_too_deep

# For type checkers, mixins derive from the message class.
if TYPE_CHECKING:
    _Base = Message
else:
    _Base = object


class _JsonMixin(_Base):
    """The common base of the three mixins."""

    @not_too_deep(EncodeError)
    def _to_plain(self) -> Any:
        return _plain(self, finite=False)

    @not_too_deep(EncodeError)
    def _to_json(self) -> Any:
        return _plain(self, finite=True)


class StructMixin(_JsonMixin):
    """A JSON object."""

    fields: dict[str, Any]

    @classmethod
    @not_too_deep(EncodeError)
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Create a struct from a mapping of JSON values.

        Raises:
            EncodeError: A key is not text, or a value has no JSON form.
        """
        made: Self = _struct(cls, value)
        return made

    def to_python(self) -> dict[str, Any]:
        """Convert to a dict. All numbers are floats, because the format has no integers."""
        made: dict[str, Any] = self._to_plain()
        return made

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls.of(value)


class ListValueMixin(_JsonMixin):
    """A JSON array."""

    values: list[Any]

    @classmethod
    @not_too_deep(EncodeError)
    def of(cls, value: Iterable[Any]) -> Self:
        """Create a list from JSON values.

        Raises:
            EncodeError: A value has no JSON form.
        """
        made: Self = _list(cls, value)
        return made

    def to_python(self) -> list[Any]:
        """Convert to a list."""
        made: list[Any] = self._to_plain()
        return made

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls.of(value)


class ValueMixin(_JsonMixin):
    """Any JSON value."""

    @classmethod
    @not_too_deep(EncodeError)
    def of(cls, value: Any) -> Self:
        """Create a message from a JSON value.

        Raises:
            EncodeError: The value has no JSON form.
        """
        made: Self = _value(cls, value)
        return made

    def to_python(self) -> Any:
        """Convert to None, bool, float, str, dict or list."""
        return self._to_plain()

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls.of(value)


def _struct(cls: Any, value: Any) -> Any:
    if not is_mapping(value):
        raise EncodeError(f"{cls.__name__} takes a mapping, not {type(value).__name__}")
    kind = cls.fields.target
    return cls(fields={k: _value(kind, v) for k, v in value.items()})


def _list(cls: Any, value: Any) -> Any:
    if not is_sequence(value):
        raise EncodeError(f"{cls.__name__} takes a sequence, not {type(value).__name__}")
    kind = cls.values.target
    return cls(values=[_value(kind, item) for item in value])


def _value(cls: Any, value: Any) -> Any:
    match value:
        case None:
            return cls(null_value=0)
        case bool():
            return cls(bool_value=value)
        case int() | float():
            return cls(number_value=value)
        case str():
            return cls(string_value=value)
        case Mapping():
            return cls(struct_value=_struct(cls.struct_value.target, value))
        case list() | tuple():
            return cls(list_value=_list(cls.list_value.target, value))
        case _:
            raise EncodeError(f"{type(value).__name__} is not a JSON value")


def _plain(message: Any, *, finite: bool) -> Any:
    """Convert any of the three messages to a Python value; `finite` refuses numbers that JSON lacks."""
    if isinstance(message, StructMixin):
        return {k: _plain(v, finite=finite) for k, v in message.fields.items()}
    if isinstance(message, ListValueMixin):
        return [_plain(v, finite=finite) for v in message.values]
    for name, value in message.set_fields():
        if name in ("struct_value", "list_value"):
            return _plain(value, finite=finite)
        if finite and name == "number_value" and not isfinite(value):
            raise EncodeError(f"JSON cannot express the number {value}")
        return None if name == "null_value" else value
    return None
