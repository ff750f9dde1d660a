"""Convert Python values to plain data by a JSON schema. Strict; errors have the place of the mismatch."""

from __future__ import annotations

import datetime as dt
import difflib
import enum
from collections.abc import Mapping
from typing import Any

from flyte.types.converters.registry import converter_of
from flyte.types.files.references import Dir, File, absolute_uri

from .classes import contents, is_data_instance, is_model
from .custom import as_plain_data
from .frames import as_frame_data, is_frame_schema, is_frame_value
from .guards import is_container, is_list, is_list_or_tuple, is_mapping, is_set, is_tuple
from .hints import textual_format
from .load import load
from .mismatch import MAX_DEPTH, Mismatch, encodable, first_fit, how_to_store, located, type_of
from .scalars import as_scalar, check_moment, check_span

_INTEGERS = range(-(2**63), 2**63)
_FORMATS = {"date-time": dt.datetime, "date": dt.date, "time": dt.time, "duration": dt.timedelta}


class Dumper:
    """Converts values according to one schema.

    Args:
        schema: The whole schema. References point to its `$defs`.
        by_name: Whether enum members are encoded by name, as in models, rather than by value.
    """

    def __init__(self, schema: Mapping[str, Any], *, by_name: bool = False) -> None:
        self.root = schema
        self.by_name = by_name
        self._around: list[int] = []

    def dump(self, value: Any, schema: Any, *, exact: bool = False) -> Any:
        """Convert a value to plain data.

        Raises:
            Mismatch: The value does not fit the schema.
        """
        schema = self.resolve(schema)
        if (converter := converter_of(type(value))) is not None:
            value = as_plain_data(converter, value)
        if is_container(value) or is_data_instance(value):
            if id(value) in self._around:
                raise Mismatch(f"this {type(value).__name__} contains itself", fits_type=True)
            if len(self._around) >= MAX_DEPTH:
                raise Mismatch(f"values may be nested {MAX_DEPTH} levels deep", fits_type=True)
            self._around.append(id(value))
            try:
                return self._dump(value, schema, exact)
            finally:
                self._around.pop()
        return self._dump(value, schema, exact)

    def resolve(self, schema: Any) -> Mapping[str, Any]:
        """Resolve a reference at the top of a schema."""
        for _ in range(MAX_DEPTH):
            if not is_mapping(schema):
                return {}
            if isinstance(reference := schema.get("$ref"), str):
                schema = self.root.get("$defs", {}).get(reference.rpartition("/")[2], {})
            elif is_list(alone := schema.get("allOf")) and len(alone) == 1:
                schema = alone[0]
            else:
                return schema
        return {}

    def _dump(self, value: Any, schema: Mapping[str, Any], exact: bool) -> Any:
        variants = schema.get("anyOf") or schema.get("oneOf")
        if is_list(variants):
            return self._any_of(value, schema, variants)
        if "const" in schema or "enum" in schema:
            return self._choice(value, schema)
        kind = schema.get("type")
        if is_list(kind):
            return self._any_of(value, schema, [{**schema, "type": each} for each in kind])
        match kind:
            case "object":
                return self._object(value, schema, exact)
            case "array":
                return self._array(value, schema, exact)
            case "integer":
                return self._integer(value)
            case "number":
                return self._number(value, schema, exact)
            case "string":
                return self._string(value, schema, exact)
            case "boolean" if isinstance(truth := as_scalar(value), bool):
                return truth
            case "null" if value is None:
                return None
            case "boolean" | "null":
                raise _mismatch(value, _WORDS[kind])
            case _:
                return self.free(value)

    def _any_of(self, value: Any, schema: Mapping[str, Any], variants: list[Any]) -> Any:
        named = [each for each in variants if self.resolve(each).get("title") == type(value).__name__]
        return first_fit(
            [(variant, exact) for exact in (True, False) for variant in [*named, *variants]],
            # Not `dump`, which would report the value as containing itself.
            lambda variant: self._dump(value, self.resolve(variant[0]), variant[1]),
            lambda: _mismatch(value, " | ".join(_words(self.resolve(each)) for each in variants)),
        )

    def _choice(self, value: Any, schema: Mapping[str, Any]) -> Any:
        allowed = [_whole(each) for each in (schema.get("enum") or [schema.get("const")])]
        candidates = [as_scalar(value)]
        if isinstance(value, enum.Enum):
            candidates = [value.name, value.value] if self.by_name else [value.value, value.name]
        for candidate in candidates:
            # No other types, because their `==` may return anything.
            for each in allowed if isinstance(candidate, str | int | float | None) else ():
                if each == candidate and isinstance(each, bool) == isinstance(candidate, bool):
                    return each
        raise _mismatch(value, f"one of {', '.join(map(repr, allowed))}")

    def _object(self, value: Any, schema: Mapping[str, Any], exact: bool) -> Any:
        if is_frame_value(value) and (not schema or is_frame_schema(self.resolve(schema))):
            return as_frame_data(value)
        if isinstance(value, File | Dir):
            return {"path": absolute_uri(value.uri), "name": value.name, "format": value.format, "hash": value.hash}
        properties = schema.get("properties")
        others = schema.get("additionalProperties")
        if is_data_instance(value) and not is_frame_value(value):
            return self._members(value, schema, exact)
        if is_tuple(value) and is_mapping(properties) and set(properties) == {f"item_{n}" for n in range(len(value))}:
            return {f"item_{n}": self._part(f"[{n}]", v, properties[f"item_{n}"], exact) for n, v in enumerate(value)}
        if not is_mapping(value):
            mismatch = _mismatch(value, _words(schema))
            if schema.get("title") in ("File", "Dir"):
                mismatch.reason += f"; {how_to_store(schema['title'])}"
            raise mismatch
        if not is_mapping(properties):
            return {_key(k): self._part(f"[{k!r}]", v, others, exact) for k, v in value.items()}
        unknown = [key for key in value if key not in properties]
        if unknown and (not others or exact):
            close = difflib.get_close_matches(str(unknown[0]), list(properties), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(properties) or 'no fields'}"
            raise Mismatch(f"{_words(schema)} has no field {unknown[0]!r}{hint}")
        dumped = {
            _key(key): self._part(f"[{key!r}]", item, properties.get(key, others), exact) for key, item in value.items()
        }
        return self._complete(dumped, schema)

    def _members(self, value: Any, schema: Mapping[str, Any], exact: bool) -> Any:
        """Convert an instance of any data class with the right fields, because readers have their own classes."""
        properties: Mapping[str, Any] = schema.get("properties") or {}
        held = contents(value)
        required: list[Any] = schema.get("required") or []
        title: str = schema.get("title") or ""
        if exact and title and title.rpartition("Wrapper_")[2] != type(value).__name__:
            raise _mismatch(value, _words(schema))
        strange = [key for key in held if key not in properties]
        if properties and strange and not schema.get("additionalProperties"):
            raise _mismatch(value, _words(schema))
        dumped: dict[str, Any] = {}
        for key, item in held.items():
            part = properties.get(key, True)
            if item is None and key not in required and not self._nullable(part):
                continue
            try:
                dumped[key] = self._part(f".{key}", item, part, exact)
                continue
            except Mismatch:
                if not is_model(type(value)):
                    raise
            # A custom type: the model knows how to encode it.
            dumped[key] = self._part(f".{key}", value.model_dump(mode="json", include={key})[key], part, exact)
        return self._complete(dumped, schema)

    def _complete(self, dumped: dict[Any, Any], schema: Mapping[str, Any]) -> dict[Any, Any]:
        required: list[Any] = schema.get("required") or []
        missing = [key for key in required if key not in dumped]
        if missing:
            raise Mismatch(f"{_words(schema)} needs {', '.join(map(repr, missing))}")
        return dumped

    def _nullable(self, schema: Any) -> bool:
        schema = self.resolve(schema)
        variants: list[Any] = schema.get("anyOf") or schema.get("oneOf") or []
        kinds: Any = schema.get("type")
        return (
            kinds == "null"
            or (is_list(kinds) and "null" in kinds)
            or not (variants or kinds or "enum" in schema or "const" in schema)
            or any(self._nullable(variant) for variant in variants)
        )

    def _array(self, value: Any, schema: Mapping[str, Any], exact: bool) -> Any:
        items: list[Any]
        if is_set(value) and schema.get("uniqueItems"):
            items = sorted(value, key=lambda item: (type(item).__name__, str(item)))
        elif is_list_or_tuple(value) and not (exact and "prefixItems" in schema and is_list(value)):
            items = [*value]
        else:
            raise _mismatch(value, _words(schema))
        prefix: list[Any] = schema.get("prefixItems") or []
        if prefix and len(items) != len(prefix):
            raise Mismatch.between(f"{len(prefix)} items", str(len(items)))
        each = [*prefix, *[schema.get("items", True)] * (len(items) - len(prefix))]
        return [self._part(f"[{i}]", item, part, exact) for i, (item, part) in enumerate(zip(items, each, strict=True))]

    def _integer(self, value: Any) -> int:
        value = as_scalar(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _mismatch(value, "int")
        return integer(value)

    def _number(self, value: Any, schema: Mapping[str, Any], exact: bool) -> Any:
        if schema.get("format") == "time-delta" and isinstance(value, dt.timedelta):
            check_span(value)
            seconds = value.total_seconds()
            if dt.timedelta(seconds=seconds) != value:
                raise Mismatch("this timedelta cannot be expressed exactly as seconds", fits_type=True)
            return seconds
        if schema.get("format") == "integer":
            return self._integer(value)
        value = as_scalar(value)
        if isinstance(value, int) and not isinstance(value, bool) and not exact:
            if abs(value) > 2**53:
                raise Mismatch("this int has no exact float; convert it with float() to round it", fits_type=True)
            return float(value)
        if not isinstance(value, float):
            raise _mismatch(value, "timedelta" if schema.get("format") == "time-delta" else "float")
        return float(value)

    def _string(self, value: Any, schema: Mapping[str, Any], exact: bool) -> Any:
        style = schema.get("format")
        if isinstance(value, str) and not isinstance(value, enum.Enum) and style not in ("binary", "base64"):
            if style in _FORMATS:
                _check_format(value, style, schema, exact)
            return encodable(value)
        if style == "date-time" and isinstance(value, dt.datetime):
            check_moment(value)
            return value.isoformat()
        if style == "date" and isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            return value.isoformat()
        if style == "time" and isinstance(value, dt.time):
            return value.isoformat()
        if style == "duration" and isinstance(value, dt.timedelta):
            check_span(value)
            return _iso_duration(value)
        if style in ("binary", "base64") and isinstance(value, bytes | bytearray):
            return _bytes(bytes(value), readable=style == "binary")
        known = textual_format(type(value))
        if known and (style == known or (known == "decimal" and style is None)):
            return str(value)
        raise _mismatch(value, _words(schema))

    def free(self, value: Any) -> Any:
        """Convert data without a schema: JSON values, bytes, and data classes."""
        match as_scalar(value):
            case enum.Enum():
                return self.free(value.name if self.by_name else value.value)
            case None | bool() as plain:
                return plain
            case int() as whole:
                return integer(whole)
            case float() as number:
                return float(number)
            case str():
                return encodable(value)
            case bytes() | bytearray():
                return bytes(value)
            case _:
                pass
        if isinstance(value, File | Dir) or is_frame_value(value):
            return self._object(value, {}, False)
        if is_data_instance(value):
            return {key: self._part(f".{key}", item, True, False) for key, item in contents(value).items()}
        if is_mapping(value):
            return {_key(key): self._part(f"[{key!r}]", item, True, False) for key, item in value.items()}
        if is_list_or_tuple(value):
            return [self._part(f"[{i}]", item, True, False) for i, item in enumerate(value)]
        raise Mismatch(
            f"a dict may hold JSON values, dataclasses and dicts of them; {type(value).__name__} is none of these"
        )

    def _part(self, step: str, value: Any, schema: Any, exact: bool) -> Any:
        return located(step, self.dump, value, schema, exact=exact)


def integer(value: int) -> int:
    """Check that MessagePack can encode an integer."""
    if value not in _INTEGERS:
        raise Mismatch(f"an int must fit into 64 bits, this one takes {value.bit_length() + 1}", fits_type=True)
    return int(value)


def _mismatch(value: Any, expected: str) -> Mismatch:
    return Mismatch.between(expected, type_of(value))


def _key(key: Any) -> Any:
    key = as_scalar(key)
    if isinstance(key, str):
        return encodable(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return integer(key)
    if isinstance(key, float):
        return float(key)
    raise Mismatch(f"keys must be str, int or float, this one is {type(key).__name__}")


def _words(schema: Mapping[str, Any]) -> str:
    """Describe a schema for errors."""
    title, kind = schema.get("title"), schema.get("type")
    if kind == "object":
        return title.rpartition("Wrapper_")[2] if isinstance(title, str) else "dict"
    if kind == "array":
        return "tuple" if "prefixItems" in schema else "set" if schema.get("uniqueItems") else "list"
    if kind == "string" and schema.get("format"):
        return _FORMAT_WORDS.get(schema["format"], "str")
    return _WORDS.get(kind, "a JSON value") if isinstance(kind, str) else "a JSON value"


_WORDS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_FORMAT_WORDS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "binary": "bytes",
    "base64": "bytes",
    "uuid": "UUID",
    "decimal": "Decimal",
    "path": "Path",
}


def _whole(value: Any) -> Any:
    """Convert a value in a schema: the schema's message stores all numbers as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_format(value: str, style: str, schema: Mapping[str, Any], exact: bool) -> None:
    try:
        load(value, _FORMATS[style])
    except Mismatch:
        raise Mismatch.between(_words(schema), repr(value[:40])) from None
    if exact:
        raise _mismatch(value, _words(schema))


def _iso_duration(value: dt.timedelta) -> str:
    sign, span = ("-", -value) if value < dt.timedelta(0) else ("", value)
    fraction = f".{span.microseconds:06}" if span.microseconds else ""
    return f"{sign}P{span.days}DT{span.seconds}{fraction}S"


def _bytes(value: bytes, *, readable: bool) -> str | bytes:
    """Encode bytes in a model as text if possible, like pydantic."""
    if not readable:
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
