"""The properties of entities: each reads a path of the message, and handles unset messages along the path.

Where possible, longer paths are read from the encoded bytes, so that listings need not decode the messages in between.
"""

from __future__ import annotations

import attrs

from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Field, Label
from flyte_codegen.python import types as python_types
from flyte_codegen.python.type_names import TypeNames

_TIMESTAMP = "google.protobuf.Timestamp"
_DIRECT = ("string", "bytes", "bool", "enum", "int32", "int64", "uint32", "uint64")
"""The kinds of field that can be read from the encoded bytes by tag alone."""


@attrs.frozen
class PyProperty:
    """A property, with the statements of its body. `constant` is the assignment of the path they read, if any."""

    name: str
    annotation: str
    statements: tuple[str, ...]
    doc: str
    constant: str = ""
    path: str = ""


def lay_out(name: str, path: str, field: Field, types: TypeNames) -> PyProperty:
    """Return the property that reads `path`, which ends in `field`."""
    *steps, last = path.split(".")
    doc = deprecations.noted(field.doc or f"`{name}` of the message.", field.deprecated)
    moment = field.type_name == _TIMESTAMP and field.label is Label.OPTIONAL
    annotation = "datetime | None" if moment else python_types.whole(field, types)
    direct = field.kind in _DIRECT or moment
    if steps and direct and field.label in (Label.IMPLICIT, Label.OPTIONAL):
        constant = f"_{name.upper()}"
        declared = f"{constant} = moment_path" if moment else f"{constant}: Reads[{annotation}] = path"
        return PyProperty(name, annotation, (f"return {constant}(self.pb2)",), doc, declared, path)
    value, statements = _by_attributes(steps, last, "None" if moment else _empty(field, annotation))
    if moment:
        statements += [f"moment = {value}", "return None if moment is None else moment.to_datetime()"]
    else:
        statements.append(f"return {value}")
    return PyProperty(name, annotation, tuple(statements), doc)


def _by_attributes(steps: list[str], last: str, empty: str) -> tuple[str, list[str]]:
    """Return the expression for the value at the end of the steps, and the statements before it."""
    if not steps:
        return f"self.pb2.{last}", []
    at, statements = "self.pb2", list[str]()
    for i, step in enumerate(steps):
        parent = f"parent{i}" if i else "parent"
        statements.append(f"{parent} = {at}.{step}" if i == 0 else f"{parent} = None if {at} is None else {at}.{step}")
        at = parent
    return f"{empty} if {at} is None else {at}.{last}", statements


def _empty(field: Field, annotation: str) -> str:
    """Return the expression for the property's value while a message along the path is unset."""
    if field.label is Label.OPTIONAL:
        return "None"
    if field.label is Label.IMPLICIT:
        return f"{annotation}(0)" if field.kind == "enum" else python_types.zero(field.kind)
    return "{}" if field.label is Label.MAP else "[]"
