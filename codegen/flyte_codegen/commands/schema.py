"""`flyte-codegen schema`: the keys of codegen.toml, as a JSON Schema for editors or as a page for people."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from flyte_codegen.configuration.tables import SECTIONS, EntityConfig, MethodConfig, Section
from flyte_codegen.kinds.filters import FILTER_KINDS
from flyte_codegen.kinds.keys import MAPPING, Key, KeyType, keys_of
from flyte_codegen.kinds.methods import METHOD_KINDS, MethodKind

_DRAFT = "http://json-schema.org/draft-07/schema#"
_TITLE = "codegen.toml of flyte-codegen"
_PAGE = """\
# Keys of codegen.toml

<!-- Written by `flyte-codegen schema --markdown`. Do not edit. -->

[The generator](generator.md) explains how to use these keys. `flyte-codegen schema` prints them as a JSON Schema. To let editors
with support for TOML schemas complete and check codegen.toml, write the output of the command to codegen.schema.json, and begin
codegen.toml with the line `#:schema ./codegen.schema.json`.
"""
_SEVERAL = """\
One RPC can give several methods. Write a list of tables, each with the `name` of its method:

```toml
[entities.Book]
methods.GetBook = [{ name = "get" }, { name = "refresh", on = "instance" }]
```"""
_KINDS = """
## Kinds of method

The values of a method's `kind`. The last column lists the settings that only some kinds have. The other settings are the same for
all kinds, with these limits: `pages` applies to lists, and `filters`, `sort` and `sort_keys` need a request with a field for them.

{methods}

## Kinds of filter

The values of a filter's `kind`. The last column lists the required keys of the kind.

{filters}
"""


def as_json_schema() -> str:
    """Return the JSON Schema of codegen.toml."""
    schema = {
        "$schema": _DRAFT,
        "title": _TITLE,
        "type": "object",
        "additionalProperties": False,
        "properties": {section.name: _section(section) for section in SECTIONS},
    }
    return json.dumps(schema, indent=1)


def as_markdown() -> str:
    """Return the reference page of codegen.toml."""
    methods = _table(
        ("kind", "RPC", "returns", "settings"),
        (
            (
                f"`{kind.name}`",
                "the server streams" if kind.streams else "one reply",
                _returned(kind),
                _names(kind.settings),
            )
            for kind in METHOD_KINDS.values()
        ),
    )
    filters = _table(
        ("kind", "what the parameter takes", "required keys"),
        ((f"`{kind.name}`", kind.doc, _names(kind.keys)) for kind in FILTER_KINDS.values()),
    )
    return "\n".join([_PAGE, *map(_describe, SECTIONS)]) + _KINDS.format(methods=methods, filters=filters)


def _section(section: Section) -> dict[str, Any]:
    inner = _value(section.of) if isinstance(section.of, KeyType) else _object(section.of)
    if section.each:
        # A table of tables with any names.
        inner = {"type": "object", "additionalProperties": inner}
    elif isinstance(section.of, KeyType) and inner["type"] != "object":
        inner = {"type": "object", "additionalProperties": inner}
    return {"description": section.doc, **inner}


def _object(table: type[Any]) -> dict[str, Any]:
    keys = keys_of(table)
    properties = {name: _value(key.type, key) for name, (key, _) in keys.items()}
    if table is EntityConfig:
        tables = _object(MethodConfig)
        several = {
            "description": "A method, or a list of methods that call the same RPC.",
            "anyOf": [tables, {"type": "array", "items": tables}],
        }
        properties["methods"] = {"type": "object", "additionalProperties": several}
    required = [name for name, (key, _) in keys.items() if key.required]
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def _value(key_type: KeyType, key: Key | None = None) -> dict[str, Any]:
    found: dict[str, Any] = dict(key_type.schema)
    if key:
        found["description"] = key.doc
        if key.choices:
            found["enum"] = list(key.choices)
    return found


def _describe(section: Section) -> str:
    header = f"[{section.name}.{section.each}]" if section.each else f"[{section.name}]"
    lines = [f"## `{header}`", "", section.doc, ""]
    if isinstance(section.of, KeyType):
        lines.append(
            f"A table with {section.of.what} for each name." if section.of is not MAPPING else "A table of strings."
        )
    else:
        lines.append(_keys(section.of))
    if section.of is EntityConfig:
        heading = f"### `{header[:-1]}.methods.RPC]`"
        lines += ["", heading, "", MethodConfig.__doc__ or "", "", _SEVERAL, "", _keys(MethodConfig)]
    return "\n".join(lines) + "\n"


def _keys(table: type[Any]) -> str:
    return _table(
        ("key", "value", "meaning"),
        ((f"`{name}`", _what(key), _meaning(key, default)) for name, (key, default) in keys_of(table).items()),
    )


def _what(key: Key) -> str:
    return " or ".join(f"`{choice}`" for choice in key.choices) or key.type.what


def _meaning(key: Key, default: object) -> str:
    if key.required:
        return f"{key.doc} Required."
    shown = "" if default == key.type.empty or "Default:" in key.doc else f" Default: `{json.dumps(default)}`."
    return f"{key.doc}{shown}"


def _returned(kind: MethodKind) -> str:
    what = {True: "entities", False: "messages", None: "the reply, or an entity"}[kind.makes_entities]
    if kind.container:
        return f"a `{kind.container}` of {what}"
    return "an entity" if kind.makes_entities else what


def _names(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
