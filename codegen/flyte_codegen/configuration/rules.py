"""Validation rules of requests: `rules.toml` beside the definitions, and [rules] in codegen.toml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from flyte_codegen.diagnostics import raise_errors

from .fingerprint import RULES
from .lines import Source, parsed
from .settings import Config
from .toml import Section

_REMEDY = "restore it, or run `flyte-codegen import`"


@attrs.frozen
class Rules:
    """Rules by full field name, `package.Message.field`."""

    fields: Mapping[str, Mapping[str, Any]]

    def length(self, field: str) -> tuple[int, int]:
        """Return the minimum and maximum length of a string; 0 for no bound."""
        rule = self.fields.get(field, {})
        return int(rule.get("min_len", 0)), int(rule.get("max_len", 0))

    def required(self, field: str) -> bool:
        """Whether servers reject a request without the field."""
        rule = self.fields.get(field, {})
        return bool(rule.get("required")) or int(rule.get("min_len", 0)) > 0


def read_rules(config: Config) -> Rules:
    """Read the rules beside the definitions; codegen.toml overrides them."""
    fields: dict[str, Mapping[str, Any]] = {}
    for root in (*config.include, *config.protos):
        table = Path(root, RULES)
        if table.is_file():
            content = table.read_bytes()
            data = parsed(str(table), content, _REMEDY)
            fields |= _checked(Section(Source(str(table), content.decode()), (), data, []))
    return Rules({**fields, **config.rules})


def _checked(top: Section) -> dict[str, Mapping[str, Any]]:
    """Return the rules of fields, after checking the types of the ones used here."""
    fields: dict[str, Mapping[str, Any]] = {}
    for field, section in top.sections("fields"):
        section.flag("required")
        section.number("min_len")
        section.number("max_len")
        fields[field] = section.table
    raise_errors(attrs.evolve(finding, remedy=_REMEDY) for finding in top.findings)
    return fields
