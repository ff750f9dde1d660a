"""The calls of the controller inside a task: enqueue, watch and abort children, signal conditions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from devbox.calls import Calls, integer, shell, simple, text
from flyte_api.messages.flyteidl2.actions.actions_service import (
    AbortRequest,
    Action,
    EnqueueRequest,
    SignalRequest,
    UpdateRequest,
    WatchForUpdatesRequest,
)
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair, Literal, RetryStrategy
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.common import OutputReferences
from flyte_api.messages.flyteidl2.task.run import Envs, RunSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionStatus,
    ConditionAction,
    TaskAction,
    TraceAction,
)
from flyte_api.messages.flyteidl2.workflow.run_service import EventPayload, SignalEventRequest
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.status import Status

FOREVER = "echo up; exec sleep 600"


class Family:
    """A run whose root action keeps running while children are enqueued."""

    def __init__(self, calls: Calls, root: ActionIdentifier) -> None:
        self.calls = calls
        self.root = root

    def id(self, name: str) -> ActionIdentifier:
        return self.calls.action_id("r1", name)

    def action(self, name: str, parent: str = "a0", **spec: Any) -> Action:
        return Action(action_id=self.id(name), parent_action_name=parent, group="g", **spec)

    def task(self, name: str, script: str, parent: str = "a0", metadata: TaskMetadata | None = None) -> Action:
        spec = self.calls.identify(shell(script, metadata), f"env.{name}")
        return self.action(name, parent, task=TaskAction(id=self.calls.task_id(f"env.{name}"), spec=spec))

    async def enqueue(self, action: Action) -> ActionIdentifier:
        await self.calls.unary(ActionsService.ENQUEUE, EnqueueRequest(action=action))
        assert action.action_id is not None
        return action.action_id

    async def condition(self, name: str, kind: SimpleType, timeout: float = 0.0) -> ActionIdentifier:
        span = Duration(nanos=int(timeout * 1e9)) if timeout else None
        condition = ConditionAction(name=f"env.{name}", type=simple(kind), timeout=span)
        return await self.enqueue(self.action(name, condition=condition))

    async def status(self, name: str) -> str:
        details = await self.calls.details(self.id(name))
        assert details.status is not None
        return details.status.phase.name


@pytest.fixture
async def family(calls: Calls) -> AsyncGenerator[Family, None]:
    run_spec = RunSpec(envs=Envs(values=[KeyValuePair(key="FROM_RUN", value="yes")]))
    root = (await calls.create(shell(FOREVER), name="r1", run_spec=run_spec)).id
    assert root is not None
    await calls.first_line(root)
    yield Family(calls, root)
    await calls.abort("r1")


async def test_children_run_with_what_they_inherit(family: Family) -> None:
    child = await family.enqueue(family.task("b", 'echo "$FROM_RUN $FLYTE_ACTION_NAME"'))
    details = await family.calls.ended(child)
    assert await family.calls.log(child) == ["yes b"]
    assert details.metadata is not None and details.metadata.task is not None
    assert (details.metadata.parent, details.metadata.group) == ("a0", "g")
    assert details.metadata.source == 0
    assert details.metadata.task.short_name == "env.b"


async def test_updates_of_children(family: Family) -> None:
    await family.calls.ended(await family.enqueue(family.task("b", "true")))
    request = WatchForUpdatesRequest(parent_action_id=family.root)
    async with aclosing(family.calls.stream(ActionsService.WATCH_FOR_UPDATES, request)) as messages:
        known: dict[str, ActionPhase] = {}
        while (message := await anext(messages)).action_update is not None:
            update = message.action_update
            assert update.action_id is not None
            known[update.action_id.name] = update.phase
            assert update.output_uri.endswith(f"/{update.action_id.name}/1")
        assert message.control_message is not None and message.control_message.sentinel
        assert known == {"a0": ActionPhase.RUNNING, "b": ActionPhase.SUCCEEDED}

        await family.enqueue(family.task("c", "echo why; exit 4"))
        await family.enqueue(family.task("grandchild", "true", parent="c"))
        while (update := (await anext(messages)).action_update) is None or update.phase != ActionPhase.FAILED:
            assert update is not None and update.action_id is not None and update.action_id.name == "c"
        assert update.error is not None and "code 4" in update.error.message and update.error.kind.name == "USER"


async def test_updates_of_an_unknown_parent_are_a_sentinel(calls: Calls) -> None:
    request = WatchForUpdatesRequest(parent_action_id=calls.action_id("none"))
    async with aclosing(calls.stream(ActionsService.WATCH_FOR_UPDATES, request)) as messages:
        assert (await anext(messages)).control_message is not None
    nobody = calls.stream(ActionsService.WATCH_FOR_UPDATES, WatchForUpdatesRequest())
    with pytest.raises(ValueError, match="filter is required"):
        await anext(nobody)


async def test_traces_are_over_at_once_and_only_told_live(family: Family) -> None:
    request = WatchForUpdatesRequest(parent_action_id=family.root)
    outputs = OutputReferences(output_uri="file:///tmp/x/outputs.pb")

    def trace(name: str) -> Action:
        return family.action(name, trace=TraceAction(name=name, phase=ActionPhase.FAILED, outputs=outputs))

    await family.enqueue(trace("early"))
    assert await family.status("early") == "SUCCEEDED"
    async with aclosing(family.calls.stream(ActionsService.WATCH_FOR_UPDATES, request)) as messages:
        first = (await anext(messages)).action_update
        assert first is not None and first.action_id is not None and first.action_id.name == "a0"
        assert (await anext(messages)).control_message is not None
        await family.enqueue(trace("late"))
        update = (await anext(messages)).action_update
        assert update is not None and update.action_id is not None
        assert (update.action_id.name, update.output_uri) == ("late", outputs.output_uri)


async def test_enqueue_refusals(family: Family) -> None:
    calls, enqueue = family.calls, ActionsService.ENQUEUE
    await family.calls.ended(await family.enqueue(family.task("b", "true")))
    again = EnqueueRequest(action=family.task("b", "true"))
    assert "exists" in await calls.refused(Status.INTERNAL, enqueue, again)
    orphan = EnqueueRequest(action=family.task("c", "true", parent="none"))
    assert "none" in await calls.refused(Status.INTERNAL, enqueue, orphan)
    late = EnqueueRequest(action=family.task("c", "true", parent="b"))
    assert "SUCCEEDED" in await calls.refused(Status.ABORTED, enqueue, late)
    await calls.refused(Status.INVALID_ARGUMENT, enqueue, EnqueueRequest())
    odd = ConditionAction(name="x", type=simple(SimpleType.STRUCT))
    await calls.refused(Status.INVALID_ARGUMENT, enqueue, EnqueueRequest(action=family.action("x", condition=odd)))
    await family.enqueue(family.action("nothing"))
    await calls.refused(Status.INTERNAL, ActionsService.ABORT, AbortRequest(action_id=family.id("nothing")))


async def test_abort_of_a_run_ends_its_descendants(family: Family) -> None:
    child = await family.enqueue(family.task("b", FOREVER))
    await family.calls.first_line(child)
    grandchild = await family.enqueue(family.task("c", FOREVER, parent="b"))
    await family.calls.first_line(grandchild)
    waiting = await family.condition("d", SimpleType.BOOLEAN)
    await family.calls.until_status(waiting, ActionPhase.PAUSED)
    await family.calls.abort("r1", "all of it")
    for action in (family.root, child, grandchild):
        details = await family.calls.ended(action)
        assert details.abort_info is not None and details.abort_info.reason == "all of it"
    await family.calls.until_status(waiting, ActionPhase.ABORTED)


async def test_abort_of_a_child_leaves_its_siblings(family: Family) -> None:
    child, sibling = await family.enqueue(family.task("b", FOREVER)), await family.enqueue(family.task("c", FOREVER))
    await family.calls.first_line(child)
    await family.calls.unary(ActionsService.ABORT, AbortRequest(action_id=child, reason="not needed"))
    details = await family.calls.ended(child)
    assert details.abort_info is not None and details.abort_info.reason == "not needed"
    await family.calls.first_line(sibling)
    assert await family.status("c") == "RUNNING"
    assert await family.status("a0") == "RUNNING"


async def test_children_of_a_failed_action_end_with_it(calls: Calls, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    root = (await calls.create(shell(f"echo up; read line < {gate}; exit 1"), name="r1")).id
    assert root is not None
    await calls.first_line(root)
    family = Family(calls, root)
    child = await family.enqueue(family.task("b", FOREVER))
    await calls.first_line(child)
    await asyncio.to_thread(gate.write_text, "go\n")
    await calls.ended(root)
    details = await calls.ended(child)
    assert details.abort_info is not None and details.abort_info.reason == "the parent action has ended"


async def test_children_retry_by_themselves(family: Family) -> None:
    metadata = TaskMetadata(retries=RetryStrategy(retries=2))
    details = await family.calls.ended(
        await family.enqueue(family.task("b", "[ $FLYTE_ATTEMPT = 2 ]", metadata=metadata))
    )
    assert details.status is not None
    assert (details.status.phase, details.status.attempts) == (ActionPhase.SUCCEEDED, 2)


async def test_update_writes_attempts_and_cache_status_only(family: Family) -> None:
    calls = family.calls
    status = ActionStatus(phase=ActionPhase.FAILED, attempts=7)
    await calls.unary(ActionsService.UPDATE, UpdateRequest(action_id=family.root, status=status))
    details = await calls.details(family.root)
    assert details.status is not None
    assert (details.status.phase, details.status.attempts) == (ActionPhase.RUNNING, 7)
    await calls.unary(ActionsService.UPDATE, UpdateRequest(action_id=family.id("none")))
    unknown = UpdateRequest(action_id=family.id("none"), status=status)
    await calls.refused(Status.INTERNAL, ActionsService.UPDATE, unknown)


async def test_signal(family: Family) -> None:
    calls, signal = family.calls, ActionsService.SIGNAL
    condition = await family.condition("ask", SimpleType.INTEGER)
    await calls.until_status(condition, ActionPhase.PAUSED)

    def give(value: Literal | None, name: str = "ask") -> SignalRequest:
        return SignalRequest(action_id=family.id(name), value=value)

    await calls.refused(Status.INVALID_ARGUMENT, signal, give(None))
    await calls.refused(Status.INVALID_ARGUMENT, signal, give(text("3")))
    await calls.refused(Status.NOT_FOUND, signal, give(integer(3), "none"))
    await calls.refused(Status.FAILED_PRECONDITION, signal, give(integer(3), "a0"))
    await calls.unary(signal, give(integer(3)))
    details = await calls.until_status(condition, ActionPhase.SUCCEEDED)
    assert details.signal_info is not None and details.signal_info.output == integer(3)
    await calls.unary(signal, give(integer(3)))
    await calls.refused(Status.FAILED_PRECONDITION, signal, give(integer(4)))


async def test_signal_event_by_a_person(family: Family) -> None:
    calls = family.calls
    condition = await family.condition("ask", SimpleType.BOOLEAN)
    empty = SignalEventRequest(action_id=condition)
    await calls.refused(Status.INVALID_ARGUMENT, RunService.SIGNAL_EVENT, empty)
    request = SignalEventRequest(action_id=condition, payload=EventPayload(bool_value=False))
    await calls.unary(RunService.SIGNAL_EVENT, request)
    details = await calls.until_status(condition, ActionPhase.SUCCEEDED)
    assert details.signal_info is not None and details.signal_info.output is not None
    assert details.signal_info.output.scalar is not None and details.signal_info.output.scalar.primitive is not None
    assert details.signal_info.output.scalar.primitive.boolean is False


async def test_conditions_time_out(family: Family) -> None:
    condition = await family.condition("ask", SimpleType.STRING, timeout=0.2)
    details = await family.calls.until_status(condition, ActionPhase.TIMED_OUT)
    assert (details.signal_info, details.error_info) == (None, None)
    request = SignalRequest(action_id=condition, value=text("too late"))
    await family.calls.refused(Status.FAILED_PRECONDITION, ActionsService.SIGNAL, request)


async def test_a_condition_needs_a_type(family: Family) -> None:
    untyped = ConditionAction(name="x", type=LiteralType())
    request = EnqueueRequest(action=family.action("x", condition=untyped))
    await family.calls.refused(Status.INVALID_ARGUMENT, ActionsService.ENQUEUE, request)
