"""Lazy imports, so that a program loads only what it uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

_resolved: dict[str, Any] = {}


def resolve(path: str) -> Any:
    """Return the object with the path `module:Name`, and import the module on first use."""
    try:
        return _resolved[path]
    except KeyError:
        module, _, name = path.partition(":")
        _resolved[path] = found = getattr(import_module(module), name)
        return found


def lazy_exports(
    package: str,
    exports: Mapping[str, Iterable[str]],
    submodules: Iterable[str] = (),
    advice: Callable[[str], str | None] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package that imports its names on first use.

    Args:
        package: `__name__` of the package.
        exports: Names by the module that defines them, relative to the package (".box") or absolute. `"text=as_text"`
            exports the name `text` of the module as `as_text`.
        submodules: Modules that are also attributes of the package.
        advice: Returns what to use instead of a missing name, for the `AttributeError`; None if unknown.

    Returns:
        The two functions, to be assigned in the module: `__getattr__, __dir__ = lazy_exports(...)`.
    """
    sources: dict[str, tuple[str, str]] = {}
    for module, names in exports.items():
        for entry in names:
            inner, _, name = entry.partition("=")
            sources[name or inner] = (package + module if module.startswith(".") else module, inner)
    modules = frozenset(submodules)

    def __getattr__(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in sources:
            hint = advice(name) if advice is not None else None
            raise AttributeError(f"module {package!r} has no attribute {name!r}" + (f": {hint}" if hint else ""))
        module, inner = sources[name]
        value = getattr(import_module(module), inner)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *sources, *modules})

    return __getattr__, __dir__
