"""Numbers, text, bytes and enums in the protobuf JSON mapping, in both directions."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any

from .wire import float32, put_float

_WIDE = frozenset({"int64", "uint64", "sint64", "fixed64", "sfixed64"})
_FLOATS = frozenset({"float", "double"})
_NAMED_FLOATS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_NULL_VALUE = "google.protobuf.NullValue"


def scalar_to_json(kind: str, value: Any) -> Any:
    """Convert a number, text, bytes or enum to JSON."""
    if kind == "enum":
        if is_null_value(value):
            return None
        return getattr(value, "proto_name", None) or int(value)
    if kind in _WIDE:
        return str(value)
    if kind in _FLOATS:
        return _float_to_json(kind, value)
    if kind == "bytes":
        return base64.b64encode(value).decode()
    return value


def _float_to_json(kind: str, value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if kind == "double":
        return value
    # The shortest digits that give the same 32 bits: 0.1, not 0.10000000149011612. Nine are always enough.
    short = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next((s for s in short if float32(put_float(s)) == value), value)


def is_null_value(enum: Any) -> bool:
    return getattr(enum, "__full_name__", "") == _NULL_VALUE


def scalar_from_json(kind: str, value: Any, path: str, target: Any = None) -> Any:
    """Convert JSON to a number, text, bytes or enum; errors name `path`."""
    try:
        if kind == "enum":
            return _enum(target, value)
        if kind in _FLOATS:
            return _float(value)
        if kind == "bytes":
            return _bytes(value)
        if kind == "string" and isinstance(value, str):
            return value
        if kind == "bool" and isinstance(value, bool):
            return value
        if kind not in ("string", "bool"):
            return _integer(value)
    except (TypeError, ValueError, OverflowError) as cause:
        raise ValueError(f"{path} takes {kind}, not {json_type(value)}: {cause}") from None
    raise ValueError(f"{path} takes {kind}, not {json_type(value)}")


def json_type(value: Any) -> str:
    """Return the type of a JSON value. Errors show only the type, because the value may be a secret."""
    return "null" if value is None else type(value).__name__


def _enum(target: Any, value: Any) -> Any:
    if value is None and is_null_value(target):
        return target(0)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        renamed = target.betterproto_renamed_proto_names_to_value()
        return target(renamed[value]) if value in renamed else target.from_string(value)
    return _integer(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError("it is written in base64")
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as cause:
        raise ValueError(f"it is not base64: {cause}") from None


def _float(value: Any) -> float:
    if isinstance(value, str):
        if value not in _NAMED_FLOATS and not _NUMBER.fullmatch(value):
            raise ValueError("it is not a number")
        return _NAMED_FLOATS[value] if value in _NAMED_FLOATS else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("it is not a number")
    return float(value)


def _integer(value: Any) -> int:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError("it is not a number")
        value = int(value) if value.lstrip("-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("it is not a number")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("it has a fraction, or is too large")
    return int(value)
