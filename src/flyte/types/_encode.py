"""Python values as Flyte literals: strict, so that a mistake shows here and not in a container an hour later."""

import dataclasses
import datetime as dt
import enum
import math
from collections.abc import Callable, Mapping
from typing import Any

from flyte.runtime.message import which_one_of
from flyte_api.messages.flyteidl2.core.literals import (
    Binary,
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
    Union,
    Void,
)
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_api.messages.google.protobuf.timestamp import Timestamp

from ._describe import BYTES_TAG, DATE_TAG, describe, tag_of
from ._guards import is_list, is_list_or_tuple, is_mapping

# Parsers of protobuf stop at 100 nested messages, and one level of a value takes up to three of them.
_DEEPEST = 30
_INT64 = range(-(2**63), 2**63)
# Beyond it, not every integer has a double of its own.
_EXACT_IN_DOUBLE = 2**53
_LONGEST = dt.timedelta(days=3652500)


class Refused(Exception):
    """A value that does not fit: why, and where inside the value."""

    def __init__(self, reason: str, *, fits_type: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fits_type = fits_type
        self.path = ""

    def inside(self, step: str) -> "Refused":
        self.path = step + self.path
        return self


def to_literal(value: Any, literal_type: LiteralType, *, name: str) -> Literal:
    """The literal of a Python value.

    An `int` is taken for a float where that loses nothing; no other value is converted. A `Literal`, such as an output of
    another run, is passed on as it is.

    Args:
        value: The value.
        literal_type: The type it must have.
        name: What to call it in errors, usually the name of an input.

    Raises:
        TypeError: The value is of another type.
        ValueError: It is of the right type but cannot be written: an integer beyond 64 bits, a datetime without time
            zone, text that is not Unicode.
    """
    try:
        return _encode(value, literal_type, exact=False)
    except Refused as refused:
        error = ValueError if refused.fits_type else TypeError
        raise error(f"{name}{refused.path}: {refused.reason}") from None


def _encode(value: Any, literal_type: LiteralType, *, exact: bool) -> Literal:
    if isinstance(value, Literal):
        return value
    kind, inner = which_one_of(literal_type, "type")
    match kind:
        case "simple" if inner in _SIMPLE:
            return Literal(scalar=_SIMPLE[inner](value, literal_type, exact))
        case "collection_type" if is_list(value):
            items = [_step(f"[{i}]", item, inner, exact=exact) for i, item in enumerate(value)]
            return Literal(collection=LiteralCollection(literals=items))
        case "map_value_type" if is_mapping(value):
            entries = {_key(key): _step(f"[{key!r}]", item, inner, exact=exact) for key, item in value.items()}
            return Literal(map=LiteralMap(literals=entries))
        case "enum_type":
            return Literal(scalar=Scalar(primitive=Primitive(string_value=_enum(value, literal_type, exact))))
        case "union_type":
            return _union(value, literal_type, inner.variants)
        case _:
            raise _mismatch(value, literal_type)


def _step(step: str, value: Any, literal_type: LiteralType, *, exact: bool) -> Literal:
    try:
        return _encode(value, literal_type, exact=exact)
    except Refused as refused:
        raise refused.inside(step) from None


def _mismatch(value: Any, literal_type: LiteralType) -> Refused:
    given = type(value).__name__ if value is not None else "None"
    hint = ""
    if isinstance(value, tuple) and which_one_of(literal_type, "type")[0] == "collection_type":
        hint = "; write list(...) around it"
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime) and describe(literal_type) == "datetime":
        hint = "; say which moment of the day, in which time zone"
    elif which_one_of(literal_type, "type")[0] in ("blob", "schema", "structured_dataset_type", ""):
        hint = "; give the literal of another run's output"
    return Refused(f"expected {describe(literal_type)}, got {given}{hint}")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Refused(f"expected keys that are str, got {type(key).__name__}")
    return _text(key)


def _text(value: str) -> str:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("the text holds half of a surrogate pair, which UTF-8 cannot express", fits_type=True) from None
    return text


def _integer(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(value, literal_type)
    if value not in _INT64:
        raise Refused(f"an int must fit into 64 bits, this one takes {value.bit_length() + 1}", fits_type=True)
    return Scalar(primitive=Primitive(integer=int(value)))


def _float(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if isinstance(value, int) and not isinstance(value, bool) and not exact:
        if abs(value) > _EXACT_IN_DOUBLE:
            raise Refused("this int has no exact float; convert it with float() to round it", fits_type=True)
        return Scalar(primitive=Primitive(float_value=float(value)))
    if not isinstance(value, float):
        raise _mismatch(value, literal_type)
    return Scalar(primitive=Primitive(float_value=float(value)))


def _string(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, str):
        raise _mismatch(value, literal_type)
    return Scalar(primitive=Primitive(string_value=_text(value)))


def _boolean(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, bool):
        raise _mismatch(value, literal_type)
    return Scalar(primitive=Primitive(boolean=value))


def _datetime(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if tag_of(literal_type) == DATE_TAG:
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise _mismatch(value, literal_type)
        value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if not isinstance(value, dt.datetime):
        raise _mismatch(value, literal_type)
    if value.utcoffset() is None:
        raise Refused("the datetime has no time zone; add one, such as tzinfo=datetime.UTC", fits_type=True)
    try:
        moment = value.astimezone(dt.UTC)
    except OverflowError:
        raise Refused("the datetime is outside the years 1 to 9999 in UTC", fits_type=True) from None
    return Scalar(primitive=Primitive(datetime=Timestamp.of(moment)))


def _duration(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, dt.timedelta):
        raise _mismatch(value, literal_type)
    if abs(value) > _LONGEST:
        raise Refused("a timedelta must be within 10,000 years", fits_type=True)
    return Scalar(primitive=Primitive(duration=Duration.of(value)))


def _none(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if value is not None:
        raise _mismatch(value, literal_type)
    return Scalar(none_type=Void())


def _binary(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if tag_of(literal_type) != BYTES_TAG:
        raise Refused("the task expects a pickled object, which is not written here; give the literal of another run's")
    if not isinstance(value, (bytes, bytearray)):
        raise _mismatch(value, literal_type)
    return Scalar(binary=Binary(value=bytes(value), tag=BYTES_TAG))


def _struct(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, Mapping) and (not dataclasses.is_dataclass(value) or isinstance(value, type)):
        raise _mismatch(value, literal_type)
    return Scalar(generic=Struct.of(_json(value, ())))


_SIMPLE: Mapping[int, Callable[[Any, LiteralType, bool], Scalar]] = {
    SimpleType.INTEGER: _integer,
    SimpleType.FLOAT: _float,
    SimpleType.STRING: _string,
    SimpleType.BOOLEAN: _boolean,
    SimpleType.DATETIME: _datetime,
    SimpleType.DURATION: _duration,
    SimpleType.NONE: _none,
    SimpleType.BINARY: _binary,
    SimpleType.STRUCT: _struct,
}


def _json(value: Any, around: tuple[int, ...]) -> Any:
    """A value of plain JSON, made of mappings, dataclasses, lists and scalars; `around` are the ids it stands in."""
    match value:
        case None | bool():
            return value
        case int():
            if abs(value) > _EXACT_IN_DOUBLE:
                raise Refused("an int inside a dict must be within 2**53, as JSON numbers are", fits_type=True)
            return int(value)
        case float():
            if not math.isfinite(value):
                raise Refused("a float inside a dict must be finite, as JSON numbers are", fits_type=True)
            return float(value)
        case str():
            return _text(value)
        case _:
            pass
    if id(value) in around:
        raise Refused(f"this {type(value).__name__} contains itself", fits_type=True)
    if len(around) >= _DEEPEST:
        raise Refused(f"values may be nested {_DEEPEST} levels deep", fits_type=True)
    within = (*around, id(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _json_step(f".{f.name}", getattr(value, f.name), within) for f in dataclasses.fields(value)}
    if is_mapping(value):
        return {_key(key): _json_step(f"[{key!r}]", item, within) for key, item in value.items()}
    if is_list_or_tuple(value):
        return [_json_step(f"[{i}]", item, within) for i, item in enumerate(value)]
    raise Refused(f"a dict may hold JSON values, dataclasses and dicts of them; {type(value).__name__} is none")


def _json_step(step: str, value: Any, around: tuple[int, ...]) -> Any:
    try:
        return _json(value, around)
    except Refused as refused:
        raise refused.inside(step) from None


def _enum(value: Any, literal_type: LiteralType, exact: bool) -> str:
    """The wire string of an enum member, of ours or the caller's: its name, or else its value."""
    allowed = literal_type.enum_type.values if literal_type.enum_type is not None else []
    if isinstance(value, enum.Enum):
        for candidate in (value.name, value.value):
            if isinstance(candidate, str) and candidate in allowed:
                return str.__str__(candidate)
        raise Refused(f"expected {describe(literal_type)}, got {type(value).__name__}.{value.name}")
    if isinstance(value, str) and not exact:
        if value in allowed:
            return value
        raise Refused(f"expected {describe(literal_type)}, got {value[:40]!r}")
    raise _mismatch(value, literal_type)


def _union(value: Any, literal_type: LiteralType, variants: list[LiteralType]) -> Literal:
    """The first variant that takes the value as it is, else the first that takes it converted."""
    telling: Refused | None = None
    for exact in (True, False):
        for variant in variants:
            try:
                literal = _encode(value, variant, exact=exact)
            except Refused as refused:
                if telling is None and (refused.path or refused.fits_type):
                    telling = refused
            else:
                return Literal(scalar=Scalar(union=Union(value=literal, type=variant)))
    raise telling or _mismatch(value, literal_type)
