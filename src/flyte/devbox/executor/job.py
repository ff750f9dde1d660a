"""The life cycle of one action: queued, started, retried, ended."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from flyte.devbox import clock
from flyte.devbox.data.logs import Log
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.rows import JobRow
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import ErrorInfoKind

from . import failures
from .cache import ActionCache
from .failures import OUTPUTS, Failure, Success, read_result
from .limits import Limits
from .plan import Plan, Refused, SecretAccess, Work, plan
from .processes.forking import ProcessStarter
from .processes.orphans import MARKER, start_time
from .processes.process import Process
from .recovery import recovered_outputs
from .reports import Reporter
from .scratch import release
from .slots import Slots

_log = logging.getLogger("flyte.devbox")
_QUOTED_LINES = 10


@frozen
class Stop:
    """A request to end the action."""

    reason: str
    keep_queued: bool = False
    """Whether to keep an action that has not started in the queue for the next devbox."""


@frozen
class Settings:
    """Settings shared by all jobs of a devbox."""

    grace: float
    """Seconds between SIGTERM and SIGKILL."""
    environment: Mapping[str, str]
    """Environment variables with the address of the devbox, for tasks."""
    processes: ProcessStarter
    """The starter of processes."""


class Job:
    """Runs the attempts of one action."""

    def __init__(self, state: SharedState, slots: Slots, settings: Settings, work: Work, row: JobRow) -> None:
        self.key = work.key
        self.parent = work.parent
        self._state = state
        self._slots = slots
        self._settings = settings
        self._work = work
        self._row: JobRow = row
        self._limits = Limits.of(work.template.metadata)
        self._cache = ActionCache(state, work, row.cache_key)
        self._stopping: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()
        self._reporter = self._reporter_of(row.attempt)

    def stop(self, stop: Stop) -> None:
        """Ask the action to end. The first reason wins."""
        if not self._stopping.done():
            self._stopping.set_result(stop)

    async def run(self) -> bool:
        """Run the action and report how it ended. Return False if its children must end, too."""
        try:
            outcome = await self._attempts()
        except Exception as error:
            _log.exception("the devbox failed to run %s", self.key)
            outcome = Failure("DevboxError", f"the devbox failed to run the action: {error!r}", ErrorInfoKind.SYSTEM)
        finally:
            self._cache.release()
        if isinstance(outcome, Success):
            self._reporter.report(ActionPhase.SUCCEEDED)
            return True
        if isinstance(outcome, Failure):
            self._reporter.report(ActionPhase.FAILED, failure=outcome)
        elif not (outcome.keep_queued and self._row.marker is None):
            with self._state.store.database.transaction():
                self._state.store.actions.set_aborted(self.key, outcome.reason)
                self._reporter.report(ActionPhase.ABORTED, "aborted")
        return False

    async def _attempts(self) -> Success | Failure | Stop:
        while True:
            attempt = self._row.attempt
            self._reporter = self._reporter_of(attempt)
            with self._state.store.database.transaction():
                self._state.store.jobs.put(self._row)
                self._reporter.report(ActionPhase.QUEUED)
            outcome = (self._recovered() or await self._from_cache(attempt)) if attempt == 1 else None
            outcome = outcome or await self._wait_for_slot(attempt) or await self._attempt(attempt)
            again = isinstance(outcome, Failure) and outcome.retryable and attempt <= self._limits.retries
            if not again or self._deadline_left() == 0:
                return outcome
            self._row = evolve(self._row, attempt=attempt + 1, marker=None, pid=None, start_time=None)

    async def _wait_for_slot(self, attempt: int) -> Failure | Stop | None:
        """Wait until the attempt has a slot. Return None then, else why the action has to end."""
        pause = self._limits.delay_before(attempt)
        if pause and (ended := await self._until(seconds=pause)):
            return ended
        if self._slots.full:
            self._reporter.report(ActionPhase.WAITING_FOR_RESOURCES, "waiting for other actions to end")
        turn = self._slots.ask(self.key)
        ended = await self._until(turn, seconds=self._patience(attempt))
        if ended is None and not turn.done():
            ended = failures.queued_timeout_exceeded(self._limits.max_queued)
        if ended is not None:
            turn.cancel()
            self._slots.leave(self.key)
        return ended

    def _patience(self, attempt: int) -> float | None:
        """Return the seconds that are left in the queue; None for any number."""
        if not self._limits.max_queued or attempt > 1:
            return None
        return max(0.0, self._limits.max_queued - (clock.now() - self._row.queued_at) / 1e6)

    async def _from_cache(self, attempt: int) -> Success | Failure | Stop | None:
        """Use cached outputs, and wait for an action that is computing them. Return None if this action has to."""
        target = f"{self._directory(attempt)}/{OUTPUTS}"
        while True:
            hit = self._cache.fetch(target)
            self._reporter.cache_status = self._cache.status
            if hit:
                return Success()
            other = self._cache.reserve() if self._cache.serializes else None
            if other is None:
                return None
            self._reporter.report(ActionPhase.WAITING_FOR_RESOURCES, f"{other.owner} is computing the same outputs")
            patience = self._patience(attempt)
            expiry = None if other.expires_at is None else max(0.0, (other.expires_at - clock.now()) / 1e6)
            released = self._cache.released()
            limits = [limit for limit in (patience, expiry) if limit is not None]
            ended = await self._until(released, seconds=min(limits, default=None))
            released.cancel()
            if ended is None and self._patience(attempt) == 0:
                ended = failures.queued_timeout_exceeded(self._limits.max_queued)
            if ended is not None:
                return ended

    async def _attempt(self, attempt: int) -> Success | Failure | Stop:
        """Run one attempt in its slot."""
        reporter, directory = self._reporter, self._directory(attempt)
        scratch = self._state.scratch / uuid.uuid4().hex
        secrets = SecretAccess(self._state.vault, scratch.with_suffix(".secrets"))
        log: Log | None = None
        try:
            reporter.report(ActionPhase.INITIALIZING)
            prepared = plan(self._work, attempt, directory, self._state.blobs, secrets, self._settings.environment)
            scratch.mkdir(parents=True)
            log = self._state.logs.open(self.key, attempt)
            process = await self._start(prepared, scratch, log)
            reporter.started()
            reporter.report(ActionPhase.RUNNING)
            ended = await self._watch(process)
        except Refused as refused:
            return refused.failure
        except OSError as error:
            return Failure("StartError", f"the command could not be started: {error}")
        finally:
            if log is not None:
                log.close()
            await release(secrets.directory)
            await release(scratch, self._state.blobs.path(f"{directory}/{OUTPUTS}"))
            self._slots.leave(self.key)
        if ended is not None:
            return ended
        tail = self._state.logs.last(self.key, attempt, _QUOTED_LINES)
        result = read_result(self._state.blobs, directory, process.exited.result(), self._work.expects_outputs, tail)
        if isinstance(result, Success):
            self._cache.store(f"{directory}/{OUTPUTS}")
            reporter.cache_status = self._cache.status
        return result

    async def _start(self, prepared: Plan, scratch: Path, log: Log) -> Process:
        # Recorded before the start, so that the process can be found even if the devbox is killed in between.
        marker = uuid.uuid4().hex
        self._row = evolve(self._row, marker=marker)
        self._state.store.jobs.put(self._row)
        env = {**prepared.env, MARKER: marker}
        process = await self._settings.processes.start(
            prepared.command, env=env, cwd=scratch, sink=log.feed, memory=prepared.memory
        )
        self._row = evolve(self._row, pid=process.pid, start_time=start_time(process.pid))
        self._state.store.jobs.put(self._row)
        return process

    async def _watch(self, process: Process) -> Failure | Stop | None:
        """Wait for the process. Return None if it ended by itself, else why it had to end."""
        ended = await self._until(process.exited, process.unheard, seconds=self._limits.max_runtime or None)
        if ended is None and not process.exited.done():
            if process.unheard.done():
                error = process.unheard.result()
                ended = Failure("LogError", f"its output could not be stored: {error}", ErrorInfoKind.SYSTEM)
            else:
                ended = failures.max_runtime_exceeded(self._limits.max_runtime)
        if not process.exited.done():
            await process.stop(self._settings.grace)
        await process.finish()
        return ended

    async def _until(self, *futures: asyncio.Future[Any], seconds: float | None = None) -> Failure | Stop | None:
        """Wait for one of the futures until the time limits. Return why the action has to end, else None."""
        left = self._deadline_left()
        limits = [limit for limit in (left, seconds) if limit is not None]
        waiting: set[asyncio.Future[Any]] = {self._stopping, *futures}
        await asyncio.wait(waiting, timeout=min(limits, default=None), return_when=asyncio.FIRST_COMPLETED)
        if self._stopping.done():
            return self._stopping.result()
        if self._deadline_left() == 0 and not any(future.done() for future in futures):
            return failures.deadline_exceeded(self._limits.deadline)
        return None

    def _deadline_left(self) -> float | None:
        if not self._limits.deadline:
            return None
        return max(0.0, self._limits.deadline - (clock.now() - self._row.queued_at) / 1e6)

    def _directory(self, attempt: int) -> str:
        return self._state.blobs.output_directory(self._work.spec.run_output_base, self.key, attempt)

    def _reporter_of(self, attempt: int) -> Reporter:
        reporter = Reporter(self._state.store, self.key, attempt, self._directory(attempt))
        reporter.cache_status = self._cache.status
        return reporter

    def _recovered(self) -> Success | None:
        """Use the outputs of the same action in the run that this run recovers, if it succeeded there."""
        uri = recovered_outputs(self._state.store, self._state.blobs, self._work)
        if uri is None:
            return None
        self._state.blobs.copy(uri, f"{self._directory(1)}/{OUTPUTS}")
        return Success()
