"""Literals as JSON values."""

from __future__ import annotations

import base64
from typing import Any

from flyte.types.data.msgpack import unpack
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_rpc.status import Status
from flyte_rpc.typeguards import is_list, is_mapping

from .errors import TranslationError
from .schemas import dimensionality_name
from .times import format_duration, format_time

NULL = {"type": "null"}
"""The value of None."""


def value_of(literal: Literal | None) -> Any:
    """Return the JSON value of a literal.

    Raises:
        TranslationError: The literal is unset, or has no JSON form.
    """
    if literal is None:
        raise TranslationError("a literal is unset")
    if literal.scalar is not None:
        return _scalar_value(literal.scalar)
    if literal.collection is not None:
        return [value_of(item) for item in literal.collection.literals]
    if literal.map is not None:
        return {key: value_of(item) for key, item in literal.map.literals.items()}
    if literal.offloaded_metadata is not None:
        raise TranslationError("an offloaded literal has no JSON form", Status.UNIMPLEMENTED)
    raise TranslationError("a literal is of an unknown kind")


def _scalar_value(scalar: Scalar) -> Any:
    if scalar.primitive is not None:
        return _primitive_value(scalar.primitive)
    if scalar.none_type is not None:
        return dict(NULL)
    if scalar.generic is not None:
        return scalar.generic.to_python()
    if scalar.union is not None:
        return value_of(scalar.union.value)
    if scalar.binary is not None:
        return _binary_value(scalar.binary.value)
    if scalar.blob is not None:
        kind = None if scalar.blob.metadata is None else scalar.blob.metadata.type
        form, name = ("", "SINGLE") if kind is None else (kind.format, dimensionality_name(kind.dimensionality))
        return {"uri": scalar.blob.uri, "format": form, "dimensionality": name}
    if scalar.structured_dataset is not None:
        metadata = scalar.structured_dataset.metadata
        dataset_type = None if metadata is None else metadata.structured_dataset_type
        return {
            "uri": scalar.structured_dataset.uri,
            "format": "" if dataset_type is None else dataset_type.format,
        }
    if scalar.schema is not None or scalar.error is not None:
        raise TranslationError("schemas and errors have no JSON form", Status.UNIMPLEMENTED)
    raise TranslationError("a scalar is of an unknown kind")


def _primitive_value(primitive: Primitive) -> Any:
    if primitive.datetime is not None:
        return format_time(primitive.datetime)
    if primitive.duration is not None:
        return format_duration(primitive.duration)
    values = (primitive.integer, primitive.float_value, primitive.string_value, primitive.boolean)
    found = next((value for value in values if value is not None), None)
    if found is None:
        raise TranslationError("a primitive is of an unknown kind")
    return found


def _binary_value(data: bytes) -> Any:
    """Return the value of a MessagePack message, or base64 for other data."""
    try:
        return _as_json(unpack(data))
    except ValueError:
        return base64.b64encode(data).decode()


def _as_json(value: Any) -> Any:
    if is_mapping(value):
        return {_key(key): _as_json(item) for key, item in value.items()}
    if is_list(value):
        return [_as_json(item) for item in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _key(value: object) -> str:
    """Return a key as text. Go writes booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)
