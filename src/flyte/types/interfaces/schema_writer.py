"""Write JSON schemas of data classes, in the two styles of the other Flyte SDKs.

Dataclasses follow mashumaro: enums by value, timedeltas in seconds, nested classes inline. Models, tuples, named tuples
and typed dicts follow pydantic: enums by name, ISO durations, nested classes in `$defs`.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import types
import typing
from typing import Any

from flyte.types.converters.calls import type_by
from flyte.types.data.classes import MISSING, DataClass, class_itself, data_class, is_model
from flyte.types.data.custom import converter_of_hint, schema_of_type
from flyte.types.data.dump import Dumper
from flyte.types.data.frames import frame_schema, is_frame_class
from flyte.types.data.guards import is_dict, is_list
from flyte.types.data.hints import DICTS, LISTS, SETS, TUPLES, plain, textual_format
from flyte.types.data.mismatch import Mismatch
from flyte.types.files.references import Dir, File
from flyte_api.messages.flyteidl2.core.types import LiteralType

from .tags import DATACLASS_TAG, MODEL_TAG, json_type

_WRAPPERS = {"namedtuple": "NamedTupleWrapper_", "typeddict": "TypedDictWrapper_"}
_SCALARS: dict[Any, dict[str, Any]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
}


def struct_type(annotation: Any) -> LiteralType | None:
    """Return the Flyte type of a data class or a tuple; None for any other annotation.

    Raises:
        TypeError: A part of it has no JSON schema.
    """
    if typing.get_origin(annotation) in TUPLES:
        return _of_tuple(typing.get_args(annotation))
    described = data_class(annotation)
    if described is None:
        return None
    if described.kind == "pydantic":
        return json_type(_model_schema(annotation), MODEL_TAG)
    if described.kind not in _WRAPPERS:
        return json_type(_Writer(by_name=False).whole(annotation, described), DATACLASS_TAG)
    writer = _Writer(by_name=True)
    name = class_itself(annotation).__name__
    schema = {**writer.properties(described, name), "title": _WRAPPERS[described.kind] + name}
    return json_type(writer.with_definitions(schema), MODEL_TAG)


def _of_tuple(items: tuple[Any, ...]) -> LiteralType:
    writer = _Writer(by_name=True)
    parts = {f"item_{n}": writer.schema(item, f"item {n} of the tuple") for n, item in enumerate(items)}
    schema: dict[str, Any] = {"title": "TupleWrapper_tuple", "type": "object", "properties": parts}
    return json_type(writer.with_definitions({**schema, "required": list(parts)}), MODEL_TAG)


def _model_schema(model: Any) -> dict[str, Any]:
    from pydantic.json_schema import GenerateJsonSchema

    class ByName(GenerateJsonSchema):
        """Writes enums by member name, like enums outside of classes."""

        def enum_schema(self, schema: Any) -> Any:
            made = super().enum_schema(schema)
            made["enum"] = [member.name for member in schema["cls"]]
            return made

    found: dict[str, Any] = model.model_json_schema(schema_generator=ByName)
    return found


class _Writer:
    def __init__(self, *, by_name: bool) -> None:
        self.by_name = by_name
        self.definitions: dict[str, dict[str, Any]] = {}
        self.open: list[Any] = []
        self.recursive: set[Any] = set()

    def with_definitions(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {**schema, "$defs": self.definitions} if self.definitions else schema

    def whole(self, kind: Any, described: DataClass) -> dict[str, Any]:
        return self.with_definitions(self._class(kind, described))

    def schema(self, hint: Any, place: str) -> dict[str, Any]:
        """Return the schema of an annotation; `place` is its name in errors."""
        hint = plain(hint)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if hint in (Any, object):
            return {}
        if (custom := converter_of_hint(hint)) is not None:
            return schema_of_type(type_by(*custom), place)
        if hint is None:
            hint = type(None)
        if hint in (list, dict, tuple, set, frozenset):
            origin, arguments = hint, ()
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.schema(argument, place) for argument in arguments]}
        if origin is typing.Literal:
            return {"enum": [*arguments], **({"type": "string"} if self.by_name else {})}
        if isinstance(hint, type) and hint in _SCALARS:
            return dict(_SCALARS[hint])
        if hint is bytes:
            return {"type": "string", "format": "binary" if self.by_name else "base64"}
        if hint is dt.timedelta:
            duration: dict[str, Any] = {"type": "string", "format": "duration"}
            return duration if self.by_name else {"type": "number", "format": "time-delta"}
        if form := textual_format(hint):
            return {"type": "string", "format": form}
        if hint in (File, Dir):
            return _stored(hint.__name__)
        if is_frame_class(hint):
            return frame_schema()
        if origin in LISTS or origin in SETS:
            unique = {"uniqueItems": True} if origin in SETS else {}
            return {"type": "array", "items": self.schema(arguments[0] if arguments else Any, place), **unique}
        if origin in TUPLES:
            return self._tuple(arguments, place)
        if origin in DICTS:
            return self._dict(arguments or (Any, Any), place)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return self._enum(hint)
        if (described := data_class(hint)) is not None:
            return self._class(hint, described)
        if isinstance(hint, typing.TypeVar):
            raise TypeError(
                f"{place}: {hint.__name__} is a type variable; specify a type, as in {place.split('.')[0]}[int]"
            )
        shown = hint.__name__ if isinstance(hint, type) else str(hint)
        raise TypeError(f"{place}: {shown} cannot be part of a JSON object")

    def _tuple(self, items: tuple[Any, ...], place: str) -> dict[str, Any]:
        if not items:
            return {"type": "array"}
        if len(items) == 2 and items[1] is Ellipsis:
            return {"type": "array", "items": self.schema(items[0], place)}
        parts = [self.schema(item, place) for item in items]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}

    def _dict(self, arguments: tuple[Any, ...], place: str) -> dict[str, Any]:
        key = plain(arguments[0])
        schema: dict[str, Any] = {"type": "object", "additionalProperties": self.schema(arguments[1], place) or True}
        if key in (Any, object):
            return schema
        if key not in (str, int, float):
            raise TypeError(f"{place}: a dict in a JSON object may have keys that are str, int or float")
        return {**schema, "propertyNames": _SCALARS[key]}

    def _enum(self, kind: type[enum.Enum]) -> dict[str, Any]:
        if issubclass(kind, enum.Flag):
            raise TypeError(f"{kind.__name__} is a Flag; its combinations have no Flyte type, use an Enum")
        if self.by_name:
            names = [member.name for member in kind]
            self.definitions[kind.__name__] = {"title": kind.__name__, "type": "string", "enum": names}
            return {"$ref": f"#/$defs/{kind.__name__}"}
        values = [member.value for member in kind]
        if not all(isinstance(value, str | int | float) for value in values):
            raise TypeError(
                f"{kind.__name__}: enum members in a dataclass are encoded by value; use str, int or float values"
            )
        return {"enum": values}

    def _class(self, kind: Any, described: DataClass) -> dict[str, Any]:
        name = class_itself(kind).__name__
        if is_model(kind):
            schema = _model_schema(kind)
            self.definitions |= schema.pop("$defs", {})
            return schema
        if described.kind == "namedtuple":
            return self._tuple(tuple(field.hint for field in described.fields), name)
        if kind in self.open:
            # A recursive class can only be described by reference.
            self.recursive.add(kind)
            return {"$ref": f"#/$defs/{name}"}
        self.open.append(kind)
        schema = self.properties(described, name)
        self.open.pop()
        if not (self.by_name or kind in self.recursive):
            return schema
        if self.definitions.setdefault(name, schema) != schema:
            raise TypeError(f"two classes are named {name}; a JSON schema can contain only one")
        return {"$ref": f"#/$defs/{name}"}

    def properties(self, described: DataClass, name: str) -> dict[str, Any]:
        """Return the schema of a class as an object."""
        parts: dict[str, Any] = {}
        for field in described.fields:
            part = self.schema(field.hint, f"{name}.{field.name}")
            if described.kind == "typeddict" and self.by_name and not field.required:
                part = {"anyOf": [part, {"type": "null"}], "default": None}
            elif field.default is not MISSING:
                part = {**part, **self._default(field.default, part)}
            parts[field.key] = part
        required = [field.key for field in described.fields if field.required]
        schema: dict[str, Any] = {"type": "object", "title": name, "properties": parts}
        if required:
            schema["required"] = required
        if not self.by_name:
            schema["additionalProperties"] = False
        return schema

    def _default(self, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the default of a field, if JSON can express it."""
        dumper = Dumper({"$defs": self.definitions}, by_name=self.by_name)
        try:
            default = dumper.dump(value, schema)
            return {"default": default} if _is_json(default) else {}
        except Mismatch:
            return {}


def _is_json(value: Any) -> bool:
    if is_dict(value):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if is_list(value):
        return all(map(_is_json, value))
    return not isinstance(value, bytes) and not (isinstance(value, float) and not math.isfinite(value))


def _stored(title: str) -> dict[str, Any]:
    optional = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    properties = {
        "path": {"type": "string"},
        "name": optional,
        "format": {"type": "string", "default": ""},
        "hash": optional,
    }
    return {"type": "object", "title": title, "properties": properties, "required": ["path"]}
