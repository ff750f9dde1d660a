"""The field tables of generated messages, and what values the scalar types take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index
from typing import Any, Final, NamedTuple, Protocol, Self

from .wire import EncodeError, float32, put_float

Row = tuple[str, int, str, *tuple[str, ...]]
"""A row of a field table as generated code writes it: a `FieldSpec` without the defaults at its end."""


class FieldSpec(NamedTuple):
    """One field of a message. `kind` is the protobuf type; of a map, `map<key,value>`."""

    name: str
    number: int
    kind: str
    label: str = "implicit"
    oneof: str = ""
    proto_name: str = ""
    json_name: str = ""

    @classmethod
    def of(cls, row: Row) -> FieldSpec:
        """The spec of a row, with the names that follow from others filled in."""
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
    """The name that a field has in JSON unless the definitions say otherwise."""
    head, *rest = field.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def checked(where: str, kind: str, value: Any, called: str = "") -> Any:
    """A value for a scalar field, in the type that the field keeps.

    Raises:
        EncodeError: The value is of another type, or out of range. It names the field as `where`, and what the field
            takes as `called`, or else its kind; not the value, which may be a secret.
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
    return bytes(value)  # pyright: ignore[reportUnknownArgumentType]  # a memoryview has a parameter that does not matter


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _float(value: Any) -> float:
    if isinstance(value, (bool, str, bytes, bytearray)):
        raise TypeError
    return float(value)


def _float32(value: Any) -> float:
    # Rounded at once, so that a message equals what its encoding decodes to.
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
    """What the parts of the codec use of a message class, which is built on them."""

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
        """Names of the fields that are set."""
        ...
