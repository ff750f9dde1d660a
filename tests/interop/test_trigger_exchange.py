"""Triggers as this SDK sends them, against what the `flyte` distribution sends for the very same objects."""

from __future__ import annotations

import base64
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import other_sdk

if not other_sdk.INTERPRETER:
    pytest.skip("there is no other SDK to compare with; make .reference/ready", allow_module_level=True)

from trigger_cases import CASES

from flyte.remote import TaskDetails, TriggerDetails
from flyte.remote.triggers.spec import automation_of, spec_of
from flyte.types import interface_of
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.core.interface import VariableMap
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec, TaskTriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerDetails as DetailsMessage
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerSpec


def report(day: datetime, country: str, limit: int = 10) -> str:
    """A task that a trigger may start."""
    return f"{day} {country} {limit}"


INTERFACE, DEFAULTS = interface_of(report)


def encoded(message: Any) -> str:
    return base64.b64encode(bytes(message)).decode()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[TaskTriggerSpec, TriggerAutomationSpec]]:
    task = {"inputs": encoded(INTERFACE.inputs or VariableMap()), "defaults": [encoded(item) for item in DEFAULTS]}
    requests = [{"name": name, **task} for name in CASES]
    replies = other_sdk.ask("trigger_peer.py", requests, tmp_path_factory.mktemp("peer"))
    return {
        name: (
            TaskTriggerSpec.parse(base64.b64decode(reply["spec"])),
            TriggerAutomationSpec.parse(base64.b64decode(reply["automation"])),
        )
        for name, reply in zip(CASES, replies, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_what_is_sent_is_the_same(name: str, theirs: dict[str, tuple[TaskTriggerSpec, TriggerAutomationSpec]]) -> None:
    spec = TaskSpec(task_template=TaskTemplate(interface=INTERFACE), default_inputs=DEFAULTS)
    task = TaskDetails(TaskMessage(task_id=TaskIdentifier(name="etl.report", version="v1"), spec=spec))
    ours = spec_of(CASES[name], task)
    other, automation = theirs[name]
    assert (ours.active, ours.description) == (other.active, other.description)
    assert ours.run_spec == other.run_spec
    assert ours.inputs == other.inputs
    assert automation_of(CASES[name]) == automation


@pytest.mark.parametrize("name", CASES)
def test_what_the_other_sends_is_read(
    name: str, theirs: dict[str, tuple[TaskTriggerSpec, TriggerAutomationSpec]]
) -> None:
    case = CASES[name]
    other, automation = theirs[name]
    message = DetailsMessage(
        id=TriggerIdentifier(name=TriggerName(name=case.name)),
        spec=TriggerSpec(
            active=other.active, run_spec=other.run_spec, inputs=other.inputs, description=other.description
        ),
        automation_spec=automation,
    )
    assert TriggerDetails(message).trigger == attrs.evolve(case, inputs={"limit": 10, **(case.inputs or {})})
