"""Streams of the control plane beyond one action's: runs and actions of a project, groups of tasks, clusters."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotFoundError, WaitTimeoutError
from flyte.models import ActionPhase
from flyte.remote import Action as RemoteAction
from flyte.remote import Run, Task, TaskDetails, TrackedAction
from remote import tasks


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A run of `waiting` goes on until this file exists."""
    return tmp_path / uuid.uuid4().hex


@pytest.fixture
def waiting(project: str, gate: Path) -> Iterator[Run]:
    run = flyte.run(flyte.devbox.deploy(tasks.wait_for_file), path=str(gate))
    yield run
    gate.touch()
    run.wait(quiet=True, timeout=60)


def test_all_runs_of_a_project_are_followed(waiting: Run, gate: Path) -> None:
    phases = []
    for run in Run.watchall(timeout=60):
        assert type(run) is Run and run == waiting
        phases.append(run.phase)
        if run.phase is ActionPhase.RUNNING:
            gate.write_text("done")
        if run.done():
            break
    assert phases[-1] is ActionPhase.SUCCEEDED


def test_actions_are_followed_by_phase_and_task(waiting: Run, gate: Path) -> None:
    phases = []
    for action in RemoteAction.watchall(waiting.name, in_phase=("running",), task_name_contains="WAIT_FOR", timeout=60):
        phases.append((str(action.phase), action.meets_filter))
        gate.write_text("done")
        if not action.meets_filter:
            break
    assert phases[0] == ("running", True) and phases[-1] == ("succeeded", False)
    with pytest.raises(WaitTimeoutError):
        list(RemoteAction.watchall(waiting.name, task_name_contains="another", timeout=0.2))


def test_conditions_of_watches_are_checked() -> None:
    for watch in (RemoteAction.watchall, TrackedAction.watchall):
        with pytest.raises(ValueError, match="in_phase has the unknown value 'runing'; did you mean 'running'"):
            watch("r1", in_phase=("runing",))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="task_name_contains must not be empty"):
            watch("r1", task_name_contains="")
        with pytest.raises(TypeError, match=r"filters takes Filter messages, not str \('running'\); for plain values"):
            watch("r1", filters=["running"])  # type: ignore[list-item]
        assert "NotFoundError" not in (watch.__doc__ or "")


async def test_all_actions_of_a_run_are_followed(waiting: Run, gate: Path) -> None:
    async for action in RemoteAction.watchall(waiting.name, timeout=60):
        assert type(action) is RemoteAction and action == waiting.action
        assert action.meets_filter and action.descendant_phases == {}
        if action.phase is ActionPhase.RUNNING:
            gate.write_text("done")
        if action.done():
            break
    assert (await action.details.aio()).phase is ActionPhase.SUCCEEDED
    with pytest.raises(WaitTimeoutError):
        async for _ in RemoteAction.watchall("no-such-run", timeout=0.2):
            pass


def test_a_watch_without_end_gives_up_in_time(waiting: Run) -> None:
    with pytest.raises(WaitTimeoutError):
        for _ in Run.watchall(timeout=0.2):
            pass


def test_how_tasks_fare(project: str) -> None:
    task = flyte.devbox.deploy(tasks.nothing)
    flyte.run(task).wait(quiet=True, timeout=60)
    for group in Task.watch_groups(datetime(2024, 1, 1, tzinfo=UTC), timeout=60):
        assert (group.task_name, group.total_runs, group.average_failure_rate) == (task.name, 1, 0.0)
        break


def test_what_the_cluster_says_of_an_action(box: Devbox, multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=2)
    run.wait(quiet=True, timeout=60)
    events = list(run.action.cluster_events(attempt=1, timeout=60))
    assert all(event.message for event in events)
    assert list(run.action.cluster_events()) == events
    with pytest.raises(NotFoundError):
        run.action.log_context(attempt=9)
    assert run.action.log_context() == run.action.log_context(1)
    for attempt in (0, -1):
        with pytest.raises(ValueError, match=f"attempt is {attempt}; it must be at least 1"):
            run.action.log_context(attempt)
        with pytest.raises(ValueError, match=f"attempt is {attempt}; it must be at least 1"):
            run.action.cluster_events(attempt)
    context = run.action.log_context(attempt=1)
    assert context.log_context is not None
    assert context.log_context.primary_pod_name


def test_runs_of_a_trigger(box: Devbox) -> None:
    assert Run.of_trigger("nightly", "env.train").collect() == []
    with pytest.raises(ValueError, match="trigger_name must not be empty"):
        Run.of_trigger("", "env.train")
