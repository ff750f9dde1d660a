"""The scheduled times of a trigger."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from attrs import frozen

from flyte.devbox import clock
from flyte.devbox.store.rows import TriggerRow
from flyte_api.messages.flyteidl2.task.common import FixedRateUnit, Schedule, TriggerAutomationSpec
from flyte_rpc.codec.deprecation import quietly

from .cron import CronError, CronTimes, read_cron

_UNITS = {
    FixedRateUnit.MINUTE: timedelta(minutes=1),
    FixedRateUnit.HOUR: timedelta(hours=1),
    FixedRateUnit.DAY: timedelta(days=1),
}


class Times(Protocol):
    """The times of a schedule, in microseconds since the epoch."""

    def after(self, moment: int) -> int | None:
        """Return the first time after `moment`; None if there is none."""
        ...


@frozen
class Cron:
    """The times of a cron expression."""

    times: CronTimes

    def after(self, moment: int) -> int | None:
        """Return the first time after `moment`; None if there is none."""
        found = self.times.after(clock.to_datetime(moment))
        return None if found is None else clock.from_datetime(found)


@frozen
class Interval:
    """The ends of intervals that follow one another."""

    start: int
    """Start of the first interval."""
    length: int

    def after(self, moment: int) -> int:
        """Return the first end of an interval after `moment`."""
        return self.start + self.length * max(1, (moment - self.start) // self.length + 1)


def check(automation: TriggerAutomationSpec | None) -> None:
    """Check the cron expression and time zone of an automation, if it has any.

    Raises:
        CronError: The expression or the time zone is invalid.
        MissingLibraryError: The library for cron expressions is not installed.
    """
    if automation is not None and automation.schedule is not None:
        _read(automation.schedule)


def times_of(row: TriggerRow) -> Times | None:
    """Return the times of a trigger; None for a trigger that never fires by itself.

    Raises:
        CronError: The schedule is invalid.
        MissingLibraryError: The library for cron expressions is not installed.
    """
    schedule = TriggerAutomationSpec.parse(row.automation_spec).schedule
    if schedule is None:
        return None
    found = _read(schedule)
    if isinstance(found, CronTimes):
        return Cron(found)
    activated = max(row.deployed_at, row.updated_at)
    if found is not None:
        return Interval(activated, clock.to_micros(found))
    rate = schedule.rate
    if rate is None:
        return None
    unit = _UNITS.get(rate.unit)
    if unit is None or not rate.value:
        raise CronError(f"the fixed rate has the value {rate.value} and the unit {rate.unit.name or int(rate.unit)}")
    start = activated if rate.start_time is None else clock.from_timestamp(rate.start_time)
    return Interval(start, rate.value * clock.to_micros(unit))


def kickoff_input(row: TriggerRow) -> str:
    """Return the name of the input that receives the scheduled time; empty if there is none."""
    schedule = TriggerAutomationSpec.parse(row.automation_spec).schedule
    return "" if schedule is None else schedule.kickoff_time_input_arg


def _read(schedule: Schedule) -> CronTimes | timedelta | None:
    plain = quietly(schedule, "cron_expression")
    if plain is not None:
        return read_cron(plain)
    if schedule.cron is not None:
        return read_cron(schedule.cron.expression, schedule.cron.timezone)
    return None
