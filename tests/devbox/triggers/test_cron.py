"""The times of cron expressions and fixed rates, and the names of scheduled runs."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flyte.devbox import clock
from flyte.devbox.keys import TriggerKey
from flyte.devbox.triggers.cron import CronError, CronTimes, MissingLibraryError, read_cron
from flyte.devbox.triggers.schedule import Interval
from flyte.devbox.triggers.scheduler import RunLimiter, run_name
from flyte_api.messages.google.protobuf.timestamp import Timestamp


def times(expression: str, after: datetime, count: int, zone: str = "") -> list[datetime]:
    """The next times of an expression on the clock of the zone."""
    cron = read_cron(expression, zone)
    assert isinstance(cron, CronTimes)
    found: list[datetime] = []
    for _ in range(count):
        following = cron.after(after)
        assert following is not None and following > after and following.tzinfo is UTC
        found.append(following)
        after = following
    return [moment.astimezone(ZoneInfo(zone or "UTC")) for moment in found]


def texts(expression: str, after: str, count: int, zone: str = "") -> list[str]:
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone or "UTC"))
    return [f"{moment:%d %H:%M %z}" for moment in times(expression, start, count, zone)]


NEXT = [
    ("*/20 * * * *", ["07 10:20", "07 10:40", "07 11:00"]),
    ("5/20 * * * *", ["07 10:05", "07 10:25", "07 10:45"]),
    ("0 9-17/4 * * *", ["07 13:00", "07 17:00", "08 09:00"]),
    ("30 2 * * mon-fri", ["10 02:30", "11 02:30", "12 02:30"]),
    # August 2026 begins on a Saturday. A day matches one of two given fields, but both if one of them has a star.
    ("0 0 10 * sat", ["08 00:00", "10 00:00", "15 00:00"]),
    ("0 0 ? * sat", ["08 00:00", "15 00:00", "22 00:00"]),
    ("0 0 10-11 * *", ["10 00:00", "11 00:00", "10 00:00"]),
    # A step leaves no star: odd days or Sundays.
    ("0 0 */2 * sun", ["09 00:00", "11 00:00", "13 00:00"]),
    # A step of weekdays ends with Saturday, which is 6: Wednesday and Friday.
    ("0 0 * * 3/2", ["12 00:00", "14 00:00", "19 00:00"]),
    ("@hourly", ["07 11:00", "07 12:00", "07 13:00"]),
    ("@daily", ["08 00:00", "09 00:00", "10 00:00"]),
    ("@midnight", ["08 00:00", "09 00:00", "10 00:00"]),
    ("@weekly", ["09 00:00", "16 00:00", "23 00:00"]),
    ("@monthly", ["01 00:00", "01 00:00", "01 00:00"]),
    ("@yearly", ["01 00:00", "01 00:00", "01 00:00"]),
]


@pytest.mark.parametrize(("expression", "expected"), NEXT, ids=[expression for expression, _ in NEXT])
def test_next_times(expression: str, expected: list[str]) -> None:
    assert texts(expression, "2026-08-07T10:00", 3) == [f"{text} +0000" for text in expected]


def test_a_time_is_after_the_given_one() -> None:
    exactly = datetime(2026, 8, 7, 11, tzinfo=UTC)
    assert times("@hourly", exactly, 1) == [exactly + timedelta(hours=1)]
    assert times("@hourly", exactly - timedelta(microseconds=1), 1) == [exactly]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])
def test_fields_are_those_of_the_wall_clock(zone: str) -> None:
    for moment in times("15 9 * * *", datetime(2026, 1, 1, tzinfo=UTC), 400, zone):
        assert (moment.hour, moment.minute) == (9, 15)


def test_times_in_the_gap_are_skipped() -> None:
    # On March 29, 2026, clocks in Berlin go from 02:00 to 03:00.
    assert texts("30 2 * * *", "2026-03-28T00:00", 3, "Europe/Berlin") == [
        "28 02:30 +0100",
        "30 02:30 +0200",
        "31 02:30 +0200",
    ]
    assert texts("0 * * * *", "2026-03-29T00:30", 3, "Europe/Berlin") == [
        "29 01:00 +0100",
        "29 03:00 +0200",
        "29 04:00 +0200",
    ]


def test_times_of_the_repeated_hour_occur_twice() -> None:
    # On October 25, 2026, clocks in Berlin go from 03:00 back to 02:00.
    assert texts("30 2 * * *", "2026-10-24T12:00", 3, "Europe/Berlin") == [
        "25 02:30 +0200",
        "25 02:30 +0100",
        "26 02:30 +0100",
    ]
    assert texts("*/30 * * * *", "2026-10-25T01:45", 5, "Europe/Berlin") == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
    ]


def test_every_minute_of_a_year_with_two_changes_is_a_minute_apart() -> None:
    start = datetime(2026, 3, 29, tzinfo=UTC)
    found = times("* * * * *", start, 180, "Europe/Berlin")
    assert [moment.astimezone(UTC) - start for moment in found] == [timedelta(minutes=n) for n in range(1, 181)]


def test_a_date_that_never_comes() -> None:
    cron = read_cron("0 0 30 2 *")
    assert isinstance(cron, CronTimes)
    assert cron.after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("@every 1h30m", 5400), ("@every 1.5s", 1), ("@every 10ms", 1), ("@every 90s", 90), ("@every 0.5h1m", 1860)],
)
def test_intervals_are_whole_seconds(expression: str, seconds: int) -> None:
    assert read_cron(expression) == timedelta(seconds=seconds)


def test_the_zone_may_be_part_of_the_expression() -> None:
    cron = read_cron("CRON_TZ=Asia/Tokyo 0 9 * * *")
    assert isinstance(cron, CronTimes)
    assert cron.after(datetime(2026, 1, 1, 12, tzinfo=UTC)) == datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "words"),
    [
        ("* * * *", "", "five fields"),
        ("0 0 * * * *", "", "five fields"),
        ("60 * * * *", "", "minute"),
        ("0 0 * * 7", "", "day of week"),
        ("0 0 L * *", "", "day of month"),
        ("@reboot", "", "@every"),
        ("@every soon", "", "@every"),
        ("", "", "cron"),
        ("0 9 * * *", "Mars/Olympus", "Mars/Olympus"),
        ("0 9 * * *", "Europe", "Europe"),
        ("0 9 * * *", "../etc/passwd", "passwd"),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", "UTC", "timezone="),
    ],
)
def test_invalid_expressions(expression: str, zone: str, words: str) -> None:
    with pytest.raises(CronError, match=words):
        read_cron(expression, zone)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match="pip install 'cronsim"):
        read_cron("7 7 7 7 *", "Europe/Paris")


def test_intervals_end_after_their_length() -> None:
    interval = Interval(start=1000, length=60)
    assert [interval.after(moment) for moment in (0, 999, 1000, 1059, 1060, 1061)] == [
        1060,
        1060,
        1060,
        1060,
        1120,
        1120,
    ]


def test_twenty_runs_at_once_then_ten_per_second() -> None:
    limiter = RunLimiter()
    assert [limiter.reserve(1000.0) for _ in range(22)] == pytest.approx([0.0] * 20 + [0.1, 0.2])
    assert limiter.reserve(1000.2) == pytest.approx(0.1)
    assert limiter.reserve(1000.9) == 0.0
    assert [limiter.reserve(5000.0) for _ in range(21)] == pytest.approx([0.0] * 20 + [0.1])


@pytest.mark.parametrize(("nanos", "fraction"), [(0, ""), (500_000_000, ".5"), (120, ".00000012"), (1, ".000000001")])
def test_times_as_text(nanos: int, fraction: str) -> None:
    moment = Timestamp(seconds=1_700_000_000, nanos=nanos)
    assert clock.to_text(moment) == f"2023-11-14T22:13:20{fraction}Z"


def test_run_names() -> None:
    key = TriggerKey("flytesnacks", "development", "env.task", "nightly")
    noon = clock.from_datetime(datetime(2026, 8, 21, 12, tzinfo=UTC))
    assert run_name(key, noon) == "rdde5b93a99a669bc"
