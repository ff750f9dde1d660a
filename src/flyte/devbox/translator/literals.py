"""JSON values as literals of a type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from typing import Any

from flyte_api.messages.flyteidl2.core.literals import (
    Blob,
    BlobMetadata,
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
    StructuredDataset,
    StructuredDatasetMetadata,
    Union,
    Void,
)
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    TypeStructure,
)
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_rpc.typeguards import is_list, is_mapping

from .errors import TranslationError
from .schemas import dimensionality, null_variant
from .times import parse_duration, parse_time

_INT64 = 1 << 63
_LONGEST = 315_576_000_000
"""Seconds that a Duration can have."""


def literal_of(value: Any, kind: LiteralType) -> Literal:
    """Return the literal of a JSON value.

    Raises:
        TranslationError: The value is not one of the type.
    """
    if _is_null(value):
        return _null(kind)
    if kind.simple is not None:
        return _simple(value, kind.simple)
    if kind.collection_type is not None:
        if not is_list(value):
            raise _mismatch("a list", value)
        item_type = kind.collection_type
        return Literal(collection=LiteralCollection(literals=[literal_of(item, item_type) for item in value]))
    if kind.map_value_type is not None:
        value_type = kind.map_value_type
        return Literal(map=LiteralMap(literals={k: literal_of(v, value_type) for k, v in _object(value).items()}))
    if kind.enum_type is not None:
        if value not in (*kind.enum_type.values,):
            raise TranslationError(f"{value!r} is not one of {', '.join(map(repr, kind.enum_type.values))}")
        return Literal(scalar=Scalar(primitive=Primitive(string_value=value)))
    if kind.blob is not None:
        return _blob(_object(value))
    if kind.structured_dataset_type is not None:
        return _structured_dataset(_object(value))
    if kind.union_type is not None:
        return _union(value, kind.union_type.variants)
    raise TranslationError("the type is deprecated or of an unknown kind")


def none_of(variant: LiteralType) -> Literal:
    """Return None as a literal of a union with this variant for null."""
    return _in_union(Literal(scalar=Scalar(none_type=Void())), LiteralType(simple=SimpleType.NONE), variant)


def _is_null(value: Any) -> bool:
    return value is None or (is_mapping(value) and value.get("type") == "null")


def _null(kind: LiteralType) -> Literal:
    variant = null_variant(kind)
    if variant is None:
        raise TranslationError("null is not allowed, because the input is not optional")
    return none_of(variant)


def _simple(value: Any, simple: SimpleType) -> Literal:
    match simple:
        case SimpleType.STRING:
            if not isinstance(value, str):
                raise _mismatch("text", value)
            primitive = Primitive(string_value=value)
        case SimpleType.INTEGER:
            primitive = Primitive(integer=_integer(value))
        case SimpleType.FLOAT:
            primitive = Primitive(float_value=_number(value))
        case SimpleType.BOOLEAN:
            if not isinstance(value, bool):
                raise _mismatch("a boolean", value)
            primitive = Primitive(boolean=value)
        case SimpleType.DATETIME:
            if not isinstance(value, str):
                raise _mismatch("a time in RFC 3339", value)
            primitive = Primitive(datetime=parse_time(value))
        case SimpleType.DURATION:
            primitive = Primitive(duration=_duration(value))
        case SimpleType.NONE:
            return Literal(scalar=Scalar(none_type=Void()))
        case SimpleType.STRUCT:
            return Literal(scalar=Scalar(generic=Struct.of(_object(value))))
        case _:
            raise TranslationError(f"values of the type {simple.name} have no JSON form")
    return Literal(scalar=Scalar(primitive=primitive))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _mismatch("a number", value)
    return float(value)


def _integer(value: Any) -> int:
    number = _number(value)
    if not math.isfinite(number) or number != int(number) or not -_INT64 <= number < _INT64:
        raise _mismatch("an integer of 64 bits", value)
    return int(number)


def _duration(value: Any) -> Duration:
    if isinstance(value, str):
        return parse_duration(value)
    seconds = _number(value)
    if not math.isfinite(seconds) or abs(seconds) > _LONGEST:
        raise _mismatch("a duration", value)
    return Duration(seconds=int(seconds))


def _blob(value: Mapping[str, Any]) -> Literal:
    kind = BlobType(format=_part(value, "format"), dimensionality=dimensionality(value.get("dimensionality")))
    return Literal(scalar=Scalar(blob=Blob(uri=_part(value, "uri"), metadata=BlobMetadata(type=kind))))


def _structured_dataset(value: Mapping[str, Any]) -> Literal:
    kind = StructuredDatasetType(format=_part(value, "format"))
    metadata = StructuredDatasetMetadata(structured_dataset_type=kind)
    dataset = StructuredDataset(uri=_part(value, "uri"), metadata=metadata)
    return Literal(scalar=Scalar(structured_dataset=dataset))


def _union(value: Any, variants: list[LiteralType]) -> Literal:
    """Use the first variant that takes the value."""
    problems: list[str] = []
    for variant in variants:
        if variant.simple == SimpleType.NONE:
            continue
        try:
            literal = literal_of(value, variant)
        except TranslationError as error:
            problems.append(error.message)
        else:
            return _in_union(literal, variant, variant)
    raise TranslationError(f"the value fits no variant of the union: {'; '.join(problems)}")


def _in_union(literal: Literal, kind: LiteralType, variant: LiteralType) -> Literal:
    kind = copy(kind)
    kind.structure = TypeStructure(tag="" if variant.structure is None else variant.structure.tag)
    return Literal(scalar=Scalar(union=Union(value=literal, type=kind)))


def _object(value: Any) -> Mapping[str, Any]:
    if not is_mapping(value):
        raise _mismatch("an object", value)
    return value


def _part(value: Mapping[str, Any], name: str) -> str:
    part = value.get(name)
    if not isinstance(part, str):
        raise TranslationError(f"{name!r} is missing or not text")
    return part


def _mismatch(expected: str, value: Any) -> TranslationError:
    return TranslationError(f"expected {expected}, not {value!r}")
