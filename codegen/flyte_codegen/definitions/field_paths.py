"""Paths through messages: sequences of fields, which have names in protobuf and in Python."""

from __future__ import annotations

import attrs

from .model import Api, Field, Label, Message


@attrs.frozen
class FieldPath:
    """A path from a message to one of its fields, or to a field of a message within."""

    fields: tuple[Field, ...] = ()

    def __truediv__(self, field: Field) -> FieldPath:
        """Return the path to a field of the message at this path."""
        return FieldPath((*self.fields, field))

    def __len__(self) -> int:
        return len(self.fields)

    def __str__(self) -> str:
        """The names in the definitions, with dots between."""
        return ".".join(field.name for field in self.fields)

    @property
    def python(self) -> str:
        """The names in Python, with dots between."""
        return ".".join(field.py_name for field in self.fields)

    @property
    def last(self) -> Field:
        """The field that the path leads to."""
        return self.fields[-1]

    @property
    def parent(self) -> FieldPath:
        """The path without its last field."""
        return FieldPath(self.fields[:-1])

    @property
    def is_repeated(self) -> bool:
        """Whether it leads to a repeated field."""
        return self.last.label is Label.REPEATED

    def starts_with(self, path: FieldPath) -> bool:
        """Whether another path leads to this one's message, or to a message around it."""
        return self.fields[: len(path)] == path.fields


def find(api: Api, message: Message | None, path: str) -> FieldPath | None:
    """Return the path with these names; None if a field does not exist. Names in the definitions take precedence over Python names."""
    fields: list[Field] = []
    for name in path.split("."):
        known = message.fields if message else ()
        # `class` and `class_` become `class_` and `class__` in Python.
        named = next((f for f in known if f.name == name), None)
        field = named or next((f for f in known if f.py_name == name), None)
        if field is None:
            return None
        fields.append(field)
        message = api.messages.get(field.type_name) if field.kind == "message" else None
    return FieldPath(tuple(fields))
