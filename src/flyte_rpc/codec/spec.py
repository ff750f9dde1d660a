"""The field tables of generated messages, and the valid values of scalar types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index
from typing import Any, Final, NamedTuple, Protocol, Self

from .wire import EncodeError, float32, put_float

Row = tuple[str, int, str, *tuple[str, ...]]
"""A row of a field table in generated code: a `FieldSpec` without trailing defaults."""


class FieldSpec(NamedTuple):
    """One field of a message. `kind` is the protobuf type; for a map, `map<key,value>`."""

    name: str
    number: int
    kind: str
    label: str = "implicit"
    oneof: str = ""
    proto_name: str = ""
    json_name: str = ""

    @classmethod
    def of(cls, row: Row) -> FieldSpec:
        """Create the spec of a row, and fill in derived names."""
        name, number, kind, *rest = row
        spec = cls(name, number, kind, *rest)
        proto_name = spec.proto_name or spec.name
        return spec._replace(proto_name=proto_name, json_name=spec.json_name or json_name(proto_name))

    @property
    def map_kinds(self) -> tuple[str, str]:
        """The kinds of a map's keys and values."""
        key, _, value = self.kind[4:-1].partition(",")
        return key, value


def json_name(field: str) -> str:
    """Return the default JSON name of a field."""
    head, *rest = field.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def checked(where: str, kind: str, value: Any, called: str = "") -> Any:
    """Convert a value to the stored type of a scalar field.

    Raises:
        EncodeError: The value has another type, or is out of range. The message has `where`, the field's name, and
            `called`, the accepted values (default: the kind), but not the value, which may be a secret.
    """
    try:
        return _TAKE[kind](value)
    except TypeError:
        raise EncodeError(f"{where} takes {called or kind}, not {type(value).__name__}") from None
    except (ValueError, OverflowError) as cause:
        raise EncodeError(f"{where} takes {called or kind}: {cause}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if not value.isascii():
        value.encode()  # refuses surrogates
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError
    return bytes(value)  # pyright: ignore[reportUnknownArgumentType]  # the type parameter of memoryview does not matter


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _float(value: Any) -> float:
    if isinstance(value, (bool, str, bytes, bytearray)):
        raise TypeError
    return float(value)


def _float32(value: Any) -> float:
    # Rounded at once, so that a message equals its decoded encoding.
    return float32(put_float(_float(value)))


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def take(value: Any) -> int:
        if isinstance(value, bool):
            raise TypeError
        number = index(value)
        if not low <= number <= high:
            raise ValueError(f"{number} is not between {low} and {high}")
        return number

    return take


_SIGNED_32: Final = _integer(-(1 << 31), (1 << 31) - 1)
_SIGNED_64: Final = _integer(-(1 << 63), (1 << 63) - 1)
_UNSIGNED_32: Final = _integer(0, (1 << 32) - 1)
_UNSIGNED_64: Final = _integer(0, (1 << 64) - 1)

_TAKE: Final[dict[str, Callable[[Any], Any]]] = {
    "string": _text,
    "bytes": _bytes,
    "bool": _bool,
    "double": _float,
    "float": _float32,
    "enum": _SIGNED_32,
    "int32": _SIGNED_32,
    "sint32": _SIGNED_32,
    "sfixed32": _SIGNED_32,
    "int64": _SIGNED_64,
    "sint64": _SIGNED_64,
    "sfixed64": _SIGNED_64,
    "uint32": _UNSIGNED_32,
    "fixed32": _UNSIGNED_32,
    "uint64": _UNSIGNED_64,
    "fixed64": _UNSIGNED_64,
}


class AnyMessage(Protocol):
    """The part of a message class that the codec uses."""

    def __init__(self, /, *args: Any, **values: Any) -> None: ...

    @classmethod
    def specs(cls) -> dict[str, FieldSpec]:
        """The field table by Python name."""
        ...

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Decode a message."""
        ...

    def present(self) -> Iterator[str]:
        """Return the names of the fields that are set."""
        ...
