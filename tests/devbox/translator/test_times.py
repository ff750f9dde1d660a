"""Times and durations in Go's notation."""

from __future__ import annotations

import pytest

from flyte.devbox.translator.errors import TranslationError
from flyte.devbox.translator.times import format_duration, format_time, parse_duration, parse_time
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        (0, 0, "0s"),
        (0, 1, "1ns"),
        (0, 1_100, "1.1µs"),
        (0, 2_200_000, "2.2ms"),
        (0, 999_999_999, "999.999999ms"),
        (1, 0, "1s"),
        (3, 300_000_000, "3.3s"),
        (60, 0, "1m0s"),
        (245, 1_000_000, "4m5.001s"),
        (3600, 0, "1h0m0s"),
        (3723, 0, "1h2m3s"),
        (360_000, 0, "100h0m0s"),
        (-3723, -500_000_000, "-1h2m3.5s"),
        (0, -5, "-5ns"),
    ],
)
def test_durations_in_both_directions(seconds: int, nanos: int, text: str) -> None:
    duration = Duration(seconds=seconds, nanos=nanos)
    assert format_duration(duration) == text
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("90", 90, 0),
        ("0", 0, 0),
        ("+1.5h", 5400, 0),
        (".5s", 0, 500_000_000),
        ("1.s", 1, 0),
        ("1s1s", 2, 0),
        ("5us", 0, 5000),
        ("5μs", 0, 5000),
        ("0.3333333333s", 0, 333_333_333),
    ],
)
def test_other_spellings_of_durations(text: str, seconds: int, nanos: int) -> None:
    assert parse_duration(text) == Duration(seconds=seconds, nanos=nanos)


@pytest.mark.parametrize("text", ["", "s", "1d", "1 s", "-", "1h-2m", ".s", "1e3s", "-90", "\uff19", "PT1S"])
def test_texts_that_are_no_durations(text: str) -> None:
    with pytest.raises(TranslationError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9223372037", "9" * 30, "2562048h"])
def test_durations_that_go_does_not_hold(text: str) -> None:
    with pytest.raises(TranslationError, match="too long"):
        parse_duration(text)


def test_times() -> None:
    assert format_time(Timestamp(seconds=1_700_000_000, nanos=5)) == "2023-11-14T22:13:20Z"
    assert format_time(Timestamp(seconds=-62_135_596_800)) == "0001-01-01T00:00:00Z"
    assert parse_time("2023-11-14T22:13:20Z") == Timestamp(seconds=1_700_000_000)
    assert parse_time("2023-11-14T23:13:20.000000005+01:00") == Timestamp(seconds=1_700_000_000, nanos=5)
    assert parse_time("1969-12-31T23:59:59.5Z") == Timestamp(seconds=-1, nanos=500_000_000)
    with pytest.raises(TranslationError):
        format_time(Timestamp(seconds=1 << 60))


@pytest.mark.parametrize("text", ["", "today", "2023-11-14", "2023-11-14T22:13:20", "2023-13-01T00:00:00Z"])
def test_texts_that_are_no_times(text: str) -> None:
    with pytest.raises(TranslationError, match="RFC 3339"):
        parse_time(text)
