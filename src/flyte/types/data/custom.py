"""Values of a user's own classes, converted by the registered converters: as literals, and as plain data in data classes."""

from __future__ import annotations

import typing
from typing import Any

from flyte.types.converters.calls import accepts, literal_by, type_by, value_by
from flyte.types.converters.registry import converter_of
from flyte.types.converters.transformer import TypeTransformer, TypeTransformerFailedError
from flyte_api.messages.flyteidl2.core.literals import (
    Binary,
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
)
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_rpc.codec.message import which_one_of

from .guards import class_of, is_dict, is_list
from .mismatch import FailedConversion, Mismatch, located, type_of
from .msgpack import pack, unpack

_MSGPACK = "msgpack"
# Of the simple types that have a plain form: the JSON type, the member of the literal, and the Python type.
_PLAIN: dict[int, tuple[str, str, type]] = {
    SimpleType.INTEGER: ("integer", "integer", int),
    SimpleType.FLOAT: ("number", "float_value", float),
    SimpleType.STRING: ("string", "string_value", str),
    SimpleType.BOOLEAN: ("boolean", "boolean", bool),
}


def converter_of_hint(hint: Any) -> tuple[TypeTransformer[Any], type] | None:
    """Return the converter of an annotation and its class; None if it has none."""
    origin = typing.get_origin(hint)
    kind = origin if isinstance(origin, type) else hint
    found = converter_of(kind)
    return None if found is None else (found, kind)


def as_stored(converter: TypeTransformer[Any], value: Any, expected: LiteralType) -> Literal | None:
    """Convert a value to a literal; return None if the converter stores it as another type than the expected one.

    Raises:
        Mismatch: The converter failed.
    """
    try:
        if accepts(converter, class_of(value), expected):
            return literal_by(converter, value, expected)
    except TypeTransformerFailedError as error:
        raise FailedConversion(error) from error.__cause__
    return None


def read_stored(converter: TypeTransformer[Any], kind: type, literal: Literal) -> Any:
    """Convert a literal to an instance of a class.

    Raises:
        Mismatch: The converter failed.
    """
    try:
        return value_by(converter, literal, kind)
    except TypeTransformerFailedError as error:
        raise FailedConversion(error) from error.__cause__


def schema_of_type(literal_type: LiteralType, place: str) -> dict[str, Any]:
    """Return the JSON schema of a class that is a field of a data class.

    Raises:
        TypeError: It is stored as a type without a form as plain data, such as a file.
    """
    kind, inner = which_one_of(literal_type, "type")
    match kind:
        case "simple" if inner in _PLAIN:
            return {"type": _PLAIN[inner][0]}
        case "simple" if inner == SimpleType.STRUCT:
            return {"type": "object"}
        case "collection_type":
            return {"type": "array", "items": schema_of_type(inner, place)}
        case "map_value_type":
            return {"type": "object", "additionalProperties": schema_of_type(inner, place)}
        case _:
            raise TypeError(
                f"{place}: in a JSON object, a class must be stored as a number, text, a bool, a STRUCT, or lists and dicts "
                "of them; its converter stores it as something else"
            )


def as_plain_data(converter: TypeTransformer[Any], value: Any) -> Any:
    """Convert a value to plain data.

    Raises:
        Mismatch: The converter failed, or its literal has no form as plain data.
    """
    try:
        literal = literal_by(converter, value, type_by(converter, class_of(value)))
    except TypeTransformerFailedError as error:
        raise FailedConversion(error) from error.__cause__
    return _data(literal)


def from_plain_data(converter: TypeTransformer[Any], kind: type, data: Any) -> Any:
    """Convert plain data to an instance of a class.

    Raises:
        Mismatch: The data has another form, or the converter failed.
    """
    try:
        expected = type_by(converter, kind)
    except TypeTransformerFailedError as error:
        raise FailedConversion(error) from error.__cause__
    return read_stored(converter, kind, _literal(data, expected, kind))


def _data(literal: Literal) -> Any:
    if literal.collection is not None:
        return [located(f"[{i}]", _data, item) for i, item in enumerate(literal.collection.literals)]
    if literal.map is not None:
        return {key: located(f"[{key!r}]", _data, item) for key, item in literal.map.literals.items()}
    kind, inner = which_one_of(literal.scalar or Scalar(), "value")
    if kind == "primitive":
        member, value = which_one_of(inner, "value")
        if member in {each for _, each, _ in _PLAIN.values()}:
            return value
    if kind == "none_type":
        return None
    if kind == "binary" and inner.tag == _MSGPACK:
        try:
            return unpack(bytes(inner.value))
        except ValueError as error:
            raise Mismatch(f"its converter wrote unreadable MessagePack: {error}", fits_type=True) from error
    raise Mismatch(f"its converter wrote a literal that cannot be part of a JSON object: {kind or 'nothing'}")


def _literal(data: Any, expected: LiteralType, kind: type) -> Literal:
    name, inner = which_one_of(expected, "type")
    held: Any = inner
    match name:
        case "simple" if inner in _PLAIN:
            _, member, accepted = _PLAIN[inner]
            if accepted is float and type(data) is int:
                data = float(data)
            if type(data) is accepted:
                primitive = Primitive()
                setattr(primitive, member, data)
                return Literal(scalar=Scalar(primitive=primitive))
        case "simple" if inner == SimpleType.STRUCT and is_dict(data):
            return Literal(scalar=Scalar(binary=Binary(value=pack(data), tag=_MSGPACK)))
        case "collection_type" if is_list(data):
            items = [located(f"[{i}]", _literal, item, held, kind) for i, item in enumerate(data)]
            return Literal(collection=LiteralCollection(literals=items))
        case "map_value_type" if is_dict(data):
            entries = {str(key): located(f"[{key!r}]", _literal, each, held, kind) for key, each in data.items()}
            return Literal(map=LiteralMap(literals=entries))
        case _:
            pass
    raise Mismatch.between(kind.__name__, type_of(data))
