"""Compare, format and validate whole messages, even if they are deep or malformed."""

from __future__ import annotations

from math import isnan
from typing import Any, Final

from flyte_rpc.typeguards import is_dict, is_list

from .spec import AnyMessage, FieldSpec
from .wire import DecodeError

_SHOWN_DEPTH: Final = 40


def equal(left: AnyMessage, right: AnyMessage) -> bool:
    """Whether two messages of one type are equal, including unknown fields; NaN equals itself."""
    waiting: list[tuple[Any, Any]] = [(left, right)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        a, b = waiting.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if type(a) is not type(b) or a._unknown_fields != b._unknown_fields:
            return False
        specs: dict[str, FieldSpec] = a.specs()
        for name in _stored(a) | _stored(b):
            x, y = getattr(a, name), getattr(b, name)
            spec = specs[name]
            if spec.label == "map" or spec.kind == "message":
                found = _pairs(spec, x, y)
                if found is None:
                    return False
                waiting += found
            elif x != y and not _same(x, y):
                return False
    return True


def _stored(message: AnyMessage) -> set[str]:
    """Return the names of fields that the message stores anything for."""
    return {key.removeprefix("*") for key in message.__dict__} - {"_unknown_fields"}


def _pairs(spec: FieldSpec, x: Any, y: Any) -> list[tuple[Any, Any]] | None:
    """Return the pairs of messages that remain to be compared for two values; None if the values differ."""
    if spec.label == "map":
        if x.keys() != y.keys():
            return None
        pairs = [(value, y[key]) for key, value in x.items()]
        if spec.map_kinds[1] == "message":
            return pairs
        return [] if all(_same(v, w) for v, w in pairs) else None
    if spec.label == "repeated":
        return list(zip(x, y, strict=True)) if len(x) == len(y) else None
    return [(x, y)] if x is not None and y is not None else None


def _same(x: Any, y: Any) -> bool:
    """Whether two scalars or lists of scalars are equal, with NaN equal to itself."""
    if is_list(x) and is_list(y):
        return len(x) == len(y) and all(map(_same, x, y))
    return bool(x == y) or (isinstance(x, float) and isinstance(y, float) and isnan(x) and isnan(y))


def show(message: AnyMessage, depth: int = 0) -> str:
    """Format the message as a constructor call. Never fails: parts that are too deep are omitted, malformed ones marked."""
    if depth > _SHOWN_DEPTH:
        return f"{type(message).__name__}(...)"
    parts: list[str] = []
    for name in message.present():
        try:
            parts.append(f"{name}={_shown(getattr(message, name), depth + 1)}")
        except DecodeError as cause:
            parts.append(f"{name}=<malformed: {cause}>")
    return f"{type(message).__name__}({', '.join(parts)})"


def _shown(value: Any, depth: int) -> str:
    if is_list(value):
        return f"[{', '.join(_shown(item, depth) for item in value)}]"
    if is_dict(value):
        return "{" + ", ".join(f"{key!r}: {_shown(item, depth)}" for key, item in value.items()) + "}"
    return show(value, depth) if hasattr(value, "specs") else repr(value)


def fault(message: AnyMessage) -> str:
    """Return the path of the first value that can't be encoded, and why; "" if there is none."""
    where, reason = type(message).__name__, ""
    found = _faulty_field(message)
    while found is not None:
        name, value, reason = found
        where += f".{name}"
        inner = [item for item in _messages(value) if _faulty_field(item)]
        if not inner:
            break
        found = _faulty_field(inner[0])
    return f"{where}: {reason}" if reason else ""


def _faulty_field(message: Any) -> tuple[str, Any, str] | None:
    for name, value in message.__dict__.items():
        try:
            message._encode({name: value}, bytearray())
        except (AttributeError, TypeError, ValueError) as cause:
            return name, value, str(cause)
    return None


def _messages(value: Any) -> list[Any]:
    items = value if is_list(value) else list(value.values()) if is_dict(value) else [value]
    return [item for item in items if hasattr(item, "specs")]
