"""The tables that betterproto2 and `dataclasses` expect on a message, built on first use."""

from __future__ import annotations

import dataclasses
from typing import Any

import betterproto2

from .spec import AnyMessage, FieldSpec

_PYTHON: dict[str, Any] = {"string": str, "bytes": bytes, "bool": bool, "float": float, "double": float}


def type_hints(cls: type[AnyMessage]) -> dict[str, Any]:
    """Return the resolved annotation of every field."""
    return {name: _hint(cls, spec) for name, spec in cls.specs().items()}


def _hint(cls: type[AnyMessage], spec: FieldSpec) -> Any:
    if spec.label == "map":
        key, value = spec.map_kinds
        return dict.__class_getitem__((_single(cls, spec, key), _single(cls, spec, value)))
    single = _single(cls, spec, spec.kind)
    if spec.label == "repeated":
        return list.__class_getitem__(single)
    return single | None if spec.label == "optional" else single


def _single(cls: type[AnyMessage], spec: FieldSpec, kind: str) -> Any:
    if kind in ("message", "enum"):
        return getattr(cls, spec.name).target
    return _PYTHON.get(kind, int)


def dataclass_fields(cls: type[AnyMessage]) -> dict[str, Any]:
    """Return the `dataclasses.Field` of every field, with betterproto2's metadata."""
    hints = type_hints(cls)
    made = dataclasses.make_dataclass(
        cls.__name__, [(name, hints[name], _field(cls, spec)) for name, spec in cls.specs().items()]
    )
    return {field.name: field for field in dataclasses.fields(made)}


def _field(cls: type[AnyMessage], spec: FieldSpec) -> Any:
    oneof = spec.oneof or None
    if spec.label == "map":
        key, value = spec.map_kinds
        return betterproto2.field(spec.number, "map", map_meta=betterproto2.map_meta(key, value))
    default = None
    if spec.kind == "enum" and spec.label == "implicit":
        enum = _single(cls, spec, "enum")
        default = lambda: enum(0)  # noqa: E731
    return betterproto2.field(
        spec.number,
        spec.kind,
        default_factory=default,
        group=oneof,
        optional=spec.label == "optional" and spec.kind != "message" and not oneof,
        repeated=spec.label == "repeated",
    )
