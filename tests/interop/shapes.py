"""The values that both SDKs exchange. Imported by either environment, so it names neither SDK."""

from __future__ import annotations

import datetime as dt
import enum
import math
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

# pydantic, with which the other SDK reads them, takes those of the standard library from Python 3.12 on.
from typing_extensions import TypedDict

try:
    from attrs import define
except ImportError:
    # The other SDK takes none of attrs' classes, but a dataclass of the same fields for what they travel as.
    from dataclasses import dataclass as define


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


@dataclass
class Inner:
    b: int
    a: str = "x"


@dataclass
class Report:
    z: int
    number: float
    text: str
    inner: Inner
    raw: bytes
    color: Color
    when: dt.datetime
    day: dt.date
    span: dt.timedelta
    pair: tuple[int, str]
    table: dict[str, Inner]
    by_number: dict[int, str]
    distinct: set[int]
    either: int | str
    maybe: Inner | None = None
    items: list[int] = field(default_factory=list)


@dataclass
class Tree:
    value: int
    kids: list[Tree] = field(default_factory=list)


class Pair(NamedTuple):
    x: int
    label: str


class Options(TypedDict):
    rate: float
    name: str


Held = TypeVar("Held")


@dataclass
class Box(Generic[Held]):
    held: Held
    others: list[Held]


@dataclass
class IntBox(Box[int]):
    label: str


@dataclass
class Chunk:
    raw: bytes
    parts: list[bytes]
    named: dict[str, bytes]
    maybe: bytes | None = None


class Packet(NamedTuple):
    raw: bytes
    size: int


@define
class Spot:
    x: int
    label: str = "s"


MOMENT = dt.datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=dt.timezone(dt.timedelta(hours=2)))
INNER = Inner(4, "y")
REPORT = Report(
    z=2**62,
    number=2.5,
    text="é",
    inner=INNER,
    raw=b"\xff\x00",
    color=Color.GREEN,
    when=MOMENT,
    day=dt.date(2026, 2, 3),
    span=dt.timedelta(seconds=3, microseconds=250),
    pair=(1, "a"),
    table={"k": Inner(1)},
    by_number={1: "x"},
    distinct={1, 2},
    either="s",
    maybe=None,
    items=[],
)
# Annotation and value by name.
SHAPES: dict[str, tuple[Any, Any]] = {
    "int": (int, -(2**63)),
    "float": (float, 0.1),
    "nan": (float, math.nan),
    "infinity": (float, -math.inf),
    "text": (str, "é\n\U0001f600"),
    "bool": (bool, True),
    "none": (type(None), None),
    "datetime": (dt.datetime, MOMENT.astimezone(dt.UTC)),
    "date": (dt.date, dt.date(2026, 2, 3)),
    "timedelta": (dt.timedelta, dt.timedelta(days=-3, microseconds=1)),
    "first moment": (dt.datetime, dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
    "last moment": (dt.datetime, dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)),
    "bytes": (bytes, bytes(range(256))),
    "empty bytes": (bytes, b""),
    "longer bytes": (bytes, bytes(5_000)),
    "list of bytes": (list[bytes], [b"a", b"\x80\x04."]),
    "dict of bytes": (dict[str, bytes], {"a": b"\xff"}),
    "optional bytes": (bytes | None, b"x"),
    "no bytes": (bytes | None, None),
    "list": (list[int], [1, 2]),
    "nested lists": (list[list[list[int]]], [[[1], []], []]),
    "empty list": (list[str], []),
    "empty dict": (dict[str, int], {}),
    "empty json": (dict, {}),
    "dict": (dict[str, list[float]], {"a": [1.5], "b": []}),
    "json": (dict, {"a": 1, "b": [2.5, None, {"x": True}], "big": 2**62, "": ""}),
    "numbered": (dict[int, str], {1: "a"}),
    "enum": (Color, Color.GREEN),
    "optional": (int | None, None),
    "union": (int | str | Inner | Pair | Color, Pair(1, "b")),
    "union of classes": (int | Inner, INNER),
    "dataclass": (Inner, INNER),
    "large dataclass": (Report, REPORT),
    "recursive dataclass": (Tree, Tree(1, [Tree(2)])),
    "list of dataclasses": (list[Inner], [INNER, Inner(5)]),
    "attrs class": (Spot, Spot(1, "a")),
    "list of attrs classes": (list[Spot], [Spot(1), Spot(2, "b")]),
    "generic dataclass": (Box[int], Box(1, [2])),
    "generic dataclass of classes": (Box[Inner], Box(INNER, [])),
    "derived dataclass": (IntBox, IntBox(1, [2], "x")),
    "dataclass with bytes": (Chunk, Chunk(b"\xff", [b"a", b""], {"k": b"\x00"})),
    "named tuple with bytes": (Packet, Packet(b"abc", 3)),
    "list of tuples": (list[tuple[int, str]], [(1, "a"), (2, "b")]),
    "dict of tuples": (dict[str, tuple[int, str]], {"a": (1, "a")}),
    "lists of tuples": (list[list[tuple[int, float]]], [[(1, 0.5)], []]),
    "dict of dataclasses": (dict[str, Inner], {"a": INNER}),
    "tuple": (tuple[int, str, Inner], (1, "a", INNER)),
    "nested tuple": (tuple[int, tuple[str, float]], (1, ("a", 2.5))),
    "tuple of scalars": (
        tuple[dt.timedelta, Color, dt.datetime],
        (dt.timedelta(days=1, microseconds=5), Color.RED, MOMENT),
    ),
    "named tuple": (Pair, Pair(1, "b")),
    "typed dict": (Options, {"rate": 1.5, "name": "n"}),
}


# What that SDK pickles, with the annotation by which it reads what is written for it here.
PICKLED: dict[str, tuple[Any, Any, Any]] = {
    "set": (set[int], {3, 1, 2}, list[int]),
    "frozenset": (frozenset[str], frozenset({"a", "b"}), list[str]),
    "tuple of any length": (tuple[int, ...], (1, 2, 3), list[int]),
    "empty tuple of any length": (tuple[int, ...], (), list[int]),
    "list of sets": (list[set[int]], [{1}, set()], list[list[int]]),
    "choice": (Literal["fast", "slow"], "slow", None),
    # More than they keep in a literal.
    "large bytes": (bytes, bytes(70_000), bytes),
    "json of anything": (dict[str, Any], {"a": 1, "b": [None, "x"]}, dict),
}


def with_pydantic() -> dict[str, tuple[Any, Any]]:
    """More shapes, where pydantic is installed."""
    try:
        from pydantic import BaseModel
    except ImportError:
        return {}

    class Model(BaseModel):
        z: int
        inner: Inner | None = None
        color: Color = Color.RED
        items: list[int] = []
        when: dt.datetime | None = None
        span: dt.timedelta = dt.timedelta(seconds=3)
        table: dict[str, Inner] = {}
        either: int | str = 1

    # pydantic looks annotations up in the module.
    globals()["Model"] = Model
    Model.model_rebuild(_types_namespace=globals() | {"Inner": Inner, "Color": Color})
    value = Model(z=1, inner=INNER, color=Color.GREEN, items=[1], when=MOMENT, table={"a": INNER}, either="x")
    return {"model": (Model, value), "optional model": (Model | None, value)}


def every_shape() -> dict[str, tuple[Any, Any]]:
    return SHAPES | with_pydantic()


def partitions(span: Any) -> dict[str, dict[str, Any]]:
    """Partitions of artifacts; `span` is what an SDK calls a time with a granularity."""
    return {
        "texts": {"region": "us", "shard": 7, "rate": 1.5, "whole": True},
        "day": {"date": dt.date(2026, 8, 1), "region": "us"},
        "hour": {"hour": dt.datetime(2026, 8, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-4)))},
        "week": {"date": span(dt.date(2026, 8, 2), "week")},
        "month": {"date": span(dt.datetime(2026, 8, 2, 5, tzinfo=dt.UTC), "month")},
    }
