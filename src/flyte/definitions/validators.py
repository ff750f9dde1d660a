"""Checks of the fields of settings, with errors that name the field and its value."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, cast

import attrs

from flyte_rpc.arguments import flag

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def one_of(choices: Collection[str]) -> Validator:
    """Return a check that a value is one of some texts, or None where that is the default."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is None and attribute.default is None:
            return
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{attribute.name} is {value!r}; it must be one of {', '.join(map(repr, choices))}")

    return check


def is_text(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value is text, or None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{attribute.name} takes text, not {type(value).__name__}")


def is_bool(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value is True or False, or None where that is the default."""
    flag(attribute.name, value, optional=attribute.default is None)


def is_bool_of_class(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check the same, with errors that name the class too."""
    flag(f"{type(instance).__name__}.{attribute.name}", value, optional=attribute.default is None)


def is_duration(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value is a positive timedelta, or None."""
    if value is None:
        return
    if not isinstance(value, timedelta):
        raise TypeError(f"{attribute.name} takes a timedelta, not {value!r}")
    if value <= timedelta():
        raise ValueError(f"{attribute.name} is {value}; it must be positive")


def names_only(value: object) -> str:
    """Return the repr of a mapping whose values may be secrets: only its names."""
    if not value:
        return repr(value)
    return "{" + ", ".join(f"{name!r}: ..." for name in cast("dict[object, object]", value)) + "}"
