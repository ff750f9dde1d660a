"""Compare two versions of `rules.toml`: stricter rules make a server reject requests that it accepted before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flyte_codegen.configuration.lines import is_table
from flyte_codegen.configuration.rules import Rules
from flyte_codegen.definitions.model import Api

from .changes import Change

_UPPER = frozenset({"max_len", "max_bytes", "max_items", "max_pairs", "lt", "lte"})
_LOWER = frozenset({"min_len", "min_bytes", "min_items", "min_pairs", "gt", "gte"})
_IGNORE = "ignore_empty"


def compare_rules(old: Api, new: Api, was: Rules, now: Rules) -> Iterator[Change]:
    """Return the changed rules of request fields that both versions have."""
    sent = _sent(old) & _sent(new)
    for field in sorted({*was.fields, *now.fields}):
        message, _, name = field.rpartition(".")
        before, after = was.fields.get(field, {}), now.fields.get(field, {})
        both = message in sent and old.messages[message].field(name) and new.messages[message].field(name)
        if not both or before == after:
            continue
        tightened = list(_tightened(before, after))
        if tightened:
            yield Change("field", field, "checked more strictly", ", ".join(tightened), wire=True)
        else:
            yield Change("field", field, "checked less strictly", f"{_shown(before)} -> {_shown(after)}")


def _sent(api: Api) -> set[str]:
    """Return the messages that occur in requests."""
    found: set[str] = set()
    waiting = [method.request for service in api.services() for method in service.methods]
    while waiting:
        name = waiting.pop()
        if name in api.messages and name not in found:
            found.add(name)
            waiting += [field.type_name for field in api.messages[name].fields if field.type_name]
    return found


def _tightened(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rules that reject values they accepted before."""
    if after and _IGNORE in before and _IGNORE not in after:
        yield "for empty values, too"
    for key, value in after.items():
        known = before.get(key)
        if is_table(value):  # rules for each item of a list, or for each key or value of a map
            yield from (f"{key} {rule}" for rule in _tightened(known if is_table(known) else {}, value))
        elif value != known and not _looser(key, known, value):
            yield f"{key} {value}" if known is None else f"{key} {known} -> {value}"


def _looser(key: str, known: object, value: object) -> bool:
    if isinstance(known, int | float) and isinstance(value, int | float):
        return (key in _UPPER and value > known) or (key in _LOWER and value < known) or value is False
    return value is False or key == _IGNORE


def _shown(rule: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in rule.items()) or "no rule"
