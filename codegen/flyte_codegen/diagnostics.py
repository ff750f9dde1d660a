"""What the generator has to say about its input: values, collected and shown together."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs


class Level(enum.Enum):
    """How bad it is: errors stop the run before anything is written."""

    WARNING = "warning"
    ERROR = "error"


@attrs.frozen
class Diagnostic:
    """One finding, with the place it is about and what to do."""

    level: Level
    place: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return f"{self.place}: {self.level.value}: {self.message}{remedy}"


class CodegenError(Exception):
    """The input can't be turned into a client; `diagnostics` says why, each with its place and remedy."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


def error(place: str, message: str, remedy: str = "") -> Diagnostic:
    """An error diagnostic."""
    return Diagnostic(Level.ERROR, place, message, remedy)


def warning(place: str, message: str, remedy: str = "") -> Diagnostic:
    """A warning diagnostic."""
    return Diagnostic(Level.WARNING, place, message, remedy)


def fail(place: str, message: str, remedy: str = "") -> CodegenError:
    """An exception that carries a single error."""
    return CodegenError([error(place, message, remedy)])


def raise_errors(findings: Iterable[Diagnostic]) -> None:
    """Raise all findings when one of them is an error.

    Raises:
        CodegenError: One is.
    """
    found = tuple(findings)
    if any(f.level is Level.ERROR for f in found):
        raise CodegenError(found)
