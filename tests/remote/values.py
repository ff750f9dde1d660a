"""Task functions that the tests of values deploy."""

import datetime as dt
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

from flyte.types import Dir, File

Held = TypeVar("Held")


class Color(enum.Enum):
    """An enum, by name on the wire."""

    RED = "r"
    GREEN = "g"


@dataclass
class Point:
    """A class of data."""

    x: int
    label: str = ""


@dataclass
class Box(Generic[Held]):
    """A generic class of data."""

    point: Point
    held: list[Held]


class Options(TypedDict):
    """A dict of known keys."""

    rate: float
    name: str


class Split(NamedTuple):
    """Named outputs."""

    whole: int
    rest: float


def echo(
    number: int,
    ratio: float,
    text: str,
    flag: bool,
    nothing: None,
    moment: dt.datetime,
    day: dt.date,
    span: dt.timedelta,
    raw: bytes,
    words: list[str],
    table: dict[str, list[float]],
    json: dict[str, Any],
    color: Color,
    maybe: int | None,
    either: int | str,
    pair: tuple[int, str],
    many: tuple[int, ...],
    distinct: set[int],
    point: Point,
    box: Box[bytes],
    options: Options,
    named: Split,
) -> dict[str, str]:
    """Say what each argument is."""
    return {name: repr(value) for name, value in locals().items()}


def twelve() -> tuple[int, int, int, int, int, int, int, int, int, int, int, int]:
    """More outputs than have one digit."""
    return 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11


def split(x: int) -> Split:
    """Outputs with names."""
    return Split(x, 0.5)


def shift(point: Point) -> Point:
    """A class of data as output."""
    return Point(point.x + 1, point.label)


def pass_on(left: int, right: int) -> int:
    """Two inputs."""
    return right


def upper(file: File) -> File:
    """Read a file, and return another."""
    with file.open("r") as opened:
        text = opened.read()
    result = Path(f"{file.name}.upper").absolute()
    result.write_text(text.upper())
    return File.from_local(result, format="txt")


def sizes(directory: Dir) -> tuple[dict[str, int], Dir]:
    """How large the files of a directory are, and the directory."""
    found: dict[str, int] = {}
    for file in directory.files():
        with file.open() as opened:
            found[file.name] = len(opened.read())
    return found, directory


def length(text: str) -> int:
    """How long a text is."""
    return len(text)
