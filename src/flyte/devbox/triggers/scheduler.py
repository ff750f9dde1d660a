"""Starts the runs of triggers at their scheduled times."""

from __future__ import annotations

import asyncio
import heapq
import logging

from attrs import frozen

from flyte.devbox import bus, clock
from flyte.devbox.data.hashing import fnv64
from flyte.devbox.keys import TriggerKey
from flyte.devbox.runs.creation import create_run
from flyte.devbox.runs.recording import Origin, Recorder
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.rows import TriggerRow
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral
from flyte_api.messages.flyteidl2.workflow.run_definition import RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest
from flyte_rpc.serving.server import Abort

from .cron import CronError, MissingLibraryError
from .schedule import Times, kickoff_input, times_of

_log = logging.getLogger("flyte.devbox")

MAX_MISSED = 100
"""Maximum number of runs that are started at once for scheduled times that were missed."""
_LATE = 60_000_000
"""Microseconds after which a scheduled time counts as missed."""
_BURST = 20
_PER_SECOND = 10
_RESYNC = 30.0
"""Maximum seconds between two looks at the clock, which may be set or stand still while the machine sleeps."""


class TooManyRunsError(Exception):
    """More scheduled times would pass at once than the scheduler starts runs for."""


@frozen(order=True)
class _Due:
    """A scheduled time of a revision of a trigger."""

    at: int
    key: TriggerKey
    revision: int


class RunLimiter:
    """Limits the rate of new runs: a burst, then a number per second."""

    def __init__(self) -> None:
        self._free = float(_BURST)
        self._at = 0.0

    def reserve(self, now: float) -> float:
        """Return the seconds to wait before the next run, and count that run.

        Args:
            now: The time in seconds on a clock that is never set.
        """
        self._free = min(_BURST, self._free + (now - self._at) * _PER_SECOND) - 1
        self._at = now
        return max(0.0, -self._free / _PER_SECOND)


class _Agenda:
    """The scheduled times of all active triggers, in order."""

    def __init__(self) -> None:
        self._times: dict[TriggerKey, Times] = {}
        self._due: list[_Due] = []

    def schedule(self, row: TriggerRow, times: Times) -> None:
        """Add a trigger."""
        self._times[row.key] = times
        self._add(row.key, row.revision, row.scheduled_after)

    @property
    def first(self) -> int | None:
        """The first time; None if there is none."""
        return self._due[0].at if self._due else None

    def take(self, until: int) -> _Due | None:
        """Remove and return the first item, if it is due at `until`."""
        if not self._due or self._due[0].at > until:
            return None
        due = heapq.heappop(self._due)
        self._add(due.key, due.revision, due.at)
        return due

    def _add(self, key: TriggerKey, revision: int, after: int) -> None:
        at = self._times[key].after(after)
        if at is not None:
            heapq.heappush(self._due, _Due(at, key, revision))


class Scheduler:
    """Starts runs at scheduled times, on the clock of triggers.

    After a restart, it starts the runs that were due while no devbox ran, up to `MAX_MISSED`. A new or activated trigger
    waits for its next time.
    """

    def __init__(self, state: SharedState, recorder: Recorder) -> None:
        """Create the scheduler. It does nothing before `begin`."""
        self._state = state
        self._triggers = state.store.triggers
        self._recorder = recorder
        self._limiter = RunLimiter()
        self._lock = asyncio.Lock()
        self._closed = False
        self._unscheduled: set[tuple[TriggerKey, int]] = set()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start runs when they are due."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="scheduler")

    async def close(self) -> None:
        """Start no more runs."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def start_due(self) -> int | None:
        """Start all runs that are due. Missed times beyond `MAX_MISSED` are skipped.

        Returns:
            The next scheduled time; None if there is none.
        """
        async with self._lock:
            if self._closed:
                return None
            now = self._state.clock.now()
            agenda = self._agenda()
            missed = 0
            while not self._closed and (due := agenda.take(now)) is not None:
                if due.at < now - _LATE:
                    if missed == MAX_MISSED:
                        self._skip(now - _LATE)
                        agenda = self._agenda()
                        continue
                    missed += 1
                await asyncio.sleep(self._limiter.reserve(asyncio.get_running_loop().time()))
                self._start(due)
            return agenda.first

    async def advance(self, micros: int) -> int:
        """Move the clock of triggers forward, and start the runs that become due, without a limit of their rate.

        Returns:
            The number of runs.

        Raises:
            TooManyRunsError: More than `MAX_MISSED` runs would become due. The clock was not moved.
        """
        async with self._lock:
            until = self._state.clock.now() + micros
            agenda = self._agenda()
            passed: list[_Due] = []
            while (due := agenda.take(until)) is not None:
                if len(passed) == MAX_MISSED:
                    raise TooManyRunsError
                passed.append(due)
            self._state.clock.advance(micros)
            started = sum(self._start(due) for due in passed)
        # Let the loop take the new time into account.
        self._state.changes.publish(bus.TRIGGERS, None)
        return started

    async def _run(self) -> None:
        with self._state.changes.subscribe(bus.TRIGGERS) as changed:
            while True:
                try:
                    pause = self._pause(await self.start_due())
                except Exception:  # such as a full disk: the scheduler must work again when there is space
                    _log.exception("the scheduler of triggers failed; it tries again in %d s", _RESYNC)
                    pause = _RESYNC
                try:
                    await asyncio.wait_for(changed.changes(), pause)
                except TimeoutError:
                    continue

    def _pause(self, following: int | None) -> float:
        """Return the seconds until the next look at the clock, given the next scheduled time."""
        if following is None:
            return _RESYNC
        return min(_RESYNC, max(0.0, (following - self._state.clock.now()) / 1e6))

    def _agenda(self) -> _Agenda:
        agenda = _Agenda()
        for row in self._triggers.scheduled():
            try:
                times = times_of(row)
            except (CronError, MissingLibraryError) as error:
                if (row.key, row.revision) not in self._unscheduled:
                    self._unscheduled.add((row.key, row.revision))
                    _log.warning("trigger %s cannot be scheduled: %s", row.key, error)
                continue
            if times is not None:
                agenda.schedule(row, times)
        return agenda

    def _start(self, due: _Due) -> bool:
        """Start the run of one scheduled time, unless the trigger has changed in the meantime."""
        row = self._triggers.get(due.key)
        if row is None or row.revision != due.revision:
            return False
        request = CreateRunRequest(
            run_id=RunIdentifier(project=row.project, domain=row.domain, name=run_name(row.key, due.at)),
            trigger_name=row.key.message(),
            source=RunSource.SCHEDULE_TRIGGER,
            run_start_time=clock.to_timestamp(due.at),
        )
        if name := kickoff_input(row):
            value = Literal(scalar=Scalar(primitive=Primitive(datetime=clock.to_timestamp(due.at))))
            request.inputs = Inputs(literals=[NamedLiteral(name=name, value=value)])
        try:
            with self._state.store.database.transaction():
                create_run(request, self._state, self._recorder, Origin(source=RunSource.SCHEDULE_TRIGGER))
                self._triggers.set_scheduled(due.key, due.at)
        except Abort as error:
            at = clock.to_datetime(due.at).isoformat()
            _log.warning("trigger %s cannot start its run of %s: %s", due.key, at, error.message)
            self._triggers.set_scheduled(due.key, due.at)
            return False
        return True

    def _skip(self, until: int) -> None:
        """Skip all times up to `until`."""
        _log.warning("triggers missed more than %d scheduled times; the rest is skipped", MAX_MISSED)
        for row in self._triggers.scheduled():
            if row.scheduled_after < until:
                self._triggers.set_scheduled(row.key, until)


def run_name(key: TriggerKey, at: int) -> str:
    """Return the name of the run of a scheduled time, so that no time starts two runs."""
    moment = clock.to_datetime(at)
    date = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    text = ":".join(map(str, (*key, *date)))
    return f"r{fnv64(text.encode()):x}"
