"""Summaries: functions that build a listing's message from the details message of the same resource."""

from __future__ import annotations

import attrs

from flyte_codegen.definitions.field_paths import FieldPath
from flyte_codegen.definitions.model import Api, Field, Label, Message
from flyte_codegen.kinds.code import Attribute, Call, Code, Name, UnlessNone
from flyte_codegen.names import snake

from .annotations import Types


@attrs.frozen
class Summary:
    """A function that copies the fields that two messages share. Fields missing in the details become parameters."""

    name: str
    annotation: Code
    doc: str
    params: tuple[tuple[str, Code], ...]
    """Name and type of each field that the details lack."""
    copied: tuple[tuple[str, Code], ...]
    """Name and expression of each field that the details have."""


def name(entity: str) -> str:
    """The name of an entity's summary function."""
    return f"{snake(entity)}_summary"


def lay_out(api: Api, function: str, summary: Message, details: Message, types: Types) -> Summary:
    """Return the function that builds `summary` from `details`. Its `copied` is empty when they share no field."""
    copied = _Copier(api, types).fields(summary, details, FieldPath())
    missing = [field for field in summary.fields if field.py_name not in copied]
    doc = f"Build the message of a listing from `{details.full_name}`."
    if missing:
        doc += " Its other fields are arguments."
    return Summary(
        name=function,
        annotation=types.message(details.full_name),
        doc=doc,
        params=tuple((field.py_name, types.whole(field)) for field in missing),
        copied=tuple(copied.items()),
    )


class _Copier:
    """Finds the fields of one message in another."""

    def __init__(self, api: Api, types: Types) -> None:
        self._api, self._types = api, types

    def fields(self, target: Message, source: Message, path: FieldPath) -> dict[str, Code]:
        """Return, for each field of `target` that `source` has, the expression that reads it.

        Args:
            target: The message to fill.
            source: The message with the values.
            path: The path in the details that leads to `source`.
        """
        found: dict[str, Code] = {}
        for field in target.fields:
            other = source.field(field.name)
            if other is not None and (read := self._read(field, path / other)):
                found[field.py_name] = read
        return found

    def _read(self, field: Field, path: FieldPath) -> Code | None:
        other, value = path.last, _value(path)
        if _type(field) == _type(other):
            return value
        # Two message fields of different types may describe the same resource, such as an action and its details.
        # Recursive messages are not copied.
        single = {field.label, other.label} == {Label.OPTIONAL}
        recursive = any(above.type_name == other.type_name for above in path.parent.fields)
        if not single or field.kind != "message" or other.kind != "message" or recursive:
            return None
        target = self._api.messages[field.type_name]
        parts = self.fields(target, self._api.messages[other.type_name], path)
        if not parts or len(parts) < len(target.fields):
            return None
        return UnlessNone(value, Call(self._types.message(field.type_name), (), tuple(parts.items())))


def _value(path: FieldPath) -> Code:
    code: Code = Name("details")
    for field in path.fields:
        code = Attribute(code, field.py_name)
    return code


def _type(field: Field) -> tuple[str, Label, str, str, str]:
    return field.kind, field.label, field.type_name, field.map_key, field.map_value
