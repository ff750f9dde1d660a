"""Summaries: functions that build a listing's message from the details message of the same resource."""

from __future__ import annotations

import attrs

from flyte_codegen.definitions.model import Api, Field, Label, Message
from flyte_codegen.names import snake
from flyte_codegen.python import types as python_types
from flyte_codegen.python.type_names import TypeNames


@attrs.frozen
class Summary:
    """A function that copies the fields that two messages share. Fields missing in the details become parameters."""

    name: str
    annotation: str
    doc: str
    params: tuple[tuple[str, str], ...]
    """Name and type of each field that the details lack."""
    copied: tuple[tuple[str, str], ...]
    """Name and expression of each field that the details have."""


def name(entity: str) -> str:
    """The name of an entity's summary function."""
    return f"{snake(entity)}_summary"


def lay_out(api: Api, function: str, summary: Message, details: Message, types: TypeNames) -> Summary:
    """Return the function that builds `summary` from `details`. Its `copied` is empty when they share no field."""
    copied = _Copier(api, types).fields(summary, details, "details", frozenset())
    missing = [field for field in summary.fields if field.py_name not in copied]
    doc = f"Build the message of a listing from `{details.full_name}`."
    if missing:
        doc += " Its other fields are arguments."
    return Summary(
        name=function,
        annotation=types.name(details.full_name),
        doc=doc,
        params=tuple((field.py_name, python_types.whole(field, types)) for field in missing),
        copied=tuple(copied.items()),
    )


class _Copier:
    """Finds the fields of one message in another."""

    def __init__(self, api: Api, types: TypeNames) -> None:
        self._api, self._types = api, types

    def fields(self, target: Message, source: Message, holder: str, above: frozenset[str]) -> dict[str, str]:
        """Return, for each field of `target` that `source` has, the expression that reads it from `holder`.

        Args:
            above: The messages being copied further up; recursive messages are not copied.
        """
        found: dict[str, str] = {}
        for field in target.fields:
            other = source.field(field.name)
            if other is not None and (read := self._read(field, other, f"{holder}.{other.py_name}", above)):
                found[field.py_name] = read
        return found

    def _read(self, field: Field, other: Field, path: str, above: frozenset[str]) -> str:
        if _type(field) == _type(other):
            return path
        # Two message fields of different types may describe the same resource, such as an action and its details.
        single = {field.label, other.label} == {Label.OPTIONAL}
        if not single or field.kind != "message" or other.kind != "message" or field.type_name in above:
            return ""
        target = self._api.messages[field.type_name]
        parts = self.fields(target, self._api.messages[other.type_name], path, above | {field.type_name})
        if not parts or len(parts) < len(target.fields):
            return ""
        values = ", ".join(f"{name}={value}" for name, value in parts.items())
        return f"None if {path} is None else {self._types.name(field.type_name)}({values})"


def _type(field: Field) -> tuple[str, Label, str, str, str]:
    return field.kind, field.label, field.type_name, field.map_key, field.map_value
