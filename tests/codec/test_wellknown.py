"""The well-known types: conversions to Python types, and their JSON forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from codec.oracle import Pair, flyte
from flyte_api.messages.flyteidl2.common.list import Sort
from flyte_api.messages.google.protobuf.any import Any as AnyMessage
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.struct import ListValue, Struct, Value
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.messages.google.protobuf.wrappers import BytesValue, FloatValue, Int64Value, StringValue
from flyte_rpc.codec.wire import EncodeError

LAST_SECOND = 253_402_300_799
FIRST_SECOND = -62_135_596_800
LONGEST = 315_576_000_000


@given(st.datetimes(timezones=st.just(UTC)))
def test_timestamps_keep_microseconds(moment: datetime) -> None:
    stamp = Timestamp.of(moment)
    assert 0 <= stamp.nanos < 10**9
    assert stamp.to_datetime() == moment
    assert Timestamp.from_dict(stamp.to_dict()) == stamp


def test_timestamps_of_other_zones_and_of_none() -> None:
    moment = datetime(2025, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    assert Timestamp.of(moment) == Timestamp.of(datetime(2025, 1, 31, 10, tzinfo=UTC))
    assert Timestamp.of(moment).to_datetime().tzinfo is UTC
    with pytest.raises(ValueError, match="has no time zone"):
        Timestamp.of(datetime(2025, 1, 31))
    before = datetime.now(UTC)
    assert before <= Timestamp.now().to_datetime() <= datetime.now(UTC)


def test_timestamps_before_1970_count_nanoseconds_forward() -> None:
    stamp = Timestamp.of(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    assert (stamp.seconds, stamp.nanos) == (-1, 999_999_000)
    assert Timestamp(seconds=-1, nanos=1).to_datetime() == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(LAST_SECOND + 1, 0), (FIRST_SECOND - 1, 0), (2**63 - 1, 0), (-(2**63), 0), (0, -1), (0, 10**9)],
)
def test_timestamps_out_of_range_have_no_json_form(seconds: int, nanos: int) -> None:
    with pytest.raises(EncodeError, match=r"years 1 to 9999|between 0 and 999999999"):
        Timestamp(seconds=seconds, nanos=nanos).to_dict()
    if nanos == 0:
        with pytest.raises(ValueError, match="outside the years 1 to 9999"):
            Timestamp(seconds=seconds).to_datetime()


@given(st.timedeltas(timedelta(seconds=-LONGEST), timedelta(seconds=LONGEST)))
def test_durations_keep_microseconds(span: timedelta) -> None:
    duration = Duration.of(span)
    assert duration.seconds * duration.nanos >= 0
    assert duration.to_timedelta() == span
    assert Duration.from_dict(duration.to_dict()) == duration


def test_negative_durations() -> None:
    duration = Duration.of(timedelta(seconds=-1.5))
    assert (duration.seconds, duration.nanos) == (-1, -500_000_000)
    assert duration.to_dict() == "-1.500s"
    assert Duration(nanos=-1).to_dict() == "-0.000000001s"
    assert Duration(nanos=-1999).to_timedelta() == timedelta(microseconds=-1)
    assert Duration.parse(bytes(duration)) == duration


def test_durations_out_of_range() -> None:
    with pytest.raises(ValueError, match="longer than 10,000 years"):
        Duration.of(timedelta.max)
    with pytest.raises(ValueError, match="longer than a timedelta"):
        Duration(seconds=2**62).to_timedelta()
    for wrong in (Duration(seconds=LONGEST + 1), Duration(nanos=10**9), Duration(seconds=1, nanos=-1)):
        with pytest.raises(EncodeError):
            wrong.to_dict()


JSON_TEXTS = {
    "google.protobuf.Timestamp": [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.5+01:00",
        "1970-01-01T00:00:00.000000001-23:59",
        "9999-12-31T23:59:59.999999999Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "1970-01-01T00:00:00.0000000001Z",
        "1970-01-01T00:00:60Z",
        "1970-13-01T00:00:00Z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00Z\n",
        "",
        5,
        None,
        [],
    ],
    "google.protobuf.Duration": [
        "1s",
        "-1.5s",
        "-0.5s",
        "0.000000001s",
        "315576000000s",
        "315576000001s",
        ".5s",
        "1e3s",
        "1",
        "",
        "s",
        1,
        None,
    ],
    "google.protobuf.Int64Value": ["1", 1, "-5", 1e3, "1.5", 1.5, True, "x", 2**63, "9223372036854775807"],
    "google.protobuf.UInt32Value": [1, -1, 2**32, "4294967295"],
    "google.protobuf.BoolValue": [True, "true", 1],
    "google.protobuf.StringValue": ["", "a", 1, "\ud800"],
    "google.protobuf.BytesValue": ["", "YQ==", "YQ", "-_8", "+/8=", "a", 5],
    "google.protobuf.DoubleValue": [1, 1.5, "1.5", "NaN", "Infinity", "-Infinity", "x", ""],
    "google.protobuf.FloatValue": [0.1, 1e-50, "nan"],
    "google.protobuf.Value": [None, True, 1, "a", [1, [None]], {"a": {"b": []}}],
    "google.protobuf.ListValue": [[], [1, "a", None], "abc", {}, 5],
    "google.protobuf.Struct": [{}, {"a": 1}, [], "a", [["a", 1]]],
}


@pytest.mark.parametrize(("name", "json"), [(n, j) for n, values in JSON_TEXTS.items() for j in values])
def test_json_forms_are_taken_as_google_takes_them(name: str, json: Any) -> None:
    pair = flyte(name)
    try:
        theirs = json_format.ParseDict(json, pair.theirs())
    except Exception:  # its errors are of any type
        with pytest.raises(ValueError, match=name.rpartition(".")[2]):
            pair.ours.from_dict(json)
        return
    assert pair.theirs.FromString(bytes(pair.ours.from_dict(json))) == theirs


def test_python_values_are_taken_too() -> None:
    moment, span = datetime(2025, 1, 31, tzinfo=UTC), timedelta(seconds=3)
    assert Timestamp.from_dict(moment) == Timestamp.of(moment)
    assert Duration.from_dict(span) == Duration.of(span)
    assert BytesValue.from_dict(b"a") == BytesValue(value=b"a")


def test_json_values_of_python_values() -> None:
    value = {"a": [1, 2.5, None, True, "t", {"b": []}], "c": {}}
    struct = Struct.of(value)
    assert struct.to_python() == struct.to_dict() == value
    assert Struct.parse(bytes(struct)).to_python() == value
    assert Value.of((1, 2)).to_python() == [1.0, 2.0]
    assert Value.of(None).to_python() is Value().to_python() is None
    assert ListValue.of(x for x in "ab").to_python() == ["a", "b"]


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (Value.of, object()),
        (Value.of, b"bytes"),
        (Value.of, 10**400),
        (Struct.of, {1: 2}),
        (Struct.of, [("a", 1)]),
        (Struct.of, {"a": {1, 2}}),
        (ListValue.of, "text"),
        (ListValue.of, {"a": 1}),
        (ListValue.of, 5),
    ],
)
def test_values_without_a_json_form(make: Any, value: object) -> None:
    with pytest.raises(TypeError) as caught:
        make(value)
    assert isinstance(caught.value, EncodeError)


def test_json_has_no_nan() -> None:
    for number in (float("nan"), float("inf")):
        assert repr(Struct.of({"a": number}).to_python()["a"]) == repr(number)
        with pytest.raises(EncodeError, match="JSON cannot express the number"):
            Struct.of({"a": [number]}).to_dict()


def test_wrappers() -> None:
    assert Int64Value(value=5).to_dict() == "5"
    assert FloatValue(value=0.1).to_dict() == 0.1
    assert BytesValue(value=b"\xff").to_dict() == "/w=="
    assert StringValue().to_dict() == ""
    assert StringValue.from_dict("a") == StringValue(value="a")


def test_field_masks(everything_types: dict[str, Pair], Everything: Any) -> None:
    message = Everything.from_dict({"mask": "aB,c.dE"})
    assert message.mask.paths == ["a_b", "c.d_e"]
    assert message.to_dict() == {"mask": "aB,c.dE"}
    for path in ("aB", "a__b", "a_1"):
        message.mask.paths = [path]
        with pytest.raises(EncodeError, match="cannot be converted to camel case"):
            message.to_dict()
    with pytest.raises(ValueError, match="written in camel case"):
        Everything.from_dict({"mask": "a_b"})
    assert Everything.from_dict({"mask": ""}).mask.paths == []


def test_any_holds_a_message() -> None:
    packed = AnyMessage.of(Duration(seconds=3))
    assert packed.type_url == "type.googleapis.com/google.protobuf.Duration"
    assert packed.holds(Duration)
    assert not packed.holds(Sort)
    assert packed.unpack(Duration) == Duration(seconds=3)
    assert packed.to_dict() == {"@type": packed.type_url, "value": "3s"}
    assert AnyMessage.from_dict(packed.to_dict()) == packed
    sort = AnyMessage.of(Sort(key="a"))
    assert sort.to_dict() == {"@type": "type.googleapis.com/flyteidl2.common.Sort", "key": "a"}
    assert AnyMessage.from_dict(sort.to_dict()) == sort
    assert AnyMessage.from_dict(AnyMessage().to_dict()) == AnyMessage()
    with pytest.raises(TypeError, match=r"the packed message is .*Sort, not google\.protobuf\.Duration"):
        sort.unpack(Duration)
    with pytest.raises(EncodeError, match=r"'no\.Such'"):
        AnyMessage(type_url="x/no.Such").to_dict()
    for wrong in ({"key": "a"}, {"@type": "x/no.Such"}, [], {"@type": 5}):
        if wrong:
            with pytest.raises(ValueError, match="Any"):
                AnyMessage.from_dict(wrong)
