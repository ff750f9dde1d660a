"""RunService: a run whose listing of actions omits the metadata, as that of the open-source server does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    Action,
    ActionDetails,
    ActionMetadata,
    ActionStatus,
    ConditionActionMetadata,
    EnrichedAction,
    RunSource,
    TaskActionMetadata,
    TraceActionMetadata,
)
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    ListActionsRequest,
    ListActionsResponse,
    WatchActionsRequest,
    WatchActionsResponse,
)
from flyte_rpc.serving.server import ServerCall, Status, abort
from remote.planes.run import Runs

RUN = RunIdentifier(project="p", domain="d", name="r1")
SNAPSHOT_PAGE = 1000


def metadata(number: int) -> ActionMetadata:
    """What is known of the action of that number."""
    known = ActionMetadata(parent="" if number == 0 else "a0", group="even" if number % 2 == 0 else "")
    if number % 3 == 1:
        known.trace = TraceActionMetadata(name=f"trace-{number}")
    elif number % 3 == 2:
        known.condition = ConditionActionMetadata(name=f"question-{number}")
    else:
        known.task = TaskActionMetadata(id=TaskIdentifier(name=f"env.task{number}"), short_name=f"task{number}")
    known.source = RunSource.CLI if number == 0 else RunSource.UNSPECIFIED
    return known


class Listing(Runs):
    """A run with numbered actions: a0 is the parent of all others."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.sends_metadata = False
        self.watch_fails: Status | None = None
        self.watch_shows = count
        """The snapshot of a watch has this many actions, and ends there without a word."""
        self.calls: Counter[str] = Counter()
        self.watches_open = 0
        self.closed = asyncio.Event()
        """Whether the last watch has ended."""
        self.details_at_once = self._now = 0

    def _action(self, number: int, *, full: bool) -> Action:
        known = metadata(number)
        shown = known if full else ActionMetadata(parent=known.parent, group=known.group)
        status = ActionStatus(phase=ActionPhase.SUCCEEDED, attempts=1)
        return Action(id=ActionIdentifier(run=RUN, name=f"a{number}"), metadata=shown, status=status)

    async def list_actions(self, request: ListActionsRequest, call: ServerCall) -> ListActionsResponse:
        self.calls["list"] += 1
        assert request.request is not None
        start = int(request.request.token or "0")
        end = min(start + request.request.limit, self.count)
        actions = [self._action(number, full=self.sends_metadata) for number in range(start, end)]
        return ListActionsResponse(actions=actions, token=str(end) if end < self.count else "")

    async def watch_actions(
        self, request: WatchActionsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionsResponse]:
        self.calls["watch"] += 1
        assert request.run_id is not None and request.run_id.name == RUN.name
        self.watches_open += 1
        self.closed.clear()
        try:
            for start in range(0, self.watch_shows, SNAPSHOT_PAGE):
                numbers = range(start, min(start + SNAPSHOT_PAGE, self.watch_shows))
                found = [EnrichedAction(action=self._action(number, full=True)) for number in numbers]
                yield WatchActionsResponse(enriched_actions=found)
            if self.watch_fails is not None:
                abort(self.watch_fails, "parent node [a7] not found for action [a8]")
            await asyncio.Event().wait()
        finally:
            self.watches_open -= 1
            self.closed.set()

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        self.calls["details"] += 1
        self._now += 1
        self.details_at_once = max(self.details_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        assert request.action_id is not None
        number = int(request.action_id.name.removeprefix("a"))
        if number >= self.count:
            abort(Status.NOT_FOUND, "no such action")
        action = self._action(number, full=True)
        return GetActionDetailsResponse(
            details=ActionDetails(id=action.id, metadata=action.metadata, status=action.status)
        )
