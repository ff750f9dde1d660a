"""What `get_logs` takes, and how it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from flyte.errors import NotFoundError, WaitTimeoutError
from flyte.remote import Action
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import ContainerIdentifier, LogLine, LogLineOriginator
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.logs.following import quick_logs
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded


class Log(Data):
    """A line of a task and one of the platform. The first connections break before, or the stream stays open at the end."""

    def __init__(self, *, broken: int = 0, open: bool = False) -> None:
        super().__init__("log")
        self.broken = broken
        self.open = open
        self.requests: list[TailLogsRequest] = []

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncGenerator[TailLogsResponse]:
        self.requests.append(request)
        if self.broken:
            self.broken -= 1
            abort(Status.UNAVAILABLE, "restarting")
        lines = [
            LogLine(message="task", timestamp=Timestamp(seconds=1), originator=LogLineOriginator.USER),
            LogLine(message="platform", timestamp=Timestamp(seconds=2), originator=LogLineOriginator.SYSTEM),
        ]
        container = ContainerIdentifier(kubernetes_pod_name="pod", kubernetes_container_name="main")
        yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=lines, container=container)])
        if self.open:
            await asyncio.Event().wait()


class WithoutLogs(Runs):
    """An action that ends before it has logs."""

    def __init__(self, attempts: int) -> None:
        super().__init__()
        self.attempts = attempts

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        status = ActionStatus(phase=ActionPhase.ABORTED, attempts=self.attempts)
        yield WatchActionDetailsResponse(details=ActionDetails(id=succeeded().id, status=status))


class Endless(Runs):
    """An action that runs without end."""

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        status = ActionStatus(phase=ActionPhase.RUNNING, attempts=1)
        return GetActionDetailsResponse(details=ActionDetails(id=succeeded().id, status=status))


def action(client: Client | None = None) -> Action:
    return Action(ActionMessage(id=succeeded().id), client)


@pytest.mark.parametrize(
    ("arguments", "error", "shown"),
    [
        ({"attempt": 0}, ValueError, "attempt is 0; it must be at least 1"),
        ({"attempt": True}, TypeError, "attempt takes a whole number, not bool"),
        ({"attempt": "1"}, TypeError, "attempt takes a whole number, not str"),
        ({"timeout": 0}, ValueError, "timeout is 0; it must be a positive number of seconds"),
        ({"timeout": True}, TypeError, "timeout takes a number of seconds or a timedelta, not bool"),
    ],
)
async def test_invalid_arguments(arguments: dict[str, Any], error: type[Exception], shown: str) -> None:
    async with await serve([Runs(), Log()]) as server, Client(server.endpoint) as client:
        with pytest.raises(error, match=shown):
            action(client).get_logs(**arguments)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["task", "platform"]),
        ({"filter_system": True}, ["task"]),
        ({"show_ts": True}, ["1970-01-01T00:00:01Z task", "1970-01-01T00:00:02Z platform"]),
        ({"attempt": 1, "timeout": timedelta(seconds=20)}, ["task", "platform"]),
    ],
)
async def test_options(options: dict[str, Any], expected: list[str]) -> None:
    log = Log()
    async with asyncio.timeout(30), await serve([Runs(), log]) as server, Client(server.endpoint) as client:
        lines = [line async for line in action(client).get_logs(**options)]
    assert lines == expected
    assert {(line.replica, line.container) for line in lines} == {("pod", "main")}
    assert [(request.action_id, request.attempt) for request in log.requests] == [(succeeded().id, 1)]


async def test_lines_of_an_unknown_container() -> None:
    async with asyncio.timeout(30), await serve([Runs(), Data("log")]) as server, Client(server.endpoint) as client:
        (line,) = [line async for line in action(client).get_logs()]
    assert (line, line.replica, line.container) == ("log", "", "")


async def test_an_action_whose_attempts_are_not_counted_yet() -> None:
    class Uncounted(Runs):
        async def watch_action_details(
            self, request: WatchActionDetailsRequest, call: ServerCall
        ) -> AsyncIterator[WatchActionDetailsResponse]:
            details = succeeded()
            assert details.status is not None
            details.status.attempts = 0
            yield WatchActionDetailsResponse(details=details)

    log = Log()
    async with asyncio.timeout(30), await serve([Uncounted(), log]) as server, Client(server.endpoint) as client:
        assert [line async for line in action(client).get_logs()] == ["task", "platform"]
    assert [request.attempt for request in log.requests] == [1]


async def test_a_time_limit() -> None:
    async with (
        asyncio.timeout(30),
        await serve([Endless(), Log(open=True)]) as server,
        Client(server.endpoint) as client,
    ):
        lines = aiter(action(client).get_logs(timeout=1))
        assert [await anext(lines) for _ in range(2)] == ["task", "platform"]
        with pytest.raises(WaitTimeoutError, match=r"the end of the log of action a0\b"):
            await anext(lines)


async def test_an_action_that_ended_without_logs() -> None:
    async with (
        asyncio.timeout(30),
        await serve([WithoutLogs(0), Log()]) as server,
        Client(server.endpoint) as client,
    ):
        assert [line async for line in action(client).get_logs()] == []


@pytest.mark.parametrize(("attempt", "exists"), [(1, True), (2, True), (3, False)])
async def test_an_attempt_that_has_no_logs(attempt: int, exists: bool) -> None:
    log = Log()
    async with asyncio.timeout(30), await serve([WithoutLogs(2), log]) as server, Client(server.endpoint) as client:
        lines = action(client).get_logs(attempt)
        if exists:
            assert [line async for line in lines] == []
        else:
            with pytest.raises(NotFoundError, match=r"run r1 has no attempt 3 of action a0; it ended after 2"):
                await anext(aiter(lines))
    assert log.requests == []


async def test_a_log_that_breaks_is_named_in_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    log = Log(broken=1)
    async with asyncio.timeout(30), await serve([Runs(), log]) as server, Client(server.endpoint) as client:
        with caplog.at_level(logging.WARNING):
            assert [line async for line in quick_logs(action(client))] == ["task", "platform"]
    assert any(record.getMessage().startswith("the log of action a0 broke;") for record in caplog.records)
    assert len(log.requests) == 2
