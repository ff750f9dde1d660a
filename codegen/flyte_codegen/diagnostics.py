"""Errors and warnings about the input, collected as values and shown together."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs


class Level(enum.Enum):
    """The severity. Errors stop the run before anything is written."""

    WARNING = "warning"
    ERROR = "error"


@attrs.frozen
class Diagnostic:
    """One error or warning, with its place and a remedy."""

    level: Level
    place: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return f"{self.place}: {self.level.value}: {self.message}{remedy}"


class CodegenError(Exception):
    """The input can't be turned into a client. `diagnostics` has the errors, each with its place and remedy."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


def error(place: str, message: str, remedy: str = "") -> Diagnostic:
    """Return an error diagnostic."""
    return Diagnostic(Level.ERROR, place, message, remedy)


def warning(place: str, message: str, remedy: str = "") -> Diagnostic:
    """Return a warning diagnostic."""
    return Diagnostic(Level.WARNING, place, message, remedy)


def fail(place: str, message: str, remedy: str = "") -> CodegenError:
    """Return an exception with a single error."""
    return CodegenError([error(place, message, remedy)])


def raise_errors(findings: Iterable[Diagnostic]) -> None:
    """Raise if any finding is an error.

    Raises:
        CodegenError: At least one finding is an error. The exception has all findings.
    """
    found = tuple(findings)
    if any(f.level is Level.ERROR for f in found):
        raise CodegenError(found)
