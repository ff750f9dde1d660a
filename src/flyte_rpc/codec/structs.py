"""What the messages of JSON values can do: mixins for `Struct`, `ListValue` and `Value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Self

from flyte_rpc.typeguards import is_mapping, is_sequence

from .message import Message
from .wire import EncodeError, not_too_deep

# Type checkers see mixins as the messages that they are mixed into.
if TYPE_CHECKING:
    _Base = Message
else:
    _Base = object


class _JsonMixin(_Base):
    """What the three have in common."""

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
        """The struct of a mapping of JSON values.

        Raises:
            EncodeError: A key is not text, or a value has no JSON form.
        """
        made: Self = _struct(cls, value)
        return made

    def to_python(self) -> dict[str, Any]:
        """The object as a dict; numbers are floats, as the format has no others."""
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
        """The list of JSON values.

        Raises:
            EncodeError: A value has no JSON form.
        """
        made: Self = _list(cls, value)
        return made

    def to_python(self) -> list[Any]:
        """The array as a list."""
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
        """The message of a JSON value.

        Raises:
            EncodeError: The value has no JSON form.
        """
        made: Self = _value(cls, value)
        return made

    def to_python(self) -> Any:
        """The value as None, bool, float, str, dict or list."""
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
    """The Python value of any of the three messages; with `finite`, without the numbers that JSON does not have."""
    if isinstance(message, StructMixin):
        return {k: _plain(v, finite=finite) for k, v in message.fields.items()}
    if isinstance(message, ListValueMixin):
        return [_plain(v, finite=finite) for v in message.values]
    for name, value in message.set_fields():
        if name in ("struct_value", "list_value"):
            return _plain(value, finite=finite)
        if finite and name == "number_value" and not isfinite(value):
            raise EncodeError(f"JSON has no number {value}")
        return None if name == "null_value" else value
    return None
