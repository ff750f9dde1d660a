"""Import paths of the form `module:Name`, resolved when first used and remembered."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_resolved: dict[str, Any] = {}


def resolve(path: str) -> Any:
    """The object that `module:Name` names; the module is imported on first use."""
    try:
        return _resolved[path]
    except KeyError:
        module, _, name = path.partition(":")
        _resolved[path] = found = getattr(import_module(module), name)
        return found
