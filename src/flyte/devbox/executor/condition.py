"""Conditions: actions that wait for a person or a program to signal a value."""

from __future__ import annotations

import asyncio

from flyte.devbox import clock
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.rows import ActionRow
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionSpec, ConditionAction

from .job import Stop


class ConditionWait:
    """Ends a condition that is not signalled in time. Conditions have a status but no events."""

    def __init__(self, state: SharedState, row: ActionRow) -> None:
        self.key = row.key
        self.parent = row.parent_key
        self._state = state
        self._created_at = row.created_at
        condition = ActionSpec.parse(row.action_spec).condition or ConditionAction()
        self._timeout = clock.to_seconds(condition.timeout)
        self._stopping: asyncio.Future[Stop | None] = asyncio.get_running_loop().create_future()

    def stop(self, stop: Stop) -> None:
        """Ask the condition to end. The first reason wins."""
        if not self._stopping.done():
            self._stopping.set_result(stop)

    def signalled(self) -> None:
        """End the condition, which has received its value."""
        if not self._stopping.done():
            self._stopping.set_result(None)

    async def run(self) -> bool:
        """Wait until the condition is over; see `Job.run`."""
        store = self._state.store
        if not self._stopping.done():
            self._update(ActionPhase.PAUSED)
        left = max(0.0, self._timeout - (clock.now() - self._created_at) / 1e6) if self._timeout else None
        await asyncio.wait((self._stopping,), timeout=left)
        stop = self._stopping.result() if self._stopping.done() else None
        if stop is not None and stop.keep_queued:
            return False
        with store.database.transaction():
            store.jobs.remove(self.key)
            if stop is not None:
                store.actions.set_aborted(self.key, stop.reason)
            elif not self._stopping.done():
                self._update(ActionPhase.TIMED_OUT)
        return self._stopping.done() and stop is None

    def _update(self, phase: ActionPhase) -> None:
        self._state.store.actions.update_status(self.key, phase, attempts=1, cache_status=0)
