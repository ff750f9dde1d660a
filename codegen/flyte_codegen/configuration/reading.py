"""Read a table of codegen.toml into the class that declares its keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flyte_codegen.kinds import keys
from flyte_codegen.kinds.keys import Key

from .toml import Section

T = TypeVar("T")


def read_table(table: type[T], section: Section, /, **given: Any) -> T:
    """Return a table with the values of its keys; `given` are its other attributes. Errors are collected by the section."""
    values = {name: _read(section, name, key, default) for name, (key, default) in keys.keys_of(table).items()}
    section.finish()
    return table(**values, **given)


def _read(section: Section, name: str, key: Key, default: Any) -> Any:
    if key.required:
        return section.required(name)
    if key.type is keys.TEXT:
        return section.text(name, default, among=key.choices)
    if key.type.pattern:
        return section.shaped(name, default, key.type.pattern, key.type.what)
    return _READERS[key.type.what](section, name, default)


def _pages(section: Section, name: str, _default: object) -> Mapping[str, str] | None:
    pages = section.mapping(name, names="keys")
    return pages if name in section.table else None


def _paths(section: Section, name: str, _default: object) -> Mapping[str, str]:
    """Return paths by name, from a table or from a list."""
    if not isinstance(section.table.get(name), list):
        return section.mapping(name, names="keys")
    return section.named_paths(name)


_READERS: Mapping[str, Callable[[Section, str, Any], Any]] = {
    keys.FLAG.what: lambda section, name, _: section.flag(name),
    keys.NUMBER.what: lambda section, name, _: section.number(name),
    keys.TEXTS.what: lambda section, name, default: section.texts(name, default),
    keys.MAPPING.what: lambda section, name, _: section.mapping(name),
    keys.NAMES_BY_PATH.what: lambda section, name, _: section.mapping(name, names="values"),
    keys.PATHS.what: _paths,
    keys.PAGES.what: _pages,
}
