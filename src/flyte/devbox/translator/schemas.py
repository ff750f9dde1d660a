"""Types as JSON schemas, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    BlobTypeBlobDimensionality,
    EnumType,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    TypeStructure,
    UnionType,
)
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_rpc.typeguards import is_list, is_mapping

from .errors import TranslationError

Json = dict[str, Any]

_SIMPLE: dict[SimpleType, dict[str, str]] = {
    SimpleType.NONE: {"type": "null"},
    SimpleType.STRING: {"type": "string"},
    SimpleType.INTEGER: {"type": "integer"},
    SimpleType.FLOAT: {"type": "number", "format": "float"},
    SimpleType.BOOLEAN: {"type": "boolean"},
    SimpleType.DATETIME: {"type": "string", "format": "datetime"},
    SimpleType.DURATION: {"type": "string", "format": "duration"},
    SimpleType.BINARY: {"type": "string", "format": "binary"},
    SimpleType.ERROR: {"type": "string", "format": "error"},
}
_TITLES: dict[SimpleType, str] = {
    SimpleType.NONE: "none",
    SimpleType.STRING: "string",
    SimpleType.INTEGER: "integer",
    SimpleType.FLOAT: "number",
    SimpleType.BOOLEAN: "boolean",
    SimpleType.DATETIME: "datetime",
    SimpleType.DURATION: "duration",
    SimpleType.BINARY: "binary",
}
_FORMATTED = {"datetime": SimpleType.DATETIME, "duration": SimpleType.DURATION}


def schema_of(kind: LiteralType | None) -> Json:
    """Return the JSON schema of a type.

    Raises:
        TranslationError: The type has no schema.
    """
    if kind is None:
        return {"type": "null"}
    if kind.simple is not None:
        return _simple_schema(kind, kind.simple)
    if kind.collection_type is not None:
        return {"type": "array", "items": schema_of(kind.collection_type)}
    if kind.map_value_type is not None:
        return {"type": "object", "additionalProperties": schema_of(kind.map_value_type)}
    if kind.enum_type is not None:
        return {"type": "string", "enum": list(kind.enum_type.values)}
    if kind.blob is not None:
        return _blob_schema(kind.blob)
    if kind.structured_dataset_type is not None:
        properties = {"uri": {"type": "string"}, "format": {"type": "string"}}
        return {"type": "object", "format": "structured-dataset", "properties": properties}
    if kind.union_type is not None:
        return {"oneOf": [_variant_schema(variant) for variant in kind.union_type.variants], "format": "union"}
    if kind.schema is not None:
        raise TranslationError("the type Schema is deprecated and has no JSON schema; use a structured dataset")
    raise TranslationError("a type is unset or of an unknown kind")


def type_of(schema: Mapping[str, Any]) -> LiteralType:
    """Return the type of a JSON schema. It is less exact than the type that the schema was made of.

    Raises:
        TranslationError: The schema is malformed.
    """
    if "oneOf" in schema:
        return _union_type(schema["oneOf"])
    kind = _plain_type(schema)
    if isinstance(tag := schema.get("structure"), str):
        kind.structure = TypeStructure(tag=tag)
    return kind


def is_optional(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema is a union with null."""
    variants = schema.get("oneOf")
    return is_list(variants) and any(is_mapping(variant) and variant.get("type") == "null" for variant in variants)


def null_variant(kind: LiteralType) -> LiteralType | None:
    """Return the variant for null of a union; None for any other type."""
    variants = [] if kind.union_type is None else kind.union_type.variants
    return next((variant for variant in variants if variant.simple == SimpleType.NONE), None)


def dimensionality(value: object) -> BlobTypeBlobDimensionality:
    """Read a dimensionality: a name or, from old forms, a number.

    Raises:
        TranslationError: The value is neither.
    """
    names = {"SINGLE": BlobTypeBlobDimensionality.SINGLE, "MULTIPART": BlobTypeBlobDimensionality.MULTIPART}
    numbers = {"0": BlobTypeBlobDimensionality.SINGLE, "1": BlobTypeBlobDimensionality.MULTIPART}
    text = f"{value:g}" if isinstance(value, (int, float)) else str(value)
    found = {**names, **numbers}.get(text)
    if found is None:
        raise TranslationError(f"the dimensionality {value!r} is neither SINGLE nor MULTIPART")
    return found


def dimensionality_name(value: BlobTypeBlobDimensionality) -> str:
    """Return the name of a dimensionality; SINGLE for unknown ones."""
    return "MULTIPART" if value == BlobTypeBlobDimensionality.MULTIPART else "SINGLE"


def _simple_schema(kind: LiteralType, simple: SimpleType) -> Json:
    if simple == SimpleType.STRUCT:
        if kind.metadata is None:
            return {"type": "object", "additionalProperties": True}
        found = kind.metadata.to_python()
        found.pop("additionalProperties", None)
        title = found.pop("title", None)
        return found if title is None else {**found, "dataclass": title}
    if simple not in _SIMPLE:
        raise TranslationError(f"the simple type {int(simple)} is unknown")
    return dict(_SIMPLE[simple])


def _blob_schema(blob: BlobType) -> Json:
    name = dimensionality_name(blob.dimensionality)
    return {
        "type": "object",
        "format": "blob",
        "properties": {
            "uri": {"type": "string", "default": ""},
            "format": {"type": "string", "default": blob.format},
            "dimensionality": {"type": "string", "enum": ["SINGLE", "MULTIPART"], "default": name},
        },
    }


def _variant_schema(variant: LiteralType) -> Json:
    tag = "" if variant.structure is None else variant.structure.tag
    return {**schema_of(variant), "title": _title(variant), "structure": tag}


def _title(kind: LiteralType) -> str:
    if kind.simple == SimpleType.STRUCT:
        title = None if kind.metadata is None else kind.metadata.to_python().get("title")
        return title if isinstance(title, str) else "object"
    if kind.simple is not None:
        return _TITLES.get(kind.simple, "unknown")
    titles = {
        "array": kind.collection_type,
        "object": kind.map_value_type,
        "blob": kind.blob,
        "enum": kind.enum_type,
        "structured_dataset": kind.structured_dataset_type,
        "union": kind.union_type,
    }
    return next((title for title, part in titles.items() if part is not None), "unknown")


def _union_type(variants: object) -> LiteralType:
    if not is_list(variants):
        raise TranslationError("oneOf of a schema must be a list")
    found: list[LiteralType] = []
    for variant in variants:
        if not is_mapping(variant):
            raise TranslationError("each item of oneOf must be a schema")
        # The title only names the variant in the form.
        found.append(type_of({key: value for key, value in variant.items() if key != "title"}))
    return LiteralType(union_type=UnionType(variants=found))


def _plain_type(schema: Mapping[str, Any]) -> LiteralType:
    kind, form = schema.get("type"), schema.get("format")
    match kind:
        case "string" if is_list(values := schema.get("enum")):
            return LiteralType(enum_type=EnumType(values=[str(value) for value in values]))
        case "string":
            return LiteralType(simple=_FORMATTED.get(str(form), SimpleType.STRING))
        case "integer":
            return LiteralType(simple=_FORMATTED.get(str(form), SimpleType.INTEGER))
        case "number":
            return LiteralType(simple=SimpleType.FLOAT)
        case "boolean":
            return LiteralType(simple=SimpleType.BOOLEAN)
        case "array":
            items = schema.get("items")
            item_type = type_of(items) if is_mapping(items) else LiteralType(simple=SimpleType.STRING)
            return LiteralType(collection_type=item_type)
        case "object":
            found = _object_type(schema, form)
            found.metadata = Struct.of(schema)
            return found
        case str():
            return LiteralType(simple=SimpleType.NONE)
        case _:
            raise TranslationError("a schema has no type")


def _object_type(schema: Mapping[str, Any], form: object) -> LiteralType:
    if form == "blob":
        return LiteralType(blob=_blob_type(schema))
    if form == "structured-dataset":
        return LiteralType(structured_dataset_type=StructuredDatasetType())
    if is_mapping(values := schema.get("additionalProperties")):
        return LiteralType(map_value_type=type_of(values))
    return LiteralType(simple=SimpleType.STRUCT)


def _blob_type(schema: Mapping[str, Any]) -> BlobType:
    properties = schema.get("properties")
    defaults = {
        name: part["default"]
        for name, part in (properties.items() if is_mapping(properties) else ())
        if is_mapping(part) and "default" in part
    }
    form = defaults.get("format")
    return BlobType(
        format=form if isinstance(form, str) else "",
        dimensionality=dimensionality(defaults.get("dimensionality", "SINGLE")),
    )
