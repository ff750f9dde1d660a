"""The decorator of list methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from flyte_rpc.sync.decorators import Descriptor, Streaming

from .pager import Pager

P = ParamSpec("P")
T = TypeVar("T")


class listing(Descriptor, Generic[P]):  # decorators are named like functions
    """Mark a classmethod that returns a Pager of the class that it is called on.

    Subclasses get pagers of their own class: a `Self` in the decorated signature does not survive a generic descriptor
    in the type checkers.
    """

    def __init__(self, function: Callable[Concatenate[Any, P], Pager[Any]]) -> None:
        super().__init__(function, Streaming)

    def __get__(self, instance: object, owner: type[T]) -> Streaming[P, Pager[T]]:
        return cast("Streaming[P, Pager[T]]", self._bind(instance, owner))
