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
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.workflow.run_definition import ErrorInfoKind
from flyte_rpc.codec.deprecation import quietly

from . import failures
from .failures import OUTPUTS, Failure, Success, read_result
from .limits import Limits
from .plan import Plan, Refused, Work, plan
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
            if attempt == 1 and (self._use_recovered_outputs() or self._use_cached_outputs()):
                return Success()
            outcome = await self._wait_for_slot(attempt) or await self._attempt(attempt)
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
        patience = None
        if self._limits.max_queued and attempt == 1:
            patience = max(0.0, self._limits.max_queued - (clock.now() - self._row.queued_at) / 1e6)
        turn = self._slots.ask(self.key)
        ended = await self._until(turn, seconds=patience)
        if ended is None and not turn.done():
            ended = failures.queued_timeout_exceeded(self._limits.max_queued)
        if ended is not None:
            turn.cancel()
            self._slots.leave(self.key)
        return ended

    async def _attempt(self, attempt: int) -> Success | Failure | Stop:
        """Run one attempt in its slot."""
        reporter, directory = self._reporter, self._directory(attempt)
        scratch = self._state.scratch / uuid.uuid4().hex
        log: Log | None = None
        try:
            reporter.report(ActionPhase.INITIALIZING)
            prepared = plan(self._work, attempt, directory, self._state.blobs, self._settings.environment)
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
            await release(scratch, self._state.blobs.path(f"{directory}/{OUTPUTS}"))
            self._slots.leave(self.key)
        if ended is not None:
            return ended
        tail = self._state.logs.last(self.key, attempt, _QUOTED_LINES)
        result = read_result(self._state.blobs, directory, process.exited.result(), self._work.expects_outputs, tail)
        if isinstance(result, Success):
            self._remember(f"{directory}/{OUTPUTS}")
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
        return Reporter(self._state.store, self.key, attempt, self._directory(attempt))

    def _use_recovered_outputs(self) -> bool:
        """Use the outputs of the same action in the run that this run recovers, if it succeeded there."""
        uri = recovered_outputs(self._state.store, self._state.blobs, self._work)
        if uri is None:
            return False
        self._state.blobs.copy(uri, f"{self._directory(1)}/{OUTPUTS}")
        return True

    def _use_cached_outputs(self) -> bool:
        """Use the outputs of an earlier action with the same cache key, if there are any."""
        key, run_spec = self._row.cache_key, self._work.run_spec
        if not key:
            return False
        config = run_spec.cache_config
        if quietly(run_spec, "overwrite_cache") or (config is not None and config.overwrite_cache):
            self._reporter.cache_status = CatalogCacheStatus.CACHE_SKIPPED
            return False
        self._reporter.cache_status = CatalogCacheStatus.CACHE_MISS
        metadata = self._work.template.metadata
        age = clock.to_seconds(metadata.cache_max_age) if metadata is not None else 0.0
        since = clock.now() - int(age * 1e6) if age else 0
        uri = self._state.store.cached_outputs.get(self.key.project, self.key.domain, key, since)
        if uri is None or not self._state.blobs.exists(uri):
            return False
        self._state.blobs.copy(uri, f"{self._directory(1)}/{OUTPUTS}")
        self._reporter.cache_status = CatalogCacheStatus.CACHE_HIT
        return True

    def _remember(self, uri: str) -> None:
        """Store the outputs for later actions with the same cache key."""
        if self._row.cache_key and self._state.blobs.exists(uri):
            store = self._state.store.cached_outputs
            store.put(self.key.project, self.key.domain, self._row.cache_key, uri, clock.now())
            self._reporter.cache_status = CatalogCacheStatus.CACHE_POPULATED
