"""Times and durations as text, in the notation of Go."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp

from .errors import TranslationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BILLION = 1_000_000_000
_MAX_NANOS = (1 << 63) - 1
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,  # U+00B5, the micro sign
    "μs": 1000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": _BILLION,
    "m": 60 * _BILLION,
    "h": 3600 * _BILLION,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)((?:{_PART.pattern})+|0)")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)",
    re.ASCII,
)


def format_time(value: Timestamp) -> str:
    """Write a time in UTC as RFC 3339, without fractions of a second.

    Raises:
        TranslationError: The time is outside the years 1 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(seconds=value.seconds)
    except OverflowError:
        raise TranslationError(f"the time {value.seconds} s is out of range") from None
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0")


def parse_time(text: str) -> Timestamp:
    """Read a time in RFC 3339.

    Raises:
        TranslationError: The text is not such a time.
    """
    problem = f"{text!r} is not a time in RFC 3339, such as 2026-01-31T12:00:00Z"
    match = _TIME.fullmatch(text)
    if match is None:
        raise TranslationError(problem)
    try:
        moment = datetime.fromisoformat(match[1] + match[3])
    except ValueError:
        raise TranslationError(problem) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return Timestamp(seconds=seconds, nanos=int((match[2] or "0")[:9].ljust(9, "0")))


def format_duration(value: Duration) -> str:
    """Write a duration like Go: "1h2m3s", "1.5ms"."""
    nanos = value.seconds * _BILLION + value.nanos
    sign, nanos = ("-" if nanos < 0 else ""), abs(nanos)
    if nanos == 0:
        return "0s"
    if nanos < _BILLION:
        unit = "ns" if nanos < _UNITS["us"] else "µs" if nanos < _UNITS["ms"] else "ms"
        return f"{sign}{_decimal(nanos, _UNITS[unit])}{unit}"
    minutes, rest = divmod(nanos, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _BILLION)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def parse_duration(text: str) -> Duration:
    """Read a duration: whole seconds, or the notation of Go.

    Raises:
        TranslationError: The text is not a duration, or the duration is longer than 292 years.
    """
    if text.isascii() and text.isdigit():
        return _duration(int(text) * _BILLION, text)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise TranslationError(f"{text!r} is not a duration, such as 1h2m3s or a number of seconds")
    nanos = sum(int(Fraction(f"0{number}") * _UNITS[unit]) for number, unit in _PART.findall(match[2]))
    return _duration(-nanos if match[1] == "-" else nanos, text)


def _duration(nanos: int, text: str) -> Duration:
    if abs(nanos) > _MAX_NANOS:
        raise TranslationError(f"the duration {text!r} is too long")
    seconds, rest = divmod(abs(nanos), _BILLION)
    return Duration(seconds=-seconds, nanos=-rest) if nanos < 0 else Duration(seconds=seconds, nanos=rest)


def _decimal(nanos: int, unit: int) -> str:
    """Write nanoseconds as a decimal number of units, without trailing zeros."""
    whole, rest = divmod(nanos, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
