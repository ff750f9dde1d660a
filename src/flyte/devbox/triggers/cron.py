"""The times of cron expressions. A library evaluates the fields; this module adds time zones and descriptors."""

from __future__ import annotations

import importlib.util
import re
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flyte.definitions.cron import check_cron

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE_PREFIX = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")
_EVERY = "@every "
_SPAN = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_FIRST_AND_LAST = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_STEP = timedelta(days=7)
"""Time zones are assumed to keep each offset for longer than this."""
_BLINK = timedelta(seconds=1)


class CronError(ValueError):
    """The cron expression or its time zone is invalid."""


class MissingLibraryError(Exception):
    """The library for cron expressions is not installed."""


class CronTimes:
    """The times of a cron expression.

    The fields are those of the wall clock in the time zone. When clocks go forward, the times in the gap are skipped.
    When they go back, the times of the repeated hour occur twice.
    """

    def __init__(self, fields: Sequence[str], zone: zoneinfo.ZoneInfo) -> None:
        self._expression = " ".join(fields)
        self._zone = zone

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`, in UTC; None if there is none."""
        after = moment.astimezone(UTC)
        offset = self._offset(after)
        while True:
            wall = self._next(after.replace(tzinfo=None) + offset)
            if wall is None:
                return None
            candidate = (wall - offset).replace(tzinfo=UTC)
            change = self._change(after, candidate, offset)
            if change is None:
                return candidate
            # The offset is another one from here on, so look for the wall time that belongs to it.
            offset = self._offset(change)
            after = change - _BLINK

    def _next(self, wall: datetime) -> datetime | None:
        """Return the next wall time, without regard to the time zone."""
        # Imported here, so that a devbox without schedules does not need the library.
        from cronsim import CronSim, CronSimError

        try:
            return next(CronSim(self._expression, wall), None)
        except (CronSimError, OverflowError):  # a date that no month has, such as February 30
            return None

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()

    def _change(self, after: datetime, until: datetime, offset: timedelta) -> datetime | None:
        """Return the first moment up to `until` at which the zone has another offset."""
        low = after
        if self._offset(low + _BLINK) != offset:
            return low + _BLINK if low + _BLINK <= until else None
        while low < until:
            high = min(low + _STEP, until)
            if self._offset(high) != offset:
                return self._bisect(low, high, offset)
            low = high
        return None

    def _bisect(self, low: datetime, high: datetime, offset: timedelta) -> datetime:
        while high - low > _BLINK:
            middle = low + (high - low) // 2
            if self._offset(middle) == offset:
                low = middle
            else:
                high = middle
        return high.replace(microsecond=0)


@lru_cache(maxsize=1024)
def read_cron(expression: str, timezone: str = "") -> CronTimes | timedelta:
    """Parse a cron expression.

    Args:
        expression: Five fields or a descriptor. Without `timezone`, it may start with `CRON_TZ=<zone> `.
        timezone: IANA name of its time zone. Default: UTC.

    Returns:
        Its times; for `@every`, the interval.

    Raises:
        CronError: The expression or the zone is invalid.
        MissingLibraryError: The library for cron expressions is not installed.
    """
    if not timezone and (prefix := _ZONE_PREFIX.match(expression)) is not None:
        timezone, expression = prefix[1], expression[prefix.end() :]
    try:
        check_cron("cron", expression)
        zone = zoneinfo.ZoneInfo(timezone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise CronError(f"unknown time zone {timezone!r}; write its IANA name, such as Europe/Berlin") from error
    except ValueError as error:
        raise CronError(str(error)) from error
    if expression.startswith(_EVERY):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(expression))
        # Like the real scheduler, which counts whole seconds.
        return timedelta(seconds=max(1, int(seconds)))
    if importlib.util.find_spec("cronsim") is None:
        raise MissingLibraryError(
            "schedules with cron expressions need the package cronsim; install it with: pip install 'cronsim>=2.6,<3'"
        )
    fields = _DESCRIPTORS.get(expression, expression).split()
    return CronTimes([_field(*span, field) for span, field in zip(_FIRST_AND_LAST, fields, strict=True)], zone)


def _field(first: int, last: int, written: str) -> str:
    """Rewrite a field that the library reads differently from the real scheduler."""
    parts = [_part(first, last, part) for part in written.split(",")]
    # Whether a day must match both fields for days, or one of them, depends on a star.
    return "*" if "*" in parts else ",".join(parts)


def _part(first: int, last: int, part: str) -> str:
    body, _, step = part.partition("/")
    if body in ("*", "?"):
        return "*" if int(step or 1) == 1 else f"{first}-{last}/{step}"
    low, dash, high = body.partition("-")
    if not step:
        return body
    if not dash:
        return f"{low}-{last}/{step}"
    return low if low == high else part
