"""Watches over servers that lose updates, race with themselves, or sit behind proxies that cut what is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import pytest

from flyte.errors import ConnectionLostError, UnknownError
from flyte.remote import Action, Run, Task, TrackedAction, TrackedRun
from flyte.remote.runs.waiting import wait
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, ActionStatus, EnrichedAction, TaskGroup
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
    WatchActionsRequest,
    WatchActionsResponse,
    WatchGroupsRequest,
    WatchGroupsResponse,
    WatchRunDetailsRequest,
    WatchRunDetailsResponse,
    WatchRunsRequest,
    WatchRunsResponse,
)
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.entities.watch import Watch
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.planes.run import Runs, succeeded
from remote.planes.tracked import Tracker
from support.proxies.proxy import CuttingProxy, cutting_proxy

AT_ONCE = Backoff(attempts=6, first=0.001, longest=0.001)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def running() -> ActionDetails:
    return ActionDetails(id=succeeded().id, status=ActionStatus(phase=ActionPhase.RUNNING, attempts=1))


class Racing(Runs):
    """Loses its way in a burst of new actions: children before their parents."""

    def __init__(self, races: int) -> None:
        super().__init__()
        self.races = races
        self.opened = 0

    async def watch_actions(
        self, request: WatchActionsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionsResponse]:
        self.opened += 1
        if self.opened <= self.races:
            abort(Status.UNKNOWN, "parent node [a1] not found for action [a2]")
        yield WatchActionsResponse(enriched_actions=[EnrichedAction(action=ActionMessage(id=succeeded().id))])
        await asyncio.Event().wait()


async def test_a_burst_of_actions_that_the_server_fails_at() -> None:
    runs = Racing(races=5)
    async with await serve([runs]) as server, Client(server.endpoint, project="p", domain="d") as client:
        watch = Action.watchall("r1", timeout=20, client=client)
        watch._backoff = AT_ONCE
        async with watch:
            async for item in watch:
                assert item.action_id == succeeded().id
                break
    assert runs.opened == 6


class Counting(Runs):
    """Sends an action that does not meet the filter, with the phases of its descendants."""

    async def watch_actions(
        self, request: WatchActionsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionsResponse]:
        counts = {5: 2, 6: 1, 1: 0, 77: 3}
        action = EnrichedAction(action=ActionMessage(id=succeeded().id), children_phase_counts=counts)
        yield WatchActionsResponse(enriched_actions=[action])
        await asyncio.Event().wait()


async def test_a_watched_action_knows_the_phases_of_its_descendants() -> None:
    async with await serve([Counting()]) as server, Client(server.endpoint, project="p", domain="d") as client:
        action = await anext(aiter(Action.watchall("r1", timeout=20, client=client)))
    assert action.action_id == succeeded().id and not action.meets_filter
    assert {str(phase): count for phase, count in action.descendant_phases.items()} == {
        "succeeded": 2,
        "failed": 1,
        "unknown(77)": 3,
    }
    elsewhere = Action(ActionMessage(id=succeeded().id))
    assert elsewhere.meets_filter and elsewhere.descendant_phases == {}


async def test_a_server_that_fails_each_time() -> None:
    runs = Racing(races=100)
    async with await serve([runs]) as server, Client(server.endpoint, project="p", domain="d") as client:
        watch = Action.watchall("r1", timeout=20, client=client)
        watch._backoff = AT_ONCE
        with pytest.raises(UnknownError, match=r"parent node \[a1\] not found"):
            async for _ in watch:
                pass
    assert runs.opened == 6


class Grouping(Runs):
    """Sends the groups once, and ends."""

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.groups = [TaskGroup(task_name=f"t{n}") for n in range(groups)]
        self.opened = 0

    async def watch_groups(self, request: WatchGroupsRequest, call: ServerCall) -> AsyncIterator[WatchGroupsResponse]:
        self.opened += 1
        if self.opened == 1:
            abort(Status.UNAVAILABLE, "restarting")
        yield WatchGroupsResponse(task_groups=self.groups, sentinel=True)


@pytest.mark.parametrize("groups", [0, 2])
async def test_a_watch_of_groups_with_an_end_ends(groups: int) -> None:
    runs = Grouping(groups)
    async with await serve([runs]) as server, Client(server.endpoint, project="p", domain="d") as client:
        watch = Task.watch_groups(SINCE, end_date=SINCE, timeout=20, client=client)
        watch._backoff = AT_ONCE
        assert [group.task_name async for group in watch] == ["t0", "t1"][:groups]
    assert runs.opened == 2, "an error is not the end"


async def test_a_watch_of_groups_without_an_end_goes_on() -> None:
    runs = Grouping()
    async with await serve([runs]) as server, Client(server.endpoint, project="p", domain="d") as client:
        watch = Task.watch_groups(SINCE, timeout=20, client=client)
        watch._backoff = AT_ONCE
        async with watch:
            async for _ in watch:
                if runs.opened == 4:
                    break


class Quiet(Runs):
    """Has nothing to say until it was asked often enough. Meanwhile `proxy` cuts the streams after `life` seconds."""

    def __init__(self, cuts: int, life: float) -> None:
        super().__init__()
        self.cuts = cuts
        self.life = life
        self.now = 0.0
        self.proxy: CuttingProxy | None = None

    async def watch_runs(self, request: WatchRunsRequest, call: ServerCall) -> AsyncIterator[WatchRunsResponse]:
        if self.cuts:
            self.cuts -= 1
            self.now += self.life
            assert self.proxy is not None
            self.proxy.cut()
            await asyncio.Event().wait()
        yield WatchRunsResponse(runs=[RunMessage(action=ActionMessage(id=succeeded().id))])


async def watch_quiet_project(runs: Quiet) -> str | None:
    async with await serve([runs]) as server:
        with cutting_proxy(server.endpoint) as runs.proxy:
            async with Client(runs.proxy.endpoint, project="p", domain="d") as client:
                watch = Run.watchall(timeout=20, client=client)
                watch._backoff = AT_ONCE
                watch._clock = lambda: runs.now
                async with watch:
                    async for run in watch:
                        return run.name
    return None


async def test_a_proxy_that_cuts_quiet_streams() -> None:
    runs = Quiet(cuts=20, life=60.0)
    assert await watch_quiet_project(runs) == "r1"
    assert runs.cuts == 0


async def test_a_network_that_cuts_streams_at_once() -> None:
    runs = Quiet(cuts=20, life=0.5)
    with pytest.raises(ConnectionLostError):
        await watch_quiet_project(runs)
    assert runs.cuts == 14


class Forgetful(Runs):
    """Sends the first state of an action, and loses all that follows."""

    def __init__(self, *states: ActionDetails | Status) -> None:
        super().__init__()
        self.states = list(states)
        self.fetched = 0

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        yield WatchActionDetailsResponse(details=running())
        await asyncio.Event().wait()

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        self.fetched += 1
        # The last state stays: a first item that arrives late cancels a fetch that has been answered.
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Status):
            abort(state, "not now")
        return GetActionDetailsResponse(details=state)


class Ends(Protocol):
    def done(self) -> bool: ...


D = TypeVar("D", bound=Ends)


def impatient(watch: Watch[D]) -> Watch[D]:
    """Return the same watch, which fetches the state after a shorter silence."""
    return watch.ending(lambda details: details.done(), silence=0.02)


async def test_a_final_state_that_the_server_did_not_send() -> None:
    runs = Forgetful(running(), running(), succeeded())
    async with await serve([runs]) as server, Client(server.endpoint) as client:
        action = Action(ActionMessage(id=succeeded().id), client)
        phases = [str(details.phase) async for details in impatient(action.watch(timeout=20))]
        assert phases == ["running", "succeeded"], "what has not changed is not delivered again"
        assert action.done() and runs.fetched == 3


async def test_a_run_is_waited_for_although_its_end_was_not_sent() -> None:
    runs = Forgetful(succeeded())
    async with await serve([runs]) as server, Client(server.endpoint) as client:
        run = Run(RunMessage(action=ActionMessage(id=succeeded().id)), client)
        watch = impatient(run._watch_action(20))
        assert await wait(watch, wait_for="terminal", quiet=True, title="run") == "succeeded"
        assert run.done()


async def test_a_start_that_the_server_did_not_send() -> None:
    queued = ActionDetails(id=succeeded().id, status=ActionStatus(phase=ActionPhase.QUEUED, attempts=1))
    retried = ActionDetails(id=succeeded().id, status=ActionStatus(phase=ActionPhase.RUNNING, attempts=2))
    runs = Forgetful(queued, queued, retried, succeeded())
    async with await serve([runs]) as server, Client(server.endpoint) as client:
        action = Action(ActionMessage(id=succeeded().id), client)
        found = [(str(d.phase), d.attempts) async for d in impatient(action.watch(timeout=20))]
    assert found == [("running", 1), ("queued", 1), ("running", 2), ("succeeded", 1)]


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.NOT_FOUND, Status.UNIMPLEMENTED], ids=lambda s: s.name)
async def test_a_state_that_cannot_be_fetched_does_not_end_the_watch(status: Status) -> None:
    runs = Forgetful(status, status, succeeded())
    retry = Backoff(attempts=1, first=0.001, longest=0.001)
    async with await serve([runs]) as server, Client(server.endpoint, retry=retry) as client:
        action = Action(ActionMessage(id=succeeded().id), client)
        assert [str(details.phase) async for details in impatient(action.watch(timeout=20))] == ["running", "succeeded"]


class Busy(Runs):
    """Does not answer a question for the state, but goes on with the stream then."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        yield WatchActionDetailsResponse(details=running())
        await self.asked.wait()
        yield WatchActionDetailsResponse(details=succeeded())

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_an_item_does_not_wait_for_the_answer_to_a_question() -> None:
    async with await serve([Busy()]) as server, Client(server.endpoint) as client, asyncio.timeout(20):
        action = Action(ActionMessage(id=succeeded().id), client)
        assert [str(details.phase) async for details in impatient(action.watch())] == ["running", "succeeded"]


async def test_leaving_a_watch_ends_its_questions() -> None:
    runs = Busy()
    async with await serve([runs]) as server, Client(server.endpoint) as client:
        action = Action(ActionMessage(id=succeeded().id), client)
        async with impatient(action.watch(timeout=20)) as watch:
            items = aiter(watch)
            await anext(items)
            waiting = asyncio.create_task(anext(items, None))
            await runs.asked.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        left = {task for task in asyncio.all_tasks() if "silence" in repr(task)}
    assert left == set()


class ForgetfulTracker(Tracker):
    """Sends the first state, and loses all that follows."""

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        async for reply in super().watch_action_details(request, call):
            yield reply
            await asyncio.Event().wait()

    async def watch_run_details(
        self, request: WatchRunDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchRunDetailsResponse]:
        async for reply in super().watch_run_details(request, call):
            yield reply
            await asyncio.Event().wait()


async def test_ends_of_tracked_runs_that_the_server_did_not_send() -> None:
    tracker = ForgetfulTracker()
    task = TaskIdentifier(project="p", domain="d", name="t", version="1")
    async with await serve([tracker]) as server, Client(server.endpoint, project="p", domain="d") as client:
        run = await TrackedRun.create.aio("r1", task, client=client)
        root = ActionIdentifier(run=RunIdentifier(project="p", domain="d", name="r1"), name="a0")
        of_run = aiter(impatient(run.watch(timeout=20)))
        of_action = aiter(impatient(TrackedAction(ActionMessage(id=root), client).watch(timeout=20)))
        assert not (await anext(of_run)).done() and not (await anext(of_action)).done()
        await run.abort.aio()
        assert [details.done() async for details in of_run] == [True]
        assert [details.done() async for details in of_action] == [True]
