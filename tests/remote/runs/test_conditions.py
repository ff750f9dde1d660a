"""Conditions: find what a run waits for, and signal it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotFoundError
from flyte.models import ActionPhase
from flyte.remote import Action, ActionDetails, Condition, Run
from flyte_api.messages.flyteidl2.actions.actions_service import Action as EnqueuedAction
from flyte_api.messages.flyteidl2.actions.actions_service import EnqueueRequest
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionMetadata,
    ConditionAction,
    ConditionActionMetadata,
)
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import CallRecord
from flyte_rpc.sync.decorators import blocking_function
from remote import tasks

KINDS = {"yes": SimpleType.BOOLEAN, "count": SimpleType.INTEGER, "rate": SimpleType.FLOAT, "word": SimpleType.STRING}


@blocking_function
async def ask(run: Run, name: str, kind: SimpleType, parent: str = "a0") -> None:
    """What the code of a task does when it waits for somebody."""
    condition = ConditionAction(name=name, type=LiteralType(simple=kind))
    id = ActionIdentifier(run=run._identity(), name=f"c-{name}")
    action = EnqueuedAction(action_id=id, parent_action_name=parent, condition=condition)
    await unary(run.client, ActionsService.ENQUEUE, EnqueueRequest(action=action))


@pytest.fixture
def run(box: Devbox, tmp_path: Path) -> Iterator[Run]:
    """A run that goes on while the test does."""
    waiting = flyte.devbox.deploy(tasks.wait_for_file)
    made = flyte.run(waiting, path=str(tmp_path / uuid.uuid4().hex))
    made.wait(wait_for="running", quiet=True, timeout=60)
    for name, kind in KINDS.items():
        ask(made, name, kind)
    yield made
    made.abort("the test is over")


def test_conditions_are_listed_and_found(run: Run) -> None:
    found = Condition.listall(run.name).collect()
    assert [c.name for c in found] == list(KINDS)
    assert [c.expected_type for c in found] == [bool, int, float, str]
    assert [(c.run_name, c.action_name, c.parent_action_name) for c in found][:1] == [(run.name, "c-yes", "a0")]
    assert {c.kind for c in found} == {"condition"}
    assert len(list(Action.listall(run.name))) == 5, "they are actions of the run, which has one more"
    assert [c.name for c in Condition.listall(run_name=run.name, action_name="a0", limit=2)] == ["yes", "count"]
    assert Condition.listall(for_run_name=run.name, limit=1).first() == found[0]
    for wrong in ({}, {"for_run_name": run.name, "run_name": run.name}):
        with pytest.raises(TypeError, match="for_run_name"):
            Condition.listall(**wrong)
    assert Condition.listall(run.name, action_name="nobody").collect() == []
    one = Condition.get("rate", run.name)
    assert type(one) is Condition and one == found[2]
    assert Condition.get("rate", run_name=run.name, action_name="a0") == one
    with pytest.raises(NotFoundError, match=r"action other of run .* does not exist: "):
        Condition.get("rate", run_name=run.name, action_name="other")
    with pytest.raises(NotFoundError, match="run no-such-run does not exist: "):
        Condition.get("rate", run_name="no-such-run")
    with pytest.raises(NotFoundError, match=r"has not reached .*'none'; its conditions so far: yes, count, rate, word"):
        Condition.get("none", run.name)
    assert one.phase is ActionPhase.PAUSED and not one.done()
    assert f"name='rate', phase='{one.phase}', expected_type='float', action_name='c-rate'" in repr(one)


@pytest.mark.parametrize(("name", "value"), [("yes", False), ("count", -3), ("rate", 0.5), ("rate", 2), ("word", "go")])
async def test_a_condition_is_told_its_value(run: Run, name: str, value: Any) -> None:
    condition = await Condition.get.aio(name, run.name)
    waiting = await condition.details.aio()
    assert type(waiting) is ActionDetails and waiting.phase is ActionPhase.PAUSED and waiting.kind == "condition"
    assert await condition.signal.aio(value) is None
    action = await Action.get.aio(run.name, condition.action_name)
    assert await action.wait.aio(quiet=True, timeout=60) is ActionPhase.SUCCEEDED
    (told,) = [c async for c in Condition.listall(run.name, in_phase=("succeeded",))]
    assert told == condition and condition.phase is ActionPhase.PAUSED, "a condition is a snapshot"
    details = await condition.details.aio()
    assert details.done() and condition.phase is ActionPhase.SUCCEEDED and condition.name == name


@pytest.mark.parametrize(
    ("name", "value", "error", "complaint"),
    [
        ("yes", 1, TypeError, "condition yes waits for bool, not int"),
        ("count", True, TypeError, "condition count waits for int, not bool"),
        ("count", 2**63, ValueError, "does not fit into 64 bits"),
        ("word", b"x", TypeError, "condition word waits for str, not bytes"),
        ("rate", "0.5", TypeError, "condition rate waits for float, not str"),
    ],
)
def test_other_values_are_not_sent(run: Run, name: str, value: Any, error: type[Exception], complaint: str) -> None:
    condition = Condition.get(name, run.name)
    calls: list[CallRecord] = []
    caller = run.client.__class__(run.client.endpoint, token="x", on_call=[calls.append])
    with caller, pytest.raises(error, match=complaint):
        Condition(condition.pb2, caller).signal(value)
    assert calls == []


def test_a_condition_that_says_nothing_of_its_type() -> None:
    id = ActionIdentifier(name="c1")
    bare = Condition(ActionMessage(id=id, metadata=ActionMetadata(condition=ConditionActionMetadata())))
    assert (bare.name, bare.expected_type, bare.parent_action_name) == ("c1", None, "")
    odd = ConditionActionMetadata(name="when", type=LiteralType(simple=SimpleType.DATETIME))
    assert Condition(ActionMessage(id=id, metadata=ActionMetadata(condition=odd))).expected_type is None
    with pytest.raises(TypeError, match="payload takes bool, int, float or str, not datetime"):
        bare.signal(datetime.now(UTC))  # type: ignore[arg-type]  # which is the point


def test_what_is_not_there(run: Run) -> None:
    gone = Condition(ActionMessage(id=ActionIdentifier(run=run._identity(), name="gone")), run.client)
    with pytest.raises(NotFoundError):
        gone.signal("x")
    with pytest.raises(NotFoundError):
        gone.details()
    assert Condition.listall("no-such-run").collect() == []
    with pytest.raises(ValueError, match="run_name must not be empty"):
        Condition.listall("")
    with pytest.raises(TypeError, match="name takes text, not int"):
        Condition.get(5, run.name)  # type: ignore[arg-type]  # which is the point
