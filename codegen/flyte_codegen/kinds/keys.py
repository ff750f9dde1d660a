"""Declare the keys of codegen.toml. The reader, the JSON Schema and the reference page use the same declaration of a key."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection
from typing import Any

import attrs

_PART = rf"(?!({'|'.join(keyword.kwlist)})\b)[A-Za-z_]\w*"
_METADATA = "key"


@attrs.frozen
class KeyType:
    """The type of a key's value: its description, its JSON Schema, and the value of an unset key."""

    what: str
    schema: dict[str, Any]
    empty: Any = ""
    pattern: re.Pattern[str] | None = None


def _text(what: str, pattern: str) -> KeyType:
    return KeyType(what, {"type": "string", "pattern": f"^({pattern})$"}, pattern=re.compile(pattern, re.ASCII))


_STRING = {"type": "string"}
TEXT = KeyType("a string", _STRING)
NAME = _text("a valid Python name", _PART.replace(r"\w", "[A-Za-z0-9_]"))
MODULE = _text("a valid module name", rf"{_PART}(\.{_PART})*")
CLASS = _text("module:Class", r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
FLAG = KeyType("true or false", {"type": "boolean"}, empty=False)
NUMBER = KeyType("an integer of at least 0", {"type": "integer", "minimum": 0}, empty=0)
TEXTS = KeyType("a list of strings", {"type": "array", "items": _STRING}, empty=())
MAPPING = KeyType("a table of strings", {"type": "object", "additionalProperties": _STRING}, empty={})
NAMES_BY_PATH = attrs.evolve(MAPPING, what="a table of Python names by path")
PATHS = KeyType(
    "a list of paths and tables, or a table of paths by Python name",
    {
        "anyOf": [
            {"type": "array", "items": {"anyOf": [_STRING, MAPPING.schema]}},
            MAPPING.schema,
        ]
    },
    empty={},
)
PAGES = attrs.evolve(MAPPING, what="a table of paths", empty=None)


@attrs.frozen
class Key:
    """One key of a table."""

    type: KeyType
    doc: str
    required: bool
    among: Callable[[], Collection[str]] | None

    @property
    def choices(self) -> Collection[str]:
        """The allowed values; empty if every value of the type is allowed."""
        return self.among() if self.among else ()


def key(
    type_: KeyType,
    doc: str,
    *,
    default: Any = None,
    required: bool = False,
    among: Callable[[], Collection[str]] | None = None,
) -> Any:
    """Declare a key of a table. The attribute of the table's class has the name of the key, and holds its value.

    Args:
        type_: The type of the value.
        doc: The description of the key in the schema and on the reference page.
        default: The value of an unset key. Default: the empty value of `type_`.
        required: Whether the key must be set.
        among: Returns the allowed values. Default: every value of `type_` is allowed.
    """
    empty = type_.empty if default is None else default
    return attrs.field(default=empty, metadata={_METADATA: Key(type_, doc, required, among)})


def keys_of(table: type[Any]) -> dict[str, tuple[Key, Any]]:
    """Return the keys of a table with their defaults, by name."""
    return {a.name: (a.metadata[_METADATA], a.default) for a in attrs.fields(table) if _METADATA in a.metadata}
