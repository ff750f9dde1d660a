"""The converters of this process, by class and by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from .transformer import TypeTransformer


class _Converters(NamedTuple):
    by_class: Mapping[type, TypeTransformer[Any]]
    by_name: Mapping[str, TypeTransformer[Any]]


_lock = threading.Lock()
# Replaced as a whole, so that readers need no lock.
_converters = _Converters({}, {})


def add(transformer: TypeTransformer[Any], kinds: tuple[type, ...]) -> None:
    """Register a converter for classes. One for a class that was defined again, as in a notebook, replaces the former.

    Raises:
        ValueError: A class or the name has a converter already.
    """
    global _converters
    with _lock:
        by_class, by_name = dict(_converters.by_class), dict(_converters.by_name)
        former = by_name.get(transformer.name)
        if former is not None:
            if not _defined_again(former.python_type, transformer.python_type):
                raise ValueError(
                    f"the name {transformer.name!r} is taken by the converter of {_place(former.python_type)}; "
                    "choose another name"
                )
            by_class = {kind: each for kind, each in by_class.items() if each is not former}
        for kind in kinds:
            if kind in by_class:
                raise ValueError(f"{_place(kind)} has a converter already: {by_class[kind]!r}")
            by_class[kind] = transformer
        by_name[transformer.name] = transformer
        _converters = _Converters(by_class, by_name)


def converter_of(kind: Any) -> TypeTransformer[Any] | None:
    """Return the converter of a class, or of its nearest base class; None if there is none."""
    by_class = _converters.by_class
    if not by_class or not isinstance(kind, type):
        return None
    # A generic alias, such as list[int], passes for a class but has no bases.
    for base in getattr(kind, "__mro__", ()):
        found = by_class.get(base)
        if found is not None:
            return found
    return None


def is_empty() -> bool:
    """Whether no converter is registered, as in most processes."""
    return not _converters.by_class


def converter_named(name: str) -> TypeTransformer[Any] | None:
    """Return the converter with a name; None if there is none."""
    return _converters.by_name.get(name)


def _defined_again(former: type, current: type) -> bool:
    return former is not current and _place(former) == _place(current)


def _place(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
