"""Reports from executors outside: stale ones do no harm, and events become attempts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devbox.calls import Calls, integer, simple
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.execution import LogContext, TaskLog
from flyte_api.messages.flyteidl2.core.types import SimpleType
from flyte_api.messages.flyteidl2.task.common import OutputReferences
from flyte_api.messages.flyteidl2.workflow.events_proxy_service import RecordRequest
from flyte_api.messages.flyteidl2.workflow.internal_run_service import (
    RecordActionEventRequest,
    RecordActionEventsRequest,
    RecordActionEventStreamRequest,
    RecordActionRequest,
    UpdateActionStatusRequest,
    UpdateActionStatusStreamRequest,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionDetails,
    ActionEvent,
    ActionStatus,
    ClusterEvent,
    ConditionAction,
    ErrorInfo,
    TraceAction,
)
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDataURIsRequest
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.workflow.events_proxy_service import EventsProxyService
from flyte_api.services.flyteidl2.workflow.internal_run_service import InternalRunService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.status import Status

P = ActionPhase


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=1_700_000_000 + seconds)


async def update(calls: Calls, action: ActionIdentifier, phase: ActionPhase, **fields: object) -> ActionDetails:
    status = ActionStatus(phase=phase, **fields)  # type: ignore[arg-type]
    request = UpdateActionStatusRequest(action_id=action, status=status)
    reply = await calls.unary(InternalRunService.UPDATE_ACTION_STATUS, request)
    assert reply.status is not None and reply.status.code == 0
    return await calls.details(action)


async def record_events(calls: Calls, *events: ActionEvent) -> None:
    reply = await calls.unary(InternalRunService.RECORD_ACTION_EVENTS, RecordActionEventsRequest(events=list(events)))
    assert reply.status is not None and reply.status.code == 0


FOLLOWS = [
    (P.QUEUED, P.RUNNING, True),
    (P.RUNNING, P.QUEUED, False),
    (P.RUNNING, P.RUNNING, True),
    (P.SUCCEEDED, P.RUNNING, False),
    (P.SUCCEEDED, P.FAILED, True),
    (P.FAILED, P.QUEUED, True),
    (P.TIMED_OUT, P.RUNNING, True),
    (P.ABORTED, P.RUNNING, False),
    (P.ABORTED, P.TIMED_OUT, True),
    (P.PAUSED, P.RUNNING, False),
    (P.PAUSED, P.SUCCEEDED, True),
]


@pytest.mark.parametrize(("first", "second", "accepted"), FOLLOWS, ids=[f"{a.name}-{b.name}" for a, b, _ in FOLLOWS])
async def test_phases_move_forward(calls: Calls, first: ActionPhase, second: ActionPhase, accepted: bool) -> None:
    action = await calls.record("r1")
    await update(calls, action, first, attempts=1)
    details = await update(calls, action, second, attempts=2)
    assert details.status is not None
    assert details.status.phase == (second if accepted else first)
    # A stale report changes nothing at all.
    assert details.status.attempts == (2 if accepted else 1)


async def test_times(calls: Calls) -> None:
    action = await calls.record("r1")
    started = await update(calls, action, P.RUNNING, start_time=at(0))
    assert started.status is not None and started.status.start_time == at(0)
    later = await update(calls, action, P.RUNNING, start_time=at(5))
    assert later.status is not None and later.status.start_time == at(0)
    failed = await update(calls, action, P.FAILED, end_time=at(7))
    assert failed.status is not None
    assert (failed.status.end_time, failed.status.duration_ms) == (at(7), 7000)
    # A retry does not clear the first end, and a second one does not move it.
    retried = await update(calls, action, P.RUNNING)
    assert retried.status is not None and retried.status.end_time == at(7)
    over = await update(calls, action, P.SUCCEEDED, end_time=at(9))
    assert over.status is not None and (over.status.end_time, over.status.duration_ms) == (at(7), 7000)


async def test_unknown_actions_are_ignored(calls: Calls) -> None:
    unknown = calls.action_id("none")
    request = UpdateActionStatusRequest(action_id=unknown, status=ActionStatus(phase=P.RUNNING))
    reply = await calls.unary(InternalRunService.UPDATE_ACTION_STATUS, request)
    assert reply.status is not None and reply.status.code == 0
    with_output = UpdateActionStatusRequest(action_id=unknown, status=ActionStatus(), output=integer(1))
    reply = await calls.unary(InternalRunService.UPDATE_ACTION_STATUS, with_output)
    assert reply.status is not None and reply.status.code == Status.INTERNAL


async def test_outcomes_are_in_the_reply(calls: Calls) -> None:
    specless = RecordActionRequest(action_id=calls.action_id("r1"))
    reply = await calls.unary(InternalRunService.RECORD_ACTION, specless)
    assert reply.action_id == specless.action_id
    assert reply.status is not None and reply.status.code == Status.INVALID_ARGUMENT
    nameless = RecordActionEventsRequest(events=[ActionEvent(attempt=1)])
    answer = await calls.unary(InternalRunService.RECORD_ACTION_EVENTS, nameless)
    assert answer.status is not None and answer.status.code == Status.INVALID_ARGUMENT
    proxied = RecordRequest(events=[ActionEvent(attempt=1)])
    await calls.refused(Status.INTERNAL, EventsProxyService.RECORD, proxied)


async def test_recording_twice_changes_nothing(calls: Calls) -> None:
    action = await calls.record("r1", task="env.first")
    await update(calls, action, P.RUNNING)
    await calls.record("r1", task="env.second")
    details = await calls.details(action)
    assert details.metadata is not None and details.metadata.funtion_name == "env.first"
    assert details.status is not None and details.status.phase == P.RUNNING


async def test_traces_have_succeeded_whatever_they_say(calls: Calls) -> None:
    await calls.record("r1")
    outputs = OutputReferences(output_uri="file:///x/outputs.pb")
    trace = TraceAction(name="step", phase=P.RUNNING, start_time=at(0), end_time=at(2), outputs=outputs)
    action = calls.action_id("r1", "t")
    request = RecordActionRequest(action_id=action, parent="a0", group="g", trace=trace)
    await calls.unary(InternalRunService.RECORD_ACTION, request)
    details = await calls.details(action)
    assert details.status is not None and details.metadata is not None and details.metadata.trace is not None
    assert (details.status.phase, details.status.duration_ms) == (P.SUCCEEDED, 2000)
    assert (details.metadata.trace.name, details.metadata.group) == ("step", "g")
    uris = await calls.unary(RunService.GET_ACTION_DATA_URIS, GetActionDataURIsRequest(action_id=action))
    assert uris.outputs_uri == outputs.output_uri


async def test_conditions_wait(calls: Calls) -> None:
    await calls.record("r1")
    action = calls.action_id("r1", "c")
    condition = ConditionAction(name="env.ask", type=simple(SimpleType.INTEGER), prompt="How many?")
    request = RecordActionRequest(action_id=action, parent="a0", condition=condition)
    await calls.unary(InternalRunService.RECORD_ACTION, request)
    details = await calls.details(action)
    assert details.condition == condition
    assert details.metadata is not None and details.metadata.condition is not None
    assert details.metadata.condition.name == "env.ask"


async def test_succeeded_without_events_has_no_outputs(calls: Calls) -> None:
    action = await calls.record("r1")
    await update(calls, action, P.SUCCEEDED)
    request = GetActionDataURIsRequest(action_id=action)
    await calls.refused(Status.NOT_FOUND, RunService.GET_ACTION_DATA_URIS, request)


async def test_streams_answer_each_request(calls: Calls) -> None:
    action = await calls.record("r1")

    async def updates() -> AsyncIterator[UpdateActionStatusStreamRequest]:
        for nonce, phase in ((5, P.INITIALIZING), (6, P.RUNNING)):
            request = UpdateActionStatusRequest(action_id=action, status=ActionStatus(phase=phase))
            yield UpdateActionStatusStreamRequest(request=request, nonce=nonce)

    nonces = [reply.nonce async for reply in calls.bidi(InternalRunService.UPDATE_ACTION_STATUS_STREAM, updates())]
    assert nonces == [5, 6]

    async def events() -> AsyncIterator[RecordActionEventStreamRequest]:
        event = ActionEvent(id=action, attempt=1, phase=P.RUNNING, updated_time=at(0))
        yield RecordActionEventStreamRequest(request=RecordActionEventRequest(event=event), nonce=9)

    (reply,) = [item async for item in calls.bidi(InternalRunService.RECORD_ACTION_EVENT_STREAM, events())]
    assert reply.nonce == 9 and reply.response is not None and reply.response.action_id == action
    details = await calls.details(action)
    assert [item.phase for item in details.attempts] == [P.RUNNING]


class TestAttempts:
    """How events become attempts."""

    def event(self, calls: Calls, phase: ActionPhase, seconds: int, attempt: int = 1, **fields: object) -> ActionEvent:
        stamp = at(seconds)
        return ActionEvent(
            id=calls.action_id("r1"),
            attempt=attempt,
            phase=phase,
            updated_time=stamp,
            reported_time=stamp,
            **fields,  # type: ignore[arg-type]
        )

    async def test_order_of_reports_decides_not_order_of_arrival(self, calls: Calls) -> None:
        action = await calls.record("r1")
        await record_events(calls, self.event(calls, P.RUNNING, 2), self.event(calls, P.QUEUED, 1))
        await record_events(calls, self.event(calls, P.SUCCEEDED, 5), self.event(calls, P.RUNNING, 6, version=1))
        (attempt,) = (await calls.details(action)).attempts
        # What is reported after the end is late news.
        assert (attempt.phase, attempt.start_time, attempt.end_time) == (P.SUCCEEDED, at(1), at(5))
        assert [(item.phase, item.start_time, item.end_time) for item in attempt.phase_transitions] == [
            (P.QUEUED, at(1), at(2)),
            (P.RUNNING, at(2), at(5)),
            (P.SUCCEEDED, at(5), at(5)),
        ]

    async def test_repeated_events_are_ignored(self, calls: Calls) -> None:
        action = await calls.record("r1")
        for seconds in (1, 2):
            await record_events(calls, self.event(calls, P.RUNNING, seconds))
        (attempt,) = (await calls.details(action)).attempts
        assert attempt.start_time == at(1)

    async def test_an_attempt_does_not_end_before_it_starts(self, calls: Calls) -> None:
        action = await calls.record("r1")
        first = self.event(calls, P.RUNNING, 1)
        first.updated_time = at(10)
        await record_events(calls, first, self.event(calls, P.FAILED, 2))
        (attempt,) = (await calls.details(action)).attempts
        assert (attempt.start_time, attempt.end_time) == (at(10), at(10))

    async def test_newest_details_win(self, calls: Calls) -> None:
        action = await calls.record("r1")

        def log(name: str, uri: str) -> TaskLog:
            return TaskLog(name=name, uri=uri)

        def said(message: str) -> list[ClusterEvent]:
            return [ClusterEvent(message=message)]

        context = LogContext(primary_pod_name="pod")
        await record_events(
            calls,
            self.event(calls, P.QUEUED, 1, log_info=[log("b", "old")], cluster_events=said("one")),
            self.event(calls, P.RUNNING, 2, log_info=[log("b", "new"), log("a", "a")], log_context=context),
            self.event(calls, P.FAILED, 3, cluster_events=said("two"), cluster="c", error_info=ErrorInfo(code="E")),
        )
        (attempt,) = (await calls.details(action)).attempts
        assert [(item.name, item.uri) for item in attempt.log_info] == [("a", "a"), ("b", "new")]
        assert [item.message for item in attempt.cluster_events] == ["one", "two"]
        assert (attempt.log_context, attempt.logs_available, attempt.cluster) == (context, True, "c")

    async def test_an_error_is_shown_only_if_the_attempts_agree(self, calls: Calls) -> None:
        action = await calls.record("r1")
        await record_events(calls, self.event(calls, P.FAILED, 1, error_info=ErrorInfo(code="E")))
        one = await update(calls, action, P.FAILED, attempts=1)
        assert one.error_info is not None and one.error_info.code == "E"
        two = await update(calls, action, P.FAILED, attempts=2)
        assert two.error_info is None
        assert two.attempts[0].error_info is not None

    async def test_attempts_come_in_order(self, calls: Calls) -> None:
        action = await calls.record("r1")
        await record_events(
            calls, self.event(calls, P.RUNNING, 5, attempt=2), self.event(calls, P.RUNNING, 1, attempt=1)
        )
        assert [item.attempt for item in (await calls.details(action)).attempts] == [1, 2]
