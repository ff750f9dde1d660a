"""Triggers of functions, as users write them."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

import flyte
import flyte.devbox
from devbox.calls import DEADLINE
from devbox.sample import jobs
from flyte.errors import FailedPreconditionError, NotFoundError
from flyte.remote import Run, Task, Trigger, TriggerDetails
from flyte_api.registry import registry


@pytest.fixture
def box() -> Generator[flyte.devbox.Devbox, None, None]:
    previous = registry.default
    with flyte.devbox.start(memory=True) as running:
        running.connect()
        yield running
    assert registry.default is previous


def test_a_scheduled_function(box: flyte.devbox.Devbox) -> None:
    task = flyte.devbox.deploy(jobs.day_of, name="env.day_of")
    nightly = flyte.Trigger(
        "nightly", flyte.Cron("30 12 * * *", timezone="Europe/Berlin"), inputs={"time": flyte.TriggerTime}
    )
    Trigger.create(nightly, task.name)
    assert box.advance(timedelta(days=2)) == 2
    box.wait_until_idle(timeout=DEADLINE)
    runs = sorted(Run.of_trigger("nightly", task.name), key=lambda run: run.outputs()["o0"])
    days = [datetime.fromisoformat(run.outputs()["o0"]) for run in runs]
    assert days[1] - days[0] in (timedelta(hours=hours) for hours in (23, 24, 25))
    assert days[0] > datetime.now(UTC) - timedelta(hours=1)
    found = Trigger.get(name="nightly", task_name=task.name)
    assert found.status.triggered_at is not None


def test_from_the_first_revision_to_the_last(box: flyte.devbox.Devbox) -> None:
    task = flyte.devbox.deploy(jobs.day_of, name="env.day_of")
    on_request = flyte.Trigger("ask", None, description="first")
    trigger = Trigger.create(on_request, task.name)
    assert (trigger.automation, trigger.revision, trigger.is_active) == ("none", 1, True)

    details = Trigger.get(name="ask", task_name=task.name)
    Trigger.create(evolve(details.trigger, description="second"), task.name, revision=details.revision)
    with pytest.raises(FailedPreconditionError, match="is at revision 2"):
        Trigger.create(details.trigger, task.name, revision=details.revision)

    trigger.deactivate()
    assert (trigger.is_active, trigger.revision) == (False, 3)
    assert [item.name for item in Trigger.listall(task.name, active=False)] == ["ask"]
    Trigger.delete("ask", task.name)
    with pytest.raises(NotFoundError):
        Trigger.get(name="ask", task_name=task.name)
    assert [item.action for item in trigger.revisions()] == ["delete", "deactivate", "deploy", "deploy"]
    assert TriggerDetails.of_revision("ask", task.name, 1).description == "first"
    assert Task.get(task.name, auto_version="latest").fetch().name == task.name
