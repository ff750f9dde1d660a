"""Values at the edges of their types: times, lengths, and what only looks like a number."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.types import from_literal, literal_type_of, literals_to_python, to_literal
from flyte.types.data.msgpack import pack, unpack
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from remote import values

BERLIN = ZoneInfo("Europe/Berlin")
UTC = dt.UTC


@dataclass
class Event:
    at: dt.datetime
    others: list[dt.datetime] = field(default_factory=list)
    day: dt.date = dt.date.min
    took: dt.timedelta = dt.timedelta(0)


def over_the_wire(value: Any, hint: Any) -> Any:
    literal = Literal.parse(bytes(to_literal(value, literal_type_of(hint), name="x")))
    found = literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint})
    assert found.unsupported == {}
    return found.values["x"]


@pytest.mark.parametrize(
    ("moment", "in_utc"),
    [
        (dt.datetime(1, 1, 1, tzinfo=UTC), dt.datetime(1, 1, 1, tzinfo=UTC)),
        (dt.datetime.max.replace(tzinfo=UTC), dt.datetime.max.replace(tzinfo=UTC)),
        (dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
        # Skipped and repeated hours: the offset of the side that `fold` names.
        (dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN), dt.datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
        (dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN), dt.datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        (dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN), dt.datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
        (dt.datetime(1890, 1, 1, tzinfo=BERLIN), dt.datetime(1889, 12, 31, 23, 6, 32, tzinfo=UTC)),
    ],
)
def test_moments_at_the_edges_are_the_same_moments(moment: dt.datetime, in_utc: dt.datetime) -> None:
    for read in (
        over_the_wire(moment, dt.datetime),
        over_the_wire(Event(moment), Event).at,
        over_the_wire([moment, moment], list[dt.datetime])[1],
        over_the_wire({"a": moment}, dict[str, dt.datetime])["a"],
        over_the_wire(Event(in_utc, [moment, moment]), Event).others[1],
        over_the_wire((moment, 1), tuple[dt.datetime, int])[0],
        over_the_wire(moment, dt.datetime | None),
    ):
        assert read.astimezone(UTC) == in_utc
        assert read.tzinfo is not None


@pytest.mark.parametrize("day", [dt.date.min, dt.date.max, dt.date(1969, 12, 31)])
def test_days_at_the_edges(day: dt.date) -> None:
    assert over_the_wire(day, dt.date) == day
    assert over_the_wire(Event(dt.datetime(2024, 1, 1, tzinfo=UTC), day=day), Event).day == day


@pytest.mark.parametrize("span", [dt.timedelta(days=3652500), -dt.timedelta(days=3652500), -dt.timedelta.resolution])
def test_spans_at_the_edges(span: dt.timedelta) -> None:
    assert over_the_wire(span, dt.timedelta) == span


NAIVE = "the datetime has no time zone; add one"
OUTSIDE = "the datetime is outside the years 1 to 9999 in UTC"


class Precise(dt.datetime):
    """Like the timestamps of pandas."""

    nanosecond = 7


class PreciseSpan(dt.timedelta):
    nanoseconds = 7


class Missing(dt.datetime):
    """Like the `NaT` of pandas, which is a datetime."""

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = dt.datetime.__hash__

    def __str__(self) -> str:
        return "NaT"

    def utcoffset(self) -> dt.timedelta | None:
        raise ValueError("there is none")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (dt.datetime(2024, 1, 1), NAIVE),
        (dt.datetime.min, NAIVE),
        (dt.datetime.max, NAIVE),
        (dt.datetime.min.replace(tzinfo=BERLIN), OUTSIDE),
        (dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(minutes=1))), OUTSIDE),
        (Precise(2024, 1, 1, tzinfo=UTC), "the datetime has nanoseconds; round it"),
        (Missing(2024, 1, 1), "NaT is not a moment; pass None"),
    ],
)
def test_other_moments_are_refused_with_their_place(value: dt.datetime, message: str) -> None:
    with pytest.raises(ValueError, match="^x: " + message):
        to_literal(value, literal_type_of(dt.datetime), name="x")
    with pytest.raises(ValueError, match=r"^x\[1\]: " + message):
        to_literal([dt.datetime(2024, 1, 1, tzinfo=UTC), value], literal_type_of(list[dt.datetime]), name="x")
    if message != OUTSIDE:  # Fields of classes travel as text with their offset.
        with pytest.raises(ValueError, match=r"^x\.others\[0\]: " + message):
            to_literal(Event(dt.datetime(2024, 1, 1, tzinfo=UTC), [value]), literal_type_of(Event), name="x")


def test_spans_with_nanoseconds_are_refused() -> None:
    with pytest.raises(ValueError, match="x: the timedelta has nanoseconds; round it"):
        to_literal(PreciseSpan(1), literal_type_of(dt.timedelta), name="x")
    event = Event(dt.datetime(2024, 1, 1, tzinfo=UTC), took=PreciseSpan(1))
    with pytest.raises(ValueError, match=r"x\.took: the timedelta has nanoseconds"):
        to_literal(event, literal_type_of(Event), name="x")
    with pytest.raises(ValueError, match=r"x\[0\]: the timedelta has nanoseconds"):
        to_literal((PreciseSpan(1), 1), literal_type_of(tuple[dt.timedelta, int]), name="x")


def test_the_times_of_pandas() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is missing; install flyte-remote[pandas]")
    moment = pd.Timestamp("2024-10-27T02:30", tz="UTC")
    assert over_the_wire(moment, dt.datetime) == moment.to_pydatetime()
    for value, hint in ((pd.NaT, dt.datetime), (moment + pd.Timedelta(1, "ns"), dt.datetime)):
        with pytest.raises(ValueError, match=r"x: (NaT is not a moment|the datetime has nanoseconds)"):
            to_literal(value, literal_type_of(hint), name="x")
    with pytest.raises(ValueError, match="x: the timedelta has nanoseconds"):
        to_literal(pd.Timedelta(1, "ns"), literal_type_of(dt.timedelta), name="x")
    with pytest.raises(TypeError, match="x: expected timedelta, got NaTType"):
        to_literal(pd.NaT, literal_type_of(dt.timedelta), name="x")


@dataclass
class Counts:
    number: int
    by_number: dict[int, int] = field(default_factory=dict)


@pytest.mark.parametrize("hint", [int, float, int | None, list[int], dict[str, int]])
def test_a_bool_is_no_number(hint: Any) -> None:
    value: Any = {"a": True} if hint == dict[str, int] else [True] if hint == list[int] else True
    with pytest.raises(TypeError, match="got bool"):
        to_literal(value, literal_type_of(hint), name="x")


def test_a_bool_is_not_read_as_a_number_nor_a_number_as_a_bool() -> None:
    truth = Literal(scalar=Scalar(primitive=Primitive(boolean=True)))
    one = Literal(scalar=Scalar(primitive=Primitive(integer=1)))
    for literal, hint in ((truth, int), (truth, float), (one, bool), (truth, int | str), (truth, dt.datetime)):
        with pytest.raises(TypeError, match="x: expected"):
            literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint})
    for wrong in (Counts(True), Counts(1, {1: True}), Counts(1, {True: 1})):
        with pytest.raises(TypeError, match=r"x\.(number|by_number)"):
            to_literal(wrong, literal_type_of(Counts), name="x")
    for data in ({"number": True}, {"number": 1, "by_number": {2: True}}):
        literal = to_literal(data, literal_type_of(dict), name="x")
        with pytest.raises(TypeError, match=r"x\.(number|by_number)"):
            literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": Counts})


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1])
def test_integers_of_64_bits(value: int) -> None:
    assert over_the_wire(value, int) == over_the_wire(Counts(value), Counts).number == value
    beyond = value - 1 if value < 0 else value + 1
    for wrong, hint in ((beyond, int), (Counts(beyond), Counts), ({"a": beyond}, dict)):
        with pytest.raises(ValueError, match="must fit into 64 bits, this one takes 65"):
            to_literal(wrong, literal_type_of(hint), name="x")


# The longest value of each form of MessagePack, and one more.
HEADS: list[tuple[Any, bytes]] = [
    ("x" * 31, b"\xbf"),
    ("x" * 32, b"\xd9\x20"),
    ("x" * 255, b"\xd9\xff"),
    ("x" * 256, b"\xda\x01\x00"),
    ("x" * 65_535, b"\xda\xff\xff"),
    ("x" * 65_536, b"\xdb\x00\x01\x00\x00"),
    ("é" * 16, b"\xd9\x20"),  # bytes count, not characters
    (bytes(255), b"\xc4\xff"),
    (bytes(256), b"\xc5\x01\x00"),
    (bytes(65_536), b"\xc6\x00\x01\x00\x00"),
    ([0] * 15, b"\x9f"),
    ([0] * 16, b"\xdc\x00\x10"),
    ([0] * 65_535, b"\xdc\xff\xff"),
    ([0] * 65_536, b"\xdd\x00\x01\x00\x00"),
    (dict.fromkeys(range(15), 0), b"\x8f"),
    (dict.fromkeys(range(16), 0), b"\xde\x00\x10"),
    (dict.fromkeys(range(65_536), 0), b"\xdf\x00\x01\x00\x00"),
    (127, b"\x7f"),
    (128, b"\xcc\x80"),
    (255, b"\xcc\xff"),
    (256, b"\xcd\x01\x00"),
    (65_536, b"\xce\x00\x01\x00\x00"),
    (2**32, b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
    (-32, b"\xe0"),
    (-33, b"\xd0\xdf"),
    (-129, b"\xd1\xff\x7f"),
    (-32_769, b"\xd2\xff\xff\x7f\xff"),
    (-(2**31) - 1, b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
]


@pytest.mark.parametrize(
    ("value", "head"), HEADS, ids=[f"{type(value).__name__}-{head.hex()}" for value, head in HEADS]
)
def test_lengths_at_the_limits_of_messagepack(value: Any, head: bytes) -> None:
    data = pack(value)
    assert data.startswith(head)
    assert unpack(data) == value
    with pytest.raises(ValueError, match=r"cut|trailing"):
        unpack(data[:-1] if len(data) > 1 else data * 2)


def test_inputs_of_exactly_the_inline_limit_pass(flyte_devbox: Devbox) -> None:
    details = flyte.devbox.deploy(values.length, name="limits.length")
    limit = 10 * 2**20
    assert details.max_inline_io_bytes == limit
    around = len(bytes(details.inputs({"text": "x" * 2**23}))) - 2**23
    longest = "x" * (limit - around)
    message = details.inputs({"text": longest})
    assert len(bytes(message)) == limit
    with pytest.raises(ValueError, match=r"have 10,485,761 bytes, .* of them text; the limit is 10,485,760"):
        details.inputs({"text": longest + "x"})
    run = flyte.run(details, text=longest)
    run.wait()
    assert run.outputs() == (len(longest),)


def test_an_aware_midnight_is_not_a_day() -> None:
    midnight = dt.datetime(2024, 1, 1, tzinfo=UTC)
    assert from_literal(to_literal(midnight, literal_type_of(dt.datetime), name="x")) == midnight
    with pytest.raises(TypeError, match="x: expected date, got datetime"):
        to_literal(midnight, literal_type_of(dt.date), name="x")
