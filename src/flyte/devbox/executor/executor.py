"""Runs actions as processes of this machine."""

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
"""Seconds, beyond the grace period, that running actions get to end when the devbox stops."""


class Executor:
    """Takes actions that are in the store, and sees each to its end."""

    def __init__(self, state: SharedState, *, parallel: int, grace: float) -> None:
        """Prepare; nothing runs before `begin`.

        Args:
            state: What all parts of the devbox share.
            parallel: Most actions that run at once, not counting those that wait for their children.
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
        """Pick up what an earlier devbox left: queued actions go on, those that were running have failed.

        Args:
            environment: Variables that tell tasks where this devbox is.
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
                # Its parent may just have ended, and it with its parent.
                self._resume(store.actions.get(row.key) or row, job)

    def submit(self, row: ActionRow, cache_key: str) -> None:
        """Queue an action that was just recorded; part of the transaction that recorded it."""
        job = JobRow(*row.key, attempt=1, cache_key=cache_key, queued_at=clock.now())
        self._state.store.jobs.put(job)
        self._state.store.database.after_commit(lambda: self._resume(row, job))

    def abort(self, key: ActionKey, reason: str) -> None:
        """End an action and all its descendants, in the background. One that has ended stays as it is."""
        for row in [*self._state.store.actions.descendants(key), self._state.store.actions.get(key)]:
            if row is not None and (live := self._live.get(row.key)) is not None:
                live.stop(Stop(reason))

    def signalled(self, key: ActionKey) -> None:
        """A condition has got its value."""
        if isinstance(live := self._live.get(key), ConditionWait):
            live.signalled()

    async def close(self) -> None:
        """End what runs; what is still queued waits for the next devbox on the same directory."""
        self._closing = True
        for live in self._live.values():
            # What a running action has queued goes with it.
            live.stop(Stop("the devbox was stopped", keep_queued=live.parent is None))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._grace + _MARGIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._processes.close()

    def _resume(self, row: ActionRow, job: JobRow) -> None:
        """Start what sees an action to its end."""
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
        """Settle an action that cannot go on, and end what is left of it."""
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
        """Abort what an action that is over had queued. What it had running is buried by itself."""
        for child in self._state.store.actions.descendants(key):
            if not phases.is_terminal(child.phase):
                self._state.store.actions.set_aborted(child.key, _PARENT_ENDED)
