"""Mismatches between values and types, with the place inside the value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from flyte.types.converters.transformer import TypeTransformerFailedError

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")

MAX_DEPTH = 100
"""Maximum nesting depth of types and values. Each level takes a few frames of Python's stack."""

_MAX_PLACE = 200


class Mismatch(Exception):
    """A value or data does not fit a type.

    Attributes:
        reason: What is wrong, as a phrase: `expected int, got str`.
        fits_type: Whether only the value is wrong, not its type, such as an integer beyond 64 bits.
        path: The place inside the value: `[0].name`; empty for the value itself.
    """

    def __init__(self, reason: str, *, fits_type: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fits_type = fits_type
        self.path = ""

    @classmethod
    def between(cls, expected: str, actual: str) -> Mismatch:
        """Return the mismatch of an expected and an actual type."""
        return cls(f"expected {expected}, got {actual}")

    def as_error(self, name: str) -> TypeError | ValueError:
        """Convert to an exception for users: a `ValueError` if the type is right, else a `TypeError`.

        Args:
            name: The name of the value in errors, usually that of an input.
        """
        return (ValueError if self.fits_type else TypeError)(f"{name}{self._place()}: {self.reason}")

    def __str__(self) -> str:
        return f"{self._place().lstrip('.')}: {self.reason}" if self.path else self.reason

    def _place(self) -> str:
        if len(self.path) <= _MAX_PLACE:
            return self.path
        return f"{self.path[: _MAX_PLACE // 2]} ... {self.path[-_MAX_PLACE // 4 :]}"


class FailedConversion(Mismatch):
    """A user's converter failed. The cause is the error in it, if there is one."""

    def __init__(self, failed: TypeTransformerFailedError) -> None:
        super().__init__(str(failed), fits_type=True)
        self.__cause__ = failed.__cause__

    def as_error(self, name: str) -> TypeError | ValueError:
        return TypeTransformerFailedError(f"{name}{self._place()}: {self.reason}")


def located(step: str, convert: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
    """Convert a part of a value. Mismatches in it include its place.

    Args:
        step: The place of the part inside the value: `[0]` or `.name`.
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
    """Return the result of the first variant of a union that fits a value.

    Args:
        variants: The variants, in the order they are tried.
        convert: Converts the value to a variant.
        mismatch: The error if no variant fits, and no attempt failed inside the value.

    Raises:
        Mismatch: No variant fits. Raises the error of the first attempt that failed inside the value, the most specific.
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
    """Return the type of a value, for errors."""
    return "None" if value is None else type(value).__name__


def advice_on(value: object) -> str:
    """Return where an object belongs that is no input, such as `flyte.TriggerTime`; empty for all others."""
    return str(getattr(type(value), "ADVICE_AS_INPUT", ""))


def how_to_store(kind: str) -> str:
    """Return advice for a value that is not the expected `File` or `Dir`."""
    return f"upload from this machine with {kind}.from_local(path), or refer to stored data with {kind}(uri)"


def encodable(value: str) -> str:
    """Check that text can be encoded as UTF-8.

    Raises:
        Mismatch: The text has a lone surrogate.
    """
    plain = str.__str__(value)
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise Mismatch("the text has a lone surrogate, which UTF-8 cannot encode", fits_type=True) from None
    return plain
