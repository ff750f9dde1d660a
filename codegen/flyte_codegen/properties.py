"""The properties of entities: each reads a path of the message, and copes with messages missing on the way."""

from __future__ import annotations

import attrs

from . import pytypes
from .model import Field, Label
from .naming import TypeNames

_TIMESTAMP = "google.protobuf.Timestamp"


@attrs.frozen
class PyProperty:
    """A property, with the statements of its body."""

    name: str
    annotation: str
    statements: tuple[str, ...]
    doc: str


def lay_out(name: str, path: str, field: Field, types: TypeNames) -> PyProperty:
    """The property that reads `path`, which ends in `field`."""
    *steps, last = path.split(".")
    statements: list[str] = []
    at = "self.pb2"
    for i, step in enumerate(steps):
        statements.append(f"at{i} = {at}.{step}" if i == 0 else f"at{i} = None if {at} is None else {at}.{step}")
        at = f"at{i}"
    doc = field.doc or f"`{name}` of the message."
    moment = field.type_name == _TIMESTAMP and field.label is Label.OPTIONAL
    annotation = "datetime | None" if moment else pytypes.whole(field, types)
    value = f"{at}.{last}"
    if steps:
        value = f"{'None' if moment else _empty(field, annotation)} if {at} is None else {value}"
    if moment:
        statements += [f"moment = {value}", "return None if moment is None else moment.to_datetime()"]
    else:
        statements.append(f"return {value}")
    return PyProperty(name, annotation, tuple(statements), doc)


def _empty(field: Field, annotation: str) -> str:
    """What the property is while a message on the way is missing."""
    if field.label is Label.OPTIONAL:
        return "None"
    if field.label is Label.IMPLICIT:
        return f"{annotation}(0)" if field.kind == "enum" else pytypes.zero(field.kind)
    return "{}" if field.label is Label.MAP else "[]"
