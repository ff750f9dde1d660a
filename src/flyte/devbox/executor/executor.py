"""Runs actions as processes on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from flyte.devbox import clock, phases
from flyte.devbox.keys import ActionKey
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.rows import ActionRow, JobRow
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionSpec, ActionType

from . import failures
from .condition import ConditionWait
from .job import Job, Settings, Stop
from .plan import Work
from .processes import orphans
from .processes.forking import ProcessStarter
from .reports import Reporter, started_at
from .slots import Slots

__all__ = ["Executor"]

_PARENT_ENDED = "the parent action has ended"
_MARGIN = 5.0
"""Seconds after the grace period in which running actions must end when the devbox stops."""


class Executor:
    """Runs the actions in the store until they end."""

    def __init__(self, state: SharedState, *, parallel: int, grace: float) -> None:
        """Create the executor. Nothing runs before `begin`.

        Args:
            state: The state shared by all parts of the devbox.
            parallel: Maximum number of concurrent actions, not counting those that wait for their children.
            grace: Seconds between SIGTERM and SIGKILL.
        """
        self._state = state
        self._slots = Slots(parallel)
        self._grace = grace
        self._processes = ProcessStarter()
        self._settings = Settings(grace=grace, environment={}, processes=self._processes)
        self._live: dict[ActionKey, Job | ConditionWait] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def begin(self, environment: Mapping[str, str]) -> None:
        """Resume the actions of an earlier devbox: queued actions continue, and running ones have failed.

        Args:
            environment: Environment variables with the address of this devbox, for tasks.
        """
        self._settings = Settings(grace=self._grace, environment=environment, processes=self._processes)
        store = self._state.store
        found = [(row, job) for job in store.jobs.all() if (row := store.actions.get(job.key)) is not None]
        dead = [(row, job) for row, job in found if job.marker is not None]
        for row, job in dead:
            self._fail_interrupted(row, job)
        for row, _ in dead:
            self._end_descendants(row.key)
        for row, job in found:
            if job.marker is None:
                # Its parent may have ended just now, and aborted it.
                self._resume(store.actions.get(row.key) or row, job)

    def submit(self, row: ActionRow, cache_key: str) -> None:
        """Queue a new action, in the transaction that records it."""
        job = JobRow(*row.key, attempt=1, cache_key=cache_key, queued_at=clock.now())
        self._state.store.jobs.put(job)
        self._state.store.database.after_commit(lambda: self._resume(row, job))

    def abort(self, key: ActionKey, reason: str) -> None:
        """Abort an action and all its descendants in the background. Actions that have ended do not change."""
        for row in [*self._state.store.actions.descendants(key), self._state.store.actions.get(key)]:
            if row is not None and (live := self._live.get(row.key)) is not None:
                live.stop(Stop(reason))

    def signalled(self, key: ActionKey) -> None:
        """End a condition that has received its value."""
        if isinstance(live := self._live.get(key), ConditionWait):
            live.signalled()

    @property
    def active(self) -> list[ActionKey]:
        """The actions that are queued or running."""
        return list(self._live)

    async def drain(self) -> None:
        """Wait until no action is queued or running."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """End running actions. Queued actions wait for the next devbox on the same directory."""
        self._closing = True
        for live in self._live.values():
            # Queued children of a running action end with it.
            live.stop(Stop("the devbox was stopped", keep_queued=live.parent is None))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._grace + _MARGIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._processes.close()

    def _resume(self, row: ActionRow, job: JobRow) -> None:
        """Start the job or wait of an action."""
        if phases.is_terminal(row.phase):
            self._fail_interrupted(row, job)
            return
        if self._closing:
            return
        live = self._runner_of(row, job)
        self._live[row.key] = live
        if live.parent is not None:
            self._slots.child_added(live.parent)
        task = asyncio.get_running_loop().create_task(self._run_to_end(live), name=f"action {row.key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _runner_of(self, row: ActionRow, job: JobRow) -> Job | ConditionWait:
        if row.action_type == ActionType.CONDITION:
            return ConditionWait(self._state, row)
        data = self._state.store.tasks.spec(row.spec_digest or "")
        template = TaskSpec.parse(data or b"").task_template or TaskTemplate()
        return Job(self._state, self._slots, self._settings, Work.of(row, template), job)

    async def _run_to_end(self, live: Job | ConditionWait) -> None:
        try:
            well = await live.run()
        finally:
            del self._live[live.key]
            if live.parent is not None:
                self._slots.child_ended(live.parent)
        if not well and not self._closing:
            self.abort(live.key, _PARENT_ENDED)

    def _fail_interrupted(self, row: ActionRow, job: JobRow) -> None:
        """Fail an action that was interrupted, and kill its remaining processes."""
        orphans.kill(job.pid, job.start_time or "", job.marker or "")
        store = self._state.store
        spec = ActionSpec.parse(row.action_spec)
        directory = self._state.blobs.output_directory(spec.run_output_base, row.key, job.attempt)
        reporter = Reporter(store, row.key, job.attempt, directory)
        last = store.events.newest(row.key, job.attempt)
        started = None if last is None else started_at(last)
        if started is not None:
            reporter.started(started)
        with store.database.transaction():
            store.jobs.remove(row.key)
            if row.action_type == ActionType.CONDITION:
                return
            if row.phase == ActionPhase.ABORTED:
                reporter.report(ActionPhase.ABORTED, "aborted")
            elif not phases.is_terminal(row.phase):
                reporter.report(ActionPhase.FAILED, failure=failures.devbox_died(job.pid))

    def _end_descendants(self, key: ActionKey) -> None:
        """Abort the queued children of an action that has ended. Its running children fail by themselves."""
        for child in self._state.store.actions.descendants(key):
            if not phases.is_terminal(child.phase):
                self._state.store.actions.set_aborted(child.key, _PARENT_ENDED)
