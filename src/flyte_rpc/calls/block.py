"""Context managers that warn when they are created without `with`, and so have no effect."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")
V = TypeVar("V")

Entered = tuple[T, Callable[[], object]]
"""The result of `with ... as`, and the function that ends the block."""


class Block(AbstractContextManager[T, None], Generic[T]):
    """The settings of a `with` block. If the block is never entered, its end of life is a `RuntimeWarning`.

    The warning names the line that created the block. Attributes that a caller expects of the result, such as
    `use_client(c).project`, raise an `AttributeError` that shows how to write the block.
    """

    _entered = True
    """Until the block is created, there is nothing to warn of."""

    def __init__(self, example: str, enter: Callable[[], Entered[T]], *, stacklevel: int = 1) -> None:
        """Create the block without entering it.

        Args:
            example: The call in the messages, such as `use_client(client)`.
            enter: Starts the block.
            stacklevel: Number of frames between the caller to name in the warning and this call. 1 is the caller of the
                function that creates the block.
        """
        place = sys._getframe(stacklevel + 1)  # pyright: ignore[reportPrivateUsage]  # no public function gives one frame
        self._file, self._line = place.f_code.co_filename, place.f_lineno
        self._example = example
        self._enter = enter
        self._leave: Callable[[], object] | None = None
        self._entered = False

    def __enter__(self) -> T:
        if self._entered:
            raise RuntimeError(f"a block can be entered only once; write `with {self._example}:` again")
        self._entered = True
        result, self._leave = self._enter()
        return result

    def __exit__(self, *exc: object) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"this is a block, not a decorator; write `with {self._example}:`")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(f"a block has no {name}; write `with {self._example}:` and use {name} inside it")

    def __repr__(self) -> str:
        return f"<block of {self._example}>"

    def __del__(self) -> None:
        if not self._entered:
            message = f"{self._example} was called without `with` and had no effect; write `with {self._example}:`"
            warnings.warn_explicit(message, RuntimeWarning, self._file, self._line)


def setting(variable: ContextVar[V], value: V, result: T) -> Entered[T]:
    """Set a context variable until the end of a block.

    Returns:
        The result of the block, and the function that restores the variable.
    """
    token = variable.set(value)
    return result, lambda: variable.reset(token)
