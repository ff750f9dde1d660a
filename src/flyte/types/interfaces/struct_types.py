"""Convert JSON schemas to Python classes. Equal definitions give the same class, so that values compare equal."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import functools
import json
import keyword
import re
import sys
import threading
import typing
from collections.abc import Mapping
from typing import Any

from flyte.types.data.classes import KEY
from flyte.types.data.frames import is_frame_schema
from flyte.types.data.guards import is_dict, is_list
from flyte.types.data.mismatch import MAX_DEPTH
from flyte.types.files.references import Dir, File
from flyte.types.frames.reference import DataFrame
from flyte_api.messages.flyteidl2.core.types import LiteralType

from .enums import Unguessable, enum_class
from .tags import by_value, read_schema

_MOST = 4096
_WRAPPER = re.compile(r"(Tuple|NamedTuple|TypedDict)Wrapper_(.*)", re.DOTALL)
_PLAIN: Mapping[str, Any] = {"integer": int, "number": float, "string": str, "boolean": bool, "null": type(None)}
_FORMATS: Mapping[str, Any] = {
    "date-time": dt.datetime,
    "date": dt.date,
    "time": dt.time,
    "time-delta": dt.timedelta,
    "duration": dt.timedelta,
    "base64": bytes,
    "binary": bytes,
    "integer": int,
}
# Text formats with types in modules that are imported on first use.
_TEXTUAL: Mapping[str, tuple[str, str]] = {
    "uuid": ("uuid", "UUID"),
    "decimal": ("decimal", "Decimal"),
    "path": ("pathlib", "Path"),
}
_classes: dict[str, Any] = {}
_seen: dict[tuple[bytes, bool], Any] = {}
_lock = threading.Lock()


def struct_class(literal_type: LiteralType) -> Any:
    """Return the Python type of a Flyte type with a JSON schema.

    Raises:
        Unguessable: The schema has no Python counterpart.
    """
    if literal_type.metadata is None:
        return dict
    # Usually the same bytes were seen before; otherwise the definition may be known in another order.
    try:
        key = (bytes(literal_type.metadata), by_value(literal_type))
        if (found := _seen.get(key)) is not None:
            return found
        schema = read_schema(literal_type)
    except ValueError as error:
        raise Unguessable(f"its schema cannot be read: {error}") from None
    found = class_of(schema, by_value=key[1])
    if len(_seen) >= _MOST:
        _seen.clear()
    _seen[key] = found
    return found


def class_of(schema: dict[str, Any], *, by_value: bool) -> Any:
    """Return the Python type of a JSON schema.

    Args:
        schema: The schema, with its `$defs`.
        by_value: Whether a bare `enum` is an enum encoded by value, as in dataclasses; otherwise it is a `Literal`.
    """
    builder = _Builder(schema.get("$defs", {}), by_value)
    with _lock:
        try:
            found = builder.root(schema)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            # The schema is untrusted: it comes from the deployer of the task.
            raise Unguessable(f"its schema is malformed: {error}") from error
        # Store classes only now: if the schema fails halfway, its classes are incomplete.
        _classes.update(builder.made)
        while len(_classes) > _MOST:
            del _classes[next(iter(_classes))]
    return found


class _Builder:
    def __init__(self, definitions: Any, by_value: bool) -> None:
        self.definitions: dict[str, Any] = definitions if is_dict(definitions) else {}
        self.by_value = by_value
        self.made: dict[str, Any] = {}

    def root(self, schema: dict[str, Any]) -> Any:
        match = _WRAPPER.fullmatch(str(schema.get("title", "")))
        properties: Any = schema.get("properties")
        if match is None or not is_dict(properties):
            return self.hint(schema, 0)
        kind, name = match.groups()
        if kind == "Tuple":
            items = [properties[key] for key in sorted(properties, key=lambda key: (len(key), key))]
            return tuple[tuple(self.hint(item, 1) for item in items)]  # type: ignore[misc]  # Made at run time.
        if name.isidentifier() and all(map(_usable, properties)):
            return self._cached(schema, kind, lambda: self._wrapped(kind, name, schema))
        return self.hint(schema, 0)

    def _wrapped(self, kind: str, name: str, schema: dict[str, Any]) -> Any:
        required: list[str] = schema.get("required", [])
        hints = {key: self.hint(schema["properties"][key], 1) for key in _in_order(schema)}
        if kind == "TypedDict":
            optional = {key: hint if key in required else typing.NotRequired[hint] for key, hint in hints.items()}
            return typing.TypedDict(name, optional)  # type: ignore[operator]  # Made at run time.
        made: Any = typing.NamedTuple(name, list(hints.items()))  # type: ignore[misc]  # Made at run time.
        spare = [key for key in hints if key not in required]
        made._field_defaults = {
            key: _with_default(hints[key], schema["properties"][key])[1].get("default") for key in spare
        }
        made.__new__.__defaults__ = tuple(made._field_defaults.values())
        return _picklable(made, schema, self, None)

    def hint(self, schema: Any, depth: int, *, referred: bool = False) -> Any:
        if depth > MAX_DEPTH:
            raise Unguessable(f"its schema is nested more than {MAX_DEPTH} levels deep")
        if not is_dict(schema):
            return Any
        if isinstance(reference := schema.get("$ref"), str):
            target = self.definitions.get(reference.rpartition("/")[2])
            if not reference.startswith("#/$defs/") or not is_dict(target):
                raise Unguessable(f"its schema refers to {reference}, which does not exist")
            return self.hint(target, depth + 1, referred=True)
        alone: Any = schema.get("allOf")
        if is_list(alone) and len(alone) == 1:
            return self.hint(alone[0], depth + 1)
        variants: Any = schema.get("anyOf") or schema.get("oneOf")
        if is_list(variants):
            return self._union([self.hint(variant, depth + 1) for variant in variants])
        if "const" in schema or is_list(schema.get("enum")):
            return self._choice(schema.get("enum", [schema.get("const")]), referred)
        kind: Any = schema.get("type")
        if is_list(kind):
            return self._union([self.hint({**schema, "type": each}, depth + 1) for each in kind])
        if kind == "array":
            return self._array(schema, depth)
        if kind == "object":
            return self._object(schema, depth)
        style: Any = schema.get("format")
        if style in _TEXTUAL:
            module, name = _TEXTUAL[style]
            __import__(module)
            return getattr(sys.modules[module], name)
        return _FORMATS.get(style) or _PLAIN.get(kind, Any)

    def _union(self, hints: list[Any]) -> Any:
        if Any in hints:
            return Any
        return typing.Union[tuple(hints)]  # noqa: UP007  # Made at run time.

    def _choice(self, values: list[Any], referred: bool) -> Any:
        if values and all(isinstance(value, str) for value in values) and (referred or self.by_value):
            return enum_class(tuple(values))
        if values and all(isinstance(value, str | int) for value in values):
            return typing.Literal[tuple(values)]
        return Any

    def _array(self, schema: dict[str, Any], depth: int) -> Any:
        prefix: Any = schema.get("prefixItems")
        if is_list(prefix) and prefix:
            return tuple[tuple(self.hint(item, depth + 1) for item in prefix)]  # type: ignore[misc]  # Made at run time.
        item = self.hint(schema.get("items"), depth + 1)
        if schema.get("uniqueItems") and (item in _PLAIN.values() or item in (dt.datetime, dt.date)):
            return set[item]  # type: ignore[valid-type]  # Made at run time.
        return list[item]  # type: ignore[valid-type]  # Made at run time.

    def _object(self, schema: dict[str, Any], depth: int) -> Any:
        properties: Any = schema.get("properties")
        if not is_dict(properties):
            others: Any = schema.get("additionalProperties")
            names: Any = schema.get("propertyNames")
            if not is_dict(others) and not is_dict(names):
                return dict if not isinstance(schema.get("title"), str) else self._class(schema, depth)
            key = self.hint(names, depth + 1) if is_dict(names) else str
            return dict[key, self.hint(others, depth + 1)]  # type: ignore[misc, valid-type]  # Made at run time.
        if schema.get("title") in ("File", "Dir") and {"path", "format", "hash"} <= set(properties):
            return File if schema["title"] == "File" else Dir
        if is_frame_schema(schema):
            return DataFrame
        return self._class(schema, depth)

    def _class(self, schema: dict[str, Any], depth: int) -> Any:
        return self._cached(schema, "class", lambda: type(_class_name(schema.get("title")), (), {}), depth)

    def _cached(self, schema: dict[str, Any], kind: str, make: Any, depth: int = 0) -> Any:
        key = self._key(schema, kind)
        for held in (self.made, _classes):
            if key in held:
                return held[key]
        self.made[key] = made = make()
        if kind == "class":
            # Registered before its fields, which may refer to this class.
            self._complete(made, schema, depth)
        return made

    def _key(self, schema: dict[str, Any], kind: str) -> str:
        own = {name: part for name, part in schema.items() if name not in ("$defs", "default", "description")}
        text = json.dumps([kind, self.by_value, own], sort_keys=True)
        return text + json.dumps(self.definitions, sort_keys=True) if '"$ref"' in text else text

    def _complete(self, made: Any, schema: dict[str, Any], depth: int) -> None:
        properties: dict[str, Any] = schema.get("properties") or {}
        required: list[str] = schema.get("required", [])
        annotations: dict[str, Any] = {}
        for key in _in_order(schema):
            name = _attribute(key, annotations)
            hint = self.hint(properties[key], depth + 1)
            metadata = {KEY: key}
            if key in required:
                setattr(made, name, dataclasses.field(metadata=metadata))
            else:
                hint, default = _with_default(hint, properties[key])
                setattr(made, name, dataclasses.field(metadata=metadata, **default))
            annotations[name] = hint
        made.__annotations__ = annotations
        made.__module__ = __name__
        made.__doc__ = schema.get("description") or f"{made.__name__}, as its task describes it."
        dataclasses.dataclass(made)
        _picklable(made, schema, self, tuple(annotations))


def _picklable(made: Any, schema: dict[str, Any], builder: _Builder, names: tuple[str, ...] | None) -> Any:
    """Makes instances of a generated class picklable and copyable, by its schema."""
    text = json.dumps({"$defs": builder.definitions, **schema})
    by_value = builder.by_value

    def reduce(self: Any) -> tuple[Any, ...]:
        values = tuple(self) if names is None else tuple(getattr(self, name) for name in names)
        return _rebuilt, (text, by_value, values)

    made.__reduce__ = reduce
    return made


def _rebuilt(schema: str, by_value: bool, values: tuple[Any, ...]) -> Any:
    return class_of(json.loads(schema), by_value=by_value)(*values)


def _in_order(schema: dict[str, Any]) -> list[str]:
    """Return the names of the properties: the required ones in their listed (declared) order, then the others."""
    properties: dict[str, Any] = schema.get("properties") or {}
    required = [key for key in schema.get("required", []) if key in properties]
    return [*dict.fromkeys([*required, *properties])]


def _with_default(hint: Any, schema: Any) -> tuple[Any, dict[str, Any]]:
    """Return the annotation and default of an optional field."""
    from flyte.types.data.load import load
    from flyte.types.data.mismatch import Mismatch

    if is_dict(schema) and "default" in schema:
        given = schema["default"]
        try:
            default: Any = load(given, hint)
        except Mismatch:
            # An unusable default, such as null for a field that is never null.
            return typing.Optional[hint], {"default": None}  # noqa: UP045  # Made at run time.
        if isinstance(default, (list, dict, set)) or dataclasses.is_dataclass(default):
            return hint, {"default_factory": functools.partial(copy.deepcopy, default)}
        return hint, {"default": default}
    for kind in (list, dict, set):
        if hint is kind or typing.get_origin(hint) is kind:
            return hint, {"default_factory": kind}
    return typing.Optional[hint], {"default": None}  # noqa: UP045  # Made at run time.


def _attribute(key: str, taken: Mapping[str, Any]) -> str:
    name = key if _usable(key) else re.sub(r"\W", "_", f"_{key}" if key[:1].isdigit() or not key else key)
    while not name.isidentifier() or keyword.iskeyword(name) or name in taken or name.startswith("__"):
        name = f"f{name}" if name.startswith("__") else f"{name}_"
    return name


def _usable(key: str) -> bool:
    return key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("_")


def _class_name(title: Any) -> str:
    name = re.sub(r"\W", "_", title) if isinstance(title, str) else ""
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"Struct{'_' if name else ''}{name}"
