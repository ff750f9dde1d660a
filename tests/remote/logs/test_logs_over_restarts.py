"""The log of an attempt that is just starting, on a server that restarts meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from flyte.errors import NotFoundError
from flyte.remote import Action
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import TailLogsRequest, TailLogsResponse
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDetailsRequest, GetActionDetailsResponse
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.logs.following import quick_logs
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

ONCE = Backoff(attempts=1, first=0.001, longest=0.001)


class Restarting(Runs):
    """Cannot be asked about an action for a while, then says that it runs until its log was read."""

    def __init__(self, unavailable: int) -> None:
        super().__init__()
        self.unavailable = unavailable
        self.read = False

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        if self.unavailable:
            self.unavailable -= 1
            abort(Status.UNAVAILABLE, "restarting")
        running = ActionDetails(id=succeeded().id, status=ActionStatus(phase=ActionPhase.RUNNING, attempts=1))
        return GetActionDetailsResponse(details=succeeded() if self.read else running)


class Late(Data):
    """Has no log for a while."""

    def __init__(self, runs: Restarting, missing: int, status: Status = Status.NOT_FOUND) -> None:
        super().__init__("late")
        self.runs = runs
        self.missing = missing
        self.status = status

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        if self.missing:
            self.missing -= 1
            abort(self.status, "no log of this attempt")
        async for reply in super().tail_logs(request, call):
            yield reply
        self.runs.read = True


async def test_it_is_read_when_the_server_is_back() -> None:
    runs = Restarting(unavailable=2)
    log = Late(runs, missing=2)
    async with await serve([runs, log]) as server, Client(server.endpoint, retry=ONCE) as client, asyncio.timeout(30):
        assert [line async for line in quick_logs(Action(ActionMessage(id=succeeded().id), client))] == ["late"]
    assert (runs.unavailable, log.missing) == (0, 0)


@pytest.mark.parametrize(
    "status", [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED, Status.INTERNAL], ids=lambda s: s.name
)
async def test_it_is_opened_again_after_what_breaks_a_watch_too(status: Status) -> None:
    runs = Restarting(unavailable=0)
    log = Late(runs, 2, status)
    async with await serve([runs, log]) as server, Client(server.endpoint, retry=ONCE) as client, asyncio.timeout(30):
        assert [line async for line in quick_logs(Action(ActionMessage(id=succeeded().id), client))] == ["late"]
    assert log.missing == 0


async def test_it_is_not_waited_for_without_end() -> None:
    runs = Restarting(unavailable=-1)
    async with (
        await serve([runs, Late(runs, missing=-1)]) as server,
        Client(server.endpoint, retry=ONCE) as client,
        asyncio.timeout(30),
    ):
        with pytest.raises(NotFoundError, match="no log of this attempt"):
            async for _ in quick_logs(Action(ActionMessage(id=succeeded().id), client)):
                pass
