"""Logs of actions with several attempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from flyte.errors import NotFoundError
from flyte.remote import Action
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine as LineMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionAttempt, ActionDetails, ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
)
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from remote.logs.following import quick_logs
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded


class Retrying(Runs):
    """An action whose attempts the test starts, one after the other."""

    def __init__(self, attempts: int, *, with_logs: int) -> None:
        super().__init__()
        self.attempts = attempts
        self.with_logs = with_logs
        self.ended = False
        self.changed = asyncio.Condition()
        self.asked = 0

    def details(self) -> ActionDetails:
        phase = ActionPhase.SUCCEEDED if self.ended else ActionPhase.RUNNING
        attempts = [ActionAttempt(attempt=n, logs_available=n <= self.with_logs) for n in range(1, self.attempts + 1)]
        status = ActionStatus(phase=phase, attempts=self.attempts)
        return ActionDetails(id=succeeded().id, status=status, attempts=attempts)

    async def change(self, **fields: int | bool) -> None:
        async with self.changed:
            for name, value in fields.items():
                setattr(self, name, value)
            self.changed.notify_all()

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        self.asked += 1
        return GetActionDetailsResponse(details=self.details())

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        while True:
            yield WatchActionDetailsResponse(details=self.details())
            async with self.changed:
                await self.changed.wait()


class Log(Data):
    """One line that names the attempt. The stream stays open if the test says so."""

    def __init__(self, *, open: bool = False) -> None:
        super().__init__("log")
        self.open = open
        self.requests: asyncio.Queue[int] = asyncio.Queue()
        self.connections = 0

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        self.connections += 1
        self.requests.put_nowait(request.attempt)
        yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=[LineMessage(message=f"attempt {request.attempt}")])])
        if self.open:
            await asyncio.Event().wait()


@pytest.mark.parametrize(("attempt", "expected"), [(1, 1), (2, 2), (3, 3), (None, 3)])
async def test_which_attempt_is_read(attempt: int | None, expected: int) -> None:
    runs, log = Retrying(3, with_logs=3), Log()
    runs.ended = True
    async with asyncio.timeout(30), await serve([runs, log]) as server, Client(server.endpoint) as client:
        action = Action(ActionMessage(id=succeeded().id), client)
        assert [line async for line in quick_logs(action, attempt)] == [f"attempt {expected}"]
    assert log.requests.get_nowait() == expected and log.connections == 1


@pytest.mark.parametrize("open", [True, False], ids=["open stream", "closed stream"])
async def test_an_attempt_ends_when_the_next_one_begins(open: bool) -> None:
    runs, log = Retrying(2, with_logs=2), Log(open=open)
    async with asyncio.timeout(30), await serve([runs, log]) as server, Client(server.endpoint) as client:
        action = Action(ActionMessage(id=succeeded().id), client)
        assert [line async for line in quick_logs(action, 1, silence=0.01)] == ["attempt 1"]
    assert log.connections == 1


async def test_the_running_attempt_is_followed_and_not_the_next() -> None:
    runs, log = Retrying(1, with_logs=1), Log()
    async with asyncio.timeout(30), await serve([runs, log]) as server, Client(server.endpoint) as client:
        lines = aiter(quick_logs(Action(ActionMessage(id=succeeded().id), client)))
        assert await anext(lines) == "attempt 1"
        rest = asyncio.ensure_future(anext(lines, None))
        for _ in range(3):  # the server ends the stream of a running attempt, which is opened again
            assert await log.requests.get() == 1
        assert not rest.done()
        await runs.change(attempts=2, with_logs=2)
        assert await rest is None
    assert {log.requests.get_nowait() for _ in range(log.requests.qsize())} <= {1}


async def test_the_latest_attempt_is_waited_for() -> None:
    runs, log = Retrying(2, with_logs=1), Log(open=True)
    async with asyncio.timeout(30), await serve([runs, log]) as server, Client(server.endpoint) as client:
        lines = aiter(quick_logs(Action(ActionMessage(id=succeeded().id), client), silence=0.01))
        first = asyncio.ensure_future(anext(lines))
        await runs.change(with_logs=2)
        assert await first == "attempt 2"
        await runs.change(ended=True)
        assert [line async for line in lines] == []


async def test_an_attempt_that_there_never_was() -> None:
    runs = Retrying(2, with_logs=2)
    runs.ended = True
    async with asyncio.timeout(30), await serve([runs, Log()]) as server, Client(server.endpoint) as client:
        with pytest.raises(NotFoundError, match="no attempt 3 of action a0; it ended after 2"):
            async for _ in quick_logs(Action(ActionMessage(id=succeeded().id), client), 3):
                pass
