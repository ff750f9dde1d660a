"""Why a value does not fit a type, where inside the value, and how a conversion keeps track of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")

MAX_DEPTH = 100
"""Levels that types and values may be nested in each other. Each level takes a few frames of Python's stack."""

_MAX_PLACE = 200


class Mismatch(Exception):
    """A value that does not fit a type, or data that does not.

    Attributes:
        reason: What is wrong, as a phrase: `expected int, got str`.
        fits_type: Whether the type is right and the value is not, such as an integer beyond 64 bits.
        path: Where inside the value: `[0].name`; empty for the value itself.
    """

    def __init__(self, reason: str, *, fits_type: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fits_type = fits_type
        self.path = ""

    @classmethod
    def between(cls, expected: str, actual: str) -> Mismatch:
        """The mismatch of an expected type and what is there instead."""
        return cls(f"expected {expected}, got {actual}")

    def as_error(self, name: str) -> TypeError | ValueError:
        """The exception for users: a `ValueError` when the type is right, else a `TypeError`.

        Args:
            name: What to call the value, usually the name of an input.
        """
        return (ValueError if self.fits_type else TypeError)(f"{name}{self._place()}: {self.reason}")

    def __str__(self) -> str:
        return f"{self._place().lstrip('.')}: {self.reason}" if self.path else self.reason

    def _place(self) -> str:
        if len(self.path) <= _MAX_PLACE:
            return self.path
        return f"{self.path[: _MAX_PLACE // 2]} ... {self.path[-_MAX_PLACE // 4 :]}"


def located(step: str, convert: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
    """Convert a part of a value; a mismatch in it says where the part is.

    Args:
        step: Where the part is inside the value: `[0]` or `.name`.
        convert: The conversion.
        arguments: Its arguments.
        options: Its keyword arguments.
    """
    try:
        return convert(*arguments, **options)
    except Mismatch as mismatch:
        mismatch.path = step + mismatch.path
        raise


def first_fit(variants: Iterable[V], convert: Callable[[V], T], mismatch: Callable[[], Mismatch]) -> T:
    """The result of the first variant of a union that a value fits.

    Args:
        variants: The variants, in the order they are tried.
        convert: Converts the value as one of them.
        mismatch: What to raise when none fits and no attempt got inside the value.

    Raises:
        Mismatch: None fits. The first attempt that got inside the value says most about what is wrong.
    """
    telling: Mismatch | None = None
    for variant in variants:
        try:
            return convert(variant)
        except Mismatch as failed:
            if telling is None and (failed.path or failed.fits_type):
                telling = failed
    raise telling or mismatch()


def type_of(value: Any) -> str:
    """The type of a value, as a mismatch names it."""
    return "None" if value is None else type(value).__name__


def how_to_store(kind: str) -> str:
    """What to do where a `File` or `Dir` is expected, and something else is given."""
    return f"upload from this machine with {kind}.from_local(path), or refer to stored data with {kind}(uri)"


def encodable(value: str) -> str:
    """Text that UTF-8 can express.

    Raises:
        Mismatch: The text has half of a surrogate pair.
    """
    plain = str.__str__(value)
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise Mismatch("the text has half of a surrogate pair, which UTF-8 cannot express", fits_type=True) from None
    return plain
