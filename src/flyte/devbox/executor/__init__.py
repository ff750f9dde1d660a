"""Runs actions as processes of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from flyte.devbox import clock, phases
from flyte.devbox.executor import failures, orphans
from flyte.devbox.executor.condition import ConditionWait
from flyte.devbox.executor.job import Job, Settings, Stop
from flyte.devbox.executor.plan import Work
from flyte.devbox.executor.reports import Reporter
from flyte.devbox.executor.slots import Slots
from flyte.devbox.keys import ActionKey
from flyte.devbox.plane import Plane
from flyte.devbox.store import ActionRow, JobRow
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionSpec, ActionType

__all__ = ["Executor"]

_MARGIN = 5.0
"""Seconds, beyond the grace period, that running actions get to end when the devbox stops."""


class Executor:
    """Takes actions that are in the store, and sees each to its end."""

    def __init__(self, plane: Plane, *, parallel: int, grace: float) -> None:
        """Prepare; nothing runs before `begin`.

        Args:
            plane: What the devbox shares.
            parallel: Most actions that run at once, not counting those that wait for their children.
            grace: Seconds between SIGTERM and SIGKILL.
        """
        self._plane = plane
        self._slots = Slots(parallel)
        self._grace = grace
        self._settings = Settings(grace=grace, environment={})
        self._live: dict[ActionKey, Job | ConditionWait] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def begin(self, environment: Mapping[str, str]) -> None:
        """Pick up what an earlier devbox left: queued actions go on, those that were running have failed.

        Args:
            environment: Variables that tell tasks where this devbox is.
        """
        self._settings = Settings(grace=self._grace, environment=environment)
        store = self._plane.store
        queued: list[tuple[ActionRow, JobRow]] = []
        for job in store.jobs.all():
            row = store.actions.get(job.key)
            if row is None:
                store.jobs.remove(job.key)
            elif job.marker is not None or phases.is_terminal(row.phase):
                self._bury(row, job)
            else:
                queued.append((row, job))
        for row in store.actions.unfinished_conditions():
            self._start(row, ConditionWait(self._plane, row))
        for row, job in queued:
            # Burying its parent may have ended it.
            current = store.actions.get(row.key) or row
            if phases.is_terminal(current.phase):
                self._bury(current, job)
            else:
                self._start(current, self._job(current, job))

    def submit(self, row: ActionRow, cache_key: str) -> None:
        """Queue an action that was just recorded; part of the transaction that recorded it."""
        if row.action_type == ActionType.CONDITION:
            self._plane.store.database.after_commit(lambda: self._start(row, ConditionWait(self._plane, row)))
            return
        job = JobRow(*row.key, attempt=1, cache_key=cache_key, queued_at=clock.now())
        self._plane.store.jobs.put(job)
        self._plane.store.database.after_commit(lambda: self._start(row, self._job(row, job)))

    def abort(self, key: ActionKey, reason: str) -> None:
        """End an action and all its descendants, in the background. One that has ended stays as it is."""
        for row in [*self._plane.store.actions.descendants(key), self._plane.store.actions.get(key)]:
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

    def _job(self, row: ActionRow, job: JobRow) -> Job:
        data = self._plane.store.tasks.spec(row.spec_digest or "")
        template = TaskSpec.parse(data or b"").task_template or TaskTemplate()
        return Job(self._plane, self._slots, self._settings, Work.of(row, template), job)

    def _start(self, row: ActionRow, live: Job | ConditionWait) -> None:
        if self._closing:
            return
        self._live[row.key] = live
        if live.parent is not None:
            self._slots.child_added(live.parent)
        task = asyncio.get_running_loop().create_task(self._see_through(live), name=f"action {row.key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _see_through(self, live: Job | ConditionWait) -> None:
        try:
            well = await live.run()
        finally:
            del self._live[live.key]
            if live.parent is not None:
                self._slots.child_ended(live.parent)
        if not well and not self._closing:
            self.abort(live.key, "the parent action has ended")

    def _bury(self, row: ActionRow, job: JobRow) -> None:
        """Settle an action whose devbox died while it ran, and end what is left of it."""
        orphans.kill(job.pid, job.born or "", job.marker or "")
        spec = ActionSpec.parse(row.action_spec)
        directory = self._plane.blobs.output_directory(spec.run_output_base, row.key, job.attempt)
        reporter = Reporter(self._plane.store, row.key, job.attempt, directory)
        if self._plane.logs.exists(row.key, job.attempt):
            reporter.started()
        store = self._plane.store
        with store.database.transaction():
            if row.phase == ActionPhase.ABORTED:
                reporter.report(ActionPhase.ABORTED, "aborted")
            elif phases.is_terminal(row.phase):
                store.jobs.remove(row.key)
            else:
                reporter.report(ActionPhase.FAILED, failure=failures.devbox_died(job.pid))
            for child in store.actions.descendants(row.key):
                if not phases.is_terminal(child.phase):
                    store.actions.set_aborted(child.key, "the parent action has ended")
