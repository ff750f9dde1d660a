"""The properties of entities: each reads a path of the message, and handles unset messages along the path.

Where possible, longer paths are read from the encoded bytes, so that listings need not decode the messages in between.
"""

from __future__ import annotations

import attrs

from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.field_paths import FieldPath
from flyte_codegen.definitions.model import Label
from flyte_codegen.kinds.code import Attribute, Code, Literal, Name, Of, UnlessNone, call, optional

from .annotations import Types

_TIMESTAMP = "google.protobuf.Timestamp"
_DIRECT = ("string", "bytes", "bool", "enum", "int32", "int64", "uint32", "uint64")
"""The kinds of field that can be read from the encoded bytes by tag alone."""
_MESSAGE = Name("self.pb2")


@attrs.frozen
class Constant:
    """A constant of the module with a path, as a function that reads it."""

    name: str
    annotation: Code | None
    make: str
    path: str


@attrs.frozen
class PyProperty:
    """A property: its value, and the assignments of the messages along the path."""

    name: str
    annotation: Code
    assignments: tuple[tuple[str, Code], ...]
    value: Code
    doc: str
    constant: Constant | None = None


def lay_out(name: str, path: FieldPath, types: Types) -> PyProperty:
    """Return the property that reads `path`."""
    field = path.last
    doc = deprecations.noted(field.doc or f"`{path}` of the message.", field.deprecated)
    moment = field.type_name == _TIMESTAMP and field.label is Label.OPTIONAL
    annotation = optional(Name("datetime")) if moment else types.whole(field)
    direct = field.kind in _DIRECT or moment
    if len(path) > 1 and direct and field.label in (Label.IMPLICIT, Label.OPTIONAL):
        constant = Constant(
            f"_{name.upper()}",
            None if moment else Of(Name("Reads"), (annotation,)),
            "moment_path" if moment else "path",
            path.python,
        )
        return PyProperty(name, annotation, (), call(constant.name, _MESSAGE), doc, constant)
    value, assignments = _by_attributes(path, Literal(None) if moment else _empty(path, types))
    if moment:
        assignments.append(("moment", value))
        value = UnlessNone(Name("moment"), call("moment.to_datetime"))
    return PyProperty(name, annotation, tuple(assignments), value, doc)


def _by_attributes(path: FieldPath, empty: Code) -> tuple[Code, list[tuple[str, Code]]]:
    """Return the expression for the value at the end of the path, and the assignments before it."""
    at, assignments = _MESSAGE, list[tuple[str, Code]]()
    for i, field in enumerate(path.parent.fields):
        parent = Name(f"parent{i}" if i else "parent")
        step = Attribute(at, field.py_name)
        assignments.append((parent.text, UnlessNone(at, step) if i else step))
        at = parent
    value = Attribute(at, path.last.py_name)
    return (UnlessNone(at, value, empty) if assignments else value), assignments


def _empty(path: FieldPath, types: Types) -> Code:
    """Return the property's value while a message along the path is unset."""
    label = path.last.label
    if label is Label.OPTIONAL:
        return Literal(None)
    if label is Label.IMPLICIT:
        return types.zero(path.last)
    return Name("{}") if label is Label.MAP else Name("[]")
