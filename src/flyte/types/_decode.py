"""Flyte literals as Python values. Nothing is downloaded and nothing is unpickled."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from flyte.runtime.message import which_one_of
from flyte.runtime.wire import DecodeError
from flyte_api.messages.flyteidl2.core.literals import Binary, Literal, Scalar, Union
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType

from ._describe import BYTES_TAG, DATE_TAG, MSGPACK_TAG, tag_of
from ._guards import is_dict, is_list
from ._guess import enum_class
from ._msgpack import unpack

_DEEPEST = 100
_EXACT_IN_DOUBLE = 2**53


class Unreadable(Exception):
    """A literal without a Python form; the text says why."""


def from_literal(literal: Literal, literal_type: LiteralType | None = None) -> Any:
    """The Python value of a literal; the literal itself when it has none (see `unsupported_reason`).

    Args:
        literal: The value.
        literal_type: Its declared type, which tells dates from times, enum members from text and whole floats from
            integers. Without it the literal speaks for itself.
    """
    try:
        return decode(literal, literal_type)
    except Unreadable:
        return literal


def unsupported_reason(literal: Literal, literal_type: LiteralType | None = None) -> str | None:
    """Why `from_literal` gives back the literal itself; None when it gives a Python value."""
    try:
        decode(literal, literal_type)
    except Unreadable as reason:
        return str(reason)
    return None


def decode(literal: Literal, literal_type: LiteralType | None, depth: int = 0) -> Any:
    """The Python value of a literal.

    Raises:
        Unreadable: It, or a part of it, has none.
    """
    if depth > _DEEPEST:
        raise Unreadable("it is nested too deep")
    try:
        kind, inner = which_one_of(literal, "value")
        match kind:
            case "scalar":
                return _scalar(inner, literal_type, depth)
            case "collection":
                item_type = literal_type.collection_type if literal_type is not None else None
                return [decode(item, item_type, depth + 1) for item in inner.literals]
            case "map":
                value_type = literal_type.map_value_type if literal_type is not None else None
                return {key: decode(item, value_type, depth + 1) for key, item in inner.literals.items()}
            case "offloaded_metadata":
                raise Unreadable(f"it is stored at {inner.uri}, {inner.size_bytes} bytes; it is not downloaded")
            case _:
                raise Unreadable("it is empty")
    except DecodeError as error:
        raise Unreadable(f"it is damaged: {error}") from None


def _scalar(scalar: Scalar, literal_type: LiteralType | None, depth: int) -> Any:
    kind, inner = which_one_of(scalar, "value")
    match kind:
        case "primitive":
            member, value = which_one_of(inner, "value")
            return _primitive(member, value, literal_type)
        case "none_type":
            return None
        case "generic":
            return {key: _whole(value) for key, value in inner.to_python().items()}
        case "binary":
            return _binary(inner)
        case "union":
            return _union(inner, depth)
        case "blob":
            raise Unreadable(f"it is a file or directory at {inner.uri}; it is not downloaded")
        case "structured_dataset":
            raise Unreadable(f"it is a data frame at {inner.uri}; it is not downloaded")
        case "schema":
            raise Unreadable(f"it is a table at {inner.uri}; it is not downloaded")
        case "error":
            raise Unreadable(f"it is an error: {inner.message}")
        case _:
            raise Unreadable("it is empty")


def _union(union: Union, depth: int) -> Any:
    if union.value is None:
        raise Unreadable("it is empty")
    return decode(union.value, union.type, depth + 1)


def _primitive(member: str, value: Any, literal_type: LiteralType | None) -> Any:
    if not member:
        raise Unreadable("it is empty")
    read = _READ.get(member)
    found = read(value) if read is not None else value
    if literal_type is None:
        return found
    kind, inner = which_one_of(literal_type, "type")
    if kind == "enum_type" and isinstance(found, str):
        if found not in inner.values:
            raise Unreadable(f"{found!r} is not among the values of its enum")
        return enum_class(tuple(inner.values))(found)
    if kind == "simple":
        # A web form has one kind of number.
        if inner == SimpleType.INTEGER and isinstance(found, float) and found.is_integer():
            return int(found)
        if inner == SimpleType.FLOAT and isinstance(found, int) and not isinstance(found, bool):
            return float(found)
        if inner == SimpleType.DATETIME and isinstance(found, dt.datetime) and tag_of(literal_type) == DATE_TAG:
            return found.date()
    return found


def _moment(value: Any) -> dt.datetime:
    try:
        moment: dt.datetime = value.to_datetime()
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return moment


def _span(value: Any) -> dt.timedelta:
    try:
        span: dt.timedelta = value.to_timedelta()
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return span


_READ: Mapping[str, Callable[[Any], Any]] = {"datetime": _moment, "duration": _span}


def _binary(binary: Binary) -> Any:
    if binary.tag == BYTES_TAG:
        return bytes(binary.value)
    if binary.tag != MSGPACK_TAG:
        raise Unreadable("it is pickled; loading it could run any code, so it is not loaded")
    try:
        return unpack(bytes(binary.value))
    except ValueError as error:
        raise Unreadable(f"it is not readable MessagePack: {error}") from None


def _whole(value: Any) -> Any:
    """A JSON value with whole numbers as `int`, as they went in: the wire form knows floats only."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_IN_DOUBLE:
        return int(value)
    if is_list(value):
        return [_whole(item) for item in value]
    if is_dict(value):
        return {key: _whole(item) for key, item in value.items()}
    return value
