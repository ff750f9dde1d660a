"""`isinstance` for containers, narrowed to "of Any" instead of "of unknown" in both type checkers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether the value is a list."""
    return isinstance(value, list)


def is_dict(value: Any) -> TypeGuard[dict[Any, Any]]:
    """Whether the value is a dict."""
    return isinstance(value, dict)


def is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Whether the value is a mapping."""
    return isinstance(value, Mapping)


def is_sequence(value: Any) -> TypeGuard[Iterable[Any]]:
    """Whether the value is a sequence, but neither text nor bytes."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, bytearray, Mapping))
