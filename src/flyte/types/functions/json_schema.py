"""Flyte types as JSON schema, for forms, documentation and agents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flyte.types.interfaces.guess import variables
from flyte.types.interfaces.tags import container_of, is_bytes
from flyte.types.literals.decode import from_literal, unsupported_reason
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.types import BlobTypeBlobDimensionality, LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.common import NamedParameter

_SIMPLE: dict[SimpleType, dict[str, Any]] = {
    SimpleType.NONE: {"type": "null"},
    SimpleType.INTEGER: {"type": "integer"},
    SimpleType.FLOAT: {"type": "number", "format": "float"},
    SimpleType.STRING: {"type": "string"},
    SimpleType.BOOLEAN: {"type": "boolean"},
    SimpleType.DATETIME: {"type": "string", "format": "date-time"},
    SimpleType.DURATION: {"type": "string", "format": "duration"},
    SimpleType.BINARY: {"type": "string", "format": "binary"},
}
_JSON = (str, int, float, bool, list, dict, type(None))


def inputs_schema(
    interface: TypedInterface, defaults: Iterable[NamedParameter] = (), *, title: str = ""
) -> dict[str, Any]:
    """Return the JSON schema of a task's inputs.

    Args:
        interface: The interface of the task.
        defaults: The optional inputs.
        title: Title of the schema. Default: none.

    Returns:
        The schema of an object with one property for each input.
    """
    held = {item.name: item.parameter for item in defaults}
    properties: dict[str, Any] = {}
    for name, literal_type in variables(interface.inputs):
        properties[name] = type_schema(literal_type)
        parameter = held.get(name)
        literal = None if parameter is None else parameter.default
        if literal is not None and unsupported_reason(literal, literal_type) is None:
            value = from_literal(literal, literal_type)
            if isinstance(value, _JSON):
                properties[name]["default"] = value
    for entry in interface.inputs.variables if interface.inputs is not None else []:
        if entry.value is not None and entry.value.description not in ("", entry.key):
            properties[entry.key]["description"] = entry.value.description
    schema: dict[str, Any] = {"title": title} if title else {}
    required = [name for name in properties if name not in held]
    return {
        **schema,
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def type_schema(literal_type: LiteralType) -> dict[str, Any]:
    """Return the JSON schema of one type."""
    if literal_type.collection_type is not None:
        distinct = {"uniqueItems": True} if container_of(literal_type) in ("set", "frozenset") else {}
        return {"type": "array", "items": type_schema(literal_type.collection_type), **distinct}
    if literal_type.map_value_type is not None:
        return {"type": "object", "additionalProperties": type_schema(literal_type.map_value_type)}
    if literal_type.enum_type is not None:
        return {"type": "string", "enum": list(literal_type.enum_type.values)}
    if is_bytes(literal_type):
        return {"type": "string", "format": "binary"}
    if literal_type.union_type is not None:
        return {"anyOf": [type_schema(variant) for variant in literal_type.union_type.variants]}
    if literal_type.blob is not None:
        multipart = literal_type.blob.dimensionality == BlobTypeBlobDimensionality.MULTIPART
        return {
            "type": "object",
            "format": "blob",
            "properties": {
                "uri": {"type": "string", "format": "uri"},
                "format": {"type": "string", "default": literal_type.blob.format},
                "dimensionality": {"type": "string", "default": "MULTIPART" if multipart else "SINGLE"},
            },
            "required": ["uri"],
        }
    if literal_type.structured_dataset_type is not None:
        properties = {"uri": {"type": "string", "format": "uri"}}
        return {"type": "object", "format": "structured-dataset", "properties": properties, "required": ["uri"]}
    if literal_type.simple == SimpleType.STRUCT:
        described = None if literal_type.metadata is None else literal_type.metadata.to_python()
        return described if described else {"type": "object"}
    return dict(_SIMPLE.get(literal_type.simple or SimpleType.NONE, {}))
