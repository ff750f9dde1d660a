"""The protobuf JSON mapping, both ways."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .betterproto import type_hints
from .wire import EncodeError

if TYPE_CHECKING:
    from .message import FieldSpec, Message

M = TypeVar("M", bound="Message")

_WIDE = frozenset({"int64", "uint64", "sint64", "fixed64", "sfixed64"})
_FLOATS = frozenset({"float", "double"})
_NAMED_FLOATS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def to_json_value(message: Message, *, plain: bool, snake: bool, defaults: bool) -> Any:
    """See `Message.to_dict`."""
    special = getattr(message, "_to_plain" if plain else "_to_json", None)
    if special is not None:
        return special()
    options: dict[str, bool] = {"plain": plain, "snake": snake, "defaults": defaults}
    out: dict[str, Any] = {}
    fields = [(n, getattr(message, n)) for n in type(message).specs()] if defaults else message.set_fields()
    for name, value in fields:
        spec = type(message).specs()[name]
        if value is None and spec.kind == "message" and spec.oneof:
            continue
        key = spec.proto_name if snake else spec.json_name
        if spec.label == "repeated":
            out[key] = [_value(spec.kind, item, options) for item in value]
        elif spec.label == "map":
            kind = spec.kind[4:-1].split(",")[1]
            out[key] = {(k if plain else _key(k)): _value(kind, v, options) for k, v in value.items()}
        else:
            out[key] = None if value is None else _value(spec.kind, value, options)
    return out


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _value(kind: str, value: Any, options: dict[str, bool]) -> Any:
    if kind == "message":
        return to_json_value(value, **options)
    return value if options["plain"] else scalar_to_json(kind, value)


def scalar_to_json(kind: str, value: Any) -> Any:
    """The JSON form of a number, text, bytes or enum."""
    if kind == "enum":
        if type(value).__name__ == "NullValue":
            return None
        return value.proto_name or int(value) if value.name else int(value)
    if kind in _WIDE:
        return str(value)
    if kind in _FLOATS:
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    if kind == "bytes":
        return base64.b64encode(value).decode()
    return value


def from_json_value(cls: type[M], value: Any, ignore_unknown: bool) -> M:
    """See `Message.from_dict`."""
    return _message(cls, value, ignore_unknown, cls.__name__)


def _message(cls: type[M], value: Any, ignore_unknown: bool, path: str) -> M:
    special = getattr(cls, "_from_json", None)
    if special is not None:
        try:
            return special(value)  # type: ignore[no-any-return]
        except EncodeError:
            raise
        except (ValueError, TypeError, AttributeError, KeyError) as cause:
            raise ValueError(f"{path}: {value!r} is not a JSON form of {cls.__name__}: {cause}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} takes an object, not {type(value).__name__}")
    by_name: dict[str, FieldSpec] = {}
    for spec in cls.specs().values():
        by_name[spec.json_name] = by_name[spec.proto_name] = spec
    hints = type_hints(cls)
    made: dict[str, Any] = {}
    for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
        spec_found = by_name.get(str(key))  # pyright: ignore[reportUnknownArgumentType]
        if spec_found is None:
            if ignore_unknown:
                continue
            raise ValueError(f"{path} has no field {key!r}")
        made[spec_found.name] = _field(
            spec_found, hints[spec_found.name], item, ignore_unknown, f"{path}.{spec_found.name}"
        )
    return cls(**made)


def _field(spec: FieldSpec, hint: Any, value: Any, ignore_unknown: bool, path: str) -> Any:
    target = next((a for a in getattr(hint, "__args__", ()) if a is not type(None)), hint)
    if value is None:
        null = getattr(target, "_null", None)
        return null() if null is not None and spec.label == "optional" else None
    if spec.label == "repeated":
        if not isinstance(value, list):
            raise ValueError(f"{path} takes a list, not {type(value).__name__}")
        items: list[Any] = value
        return [_single(spec.kind, target, v, ignore_unknown, f"{path}[{i}]") for i, v in enumerate(items)]
    if spec.label == "map":
        if not isinstance(value, Mapping):
            raise ValueError(f"{path} takes an object, not {type(value).__name__}")
        key_kind, kind = spec.kind[4:-1].split(",")
        target = hint.__args__[1]
        entries: Mapping[Any, Any] = value
        return {
            _map_key(key_kind, k, path): _single(kind, target, v, ignore_unknown, f"{path}[{k!r}]")
            for k, v in entries.items()
        }
    return _single(spec.kind, target, value, ignore_unknown, path)


def _map_key(kind: str, key: Any, path: str) -> Any:
    if kind == "bool" and isinstance(key, str):
        if key not in ("true", "false"):
            raise ValueError(f"{path} has the key {key!r}, which is neither true nor false")
        return key == "true"
    return _single(kind, None, key, False, path)


def _single(kind: str, target: Any, value: Any, ignore_unknown: bool, path: str) -> Any:
    try:
        if kind == "message":
            if value is None and hasattr(target, "_null"):
                return target._null()
            return _message(target, value, ignore_unknown, path)
        if kind == "enum":
            return _enum(target, value)
    except (TypeError, AttributeError) as cause:
        raise ValueError(f"{path} takes {kind}, not {value!r}: {cause}") from None
    return scalar_from_json(kind, value, path)


def scalar_from_json(kind: str, value: Any, path: str) -> Any:
    """The number, text or bytes of a JSON form; `path` is named when it does not fit."""
    try:
        if kind in _FLOATS:
            return _float(value)
        if kind == "bytes":
            return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
        if kind == "string" and isinstance(value, str):
            return value
        if kind == "bool" and isinstance(value, bool):
            return value
        if kind not in ("string", "bool"):
            return _integer(value)
    except (TypeError, AttributeError, binascii.Error) as cause:
        raise ValueError(f"{path} takes {kind}, not {value!r}: {cause}") from None
    raise ValueError(f"{path} takes {kind}, not {value!r}")


def _enum(target: Any, value: Any) -> Any:
    if isinstance(value, str):
        renamed = target.betterproto_renamed_proto_names_to_value()
        return target(renamed[value]) if value in renamed else target.from_string(value)
    return target(_integer(value))


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("true and false are not numbers")
    return _NAMED_FLOATS[value] if isinstance(value, str) and value in _NAMED_FLOATS else float(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("true and false are not numbers")
    if isinstance(value, float) and not value.is_integer():
        raise TypeError("it has a fraction")
    return int(value)
