"""The examples of the two user documents, as they stand there, against a control plane that executes tasks.

The documents lost the indentation of their blocks when they were saved as text; apart from that the lines between
`# document` and `# end` are theirs. What stands around them is the setup that the documents take for granted.
"""

# ruff: noqa: I001

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import flyte
from flyte.devbox import Devbox

from remote import tasks
from remote.conftest import start_named
from datetime import UTC

_names = itertools.count()


@pytest.fixture
def math_task(box: Devbox) -> flyte.remote.TaskDetails:
    for version in ("v1", "v2"):
        task = flyte.devbox.deploy(
            tasks.multiply, name="my_math_task", version=version, project="flytesnacks", domain="development"
        )
    return task


def test_project_management(box: Devbox) -> None:
    # document: Creating and Updating Projects
    from flyte.remote import Project

    # Create a new project
    project = Project.create(
        id="ml-research",
        name="ML Research Project",
        description="Project for tracking model experiments",
        labels={"department": "data-science"},
    )
    # Update project metadata
    Project.update(id="ml-research", description="Updated description for research")
    # end
    assert project.description == "Project for tracking model experiments"
    updated = Project.get("ml-research")
    assert updated.description == "Updated description for research"
    assert (updated.name, updated.labels) == ("ML Research Project", {"department": "data-science"})

    # document: Listing and Archiving
    # List all active projects
    active_projects = Project.listall(archived=False)
    # Archive a project
    project = Project.get("ml-research")
    project.archive()
    # end
    assert "ml-research" not in [p.id for p in active_projects]
    assert "ml-research" in [p.id for p in Project.listall(archived=True)]
    assert project.archived


async def test_runs(multiply: flyte.remote.TaskDetails, capsys: pytest.CaptureFixture[str]) -> None:
    await start_named.aio(multiply, "af6b2c8d4e1f", x=21)

    # document: Fetching and Monitoring Runs
    from flyte.remote import Run

    # Fetch an existing run
    run = Run.get(name="af6b2c8d4e1f")
    # Wait for the run to reach a terminal state (Succeeded, Failed, etc.)
    # This displays a rich progress panel by default
    run.wait()
    if run.done():
        print(f"Run finished in phase: {run.phase}")
    # end
    assert "Run finished in phase: succeeded" in capsys.readouterr().out

    # document: Accessing Data and Logs
    # Retrieve inputs and outputs
    inputs = run.inputs()
    outputs = run.outputs()
    # Stream logs to the console
    run.show_logs()
    # Or get logs as an iterator
    async for line in run.get_logs.aio(filter_system=True):
        print(line)
    # end
    assert dict(inputs) == {"x": 21, "y": 2}
    assert outputs == (42,)
    assert capsys.readouterr().out.splitlines() == ["multiplying 21 by 2"] * 2


def test_lifecycle_control(box: Devbox, tmp_path: Path) -> None:
    run = flyte.run(flyte.devbox.deploy(tasks.wait_for_file), path=str(tmp_path / "never"))
    run.wait(wait_for="running", quiet=True, timeout=60)

    # document: Lifecycle Control
    run.abort(reason="Parameters were incorrect")
    # end
    assert run.wait(quiet=True, timeout=60) == "aborted"
    abort_info = run.details().action.abort_info
    assert abort_info is not None and abort_info.reason == "Parameters were incorrect"


async def test_actions(multiply: flyte.remote.TaskDetails, capsys: pytest.CaptureFixture[str]) -> None:
    await start_named.aio(multiply, "af6b2c8d4e2f", x=1)

    # document: Action Hierarchy (the run's name is this test's own)
    from flyte.remote import Action

    # List all actions for a specific run
    actions = Action.listall(for_run_name="af6b2c8d4e2f")
    for action in actions:
        print(f"Action: {action.name}, Task: {action.task_name}, Phase: {action.phase}")
    # end
    # The phase depends on how far the run is.
    assert capsys.readouterr().out.startswith(f"Action: a0, Task: {multiply.name}, Phase: ")

    # document: Watching State Transitions
    async for details in action.watch():
        print(f"Action {action.name} is now in phase {details.phase}")
        if details.done():
            break
    # end
    assert capsys.readouterr().out.splitlines()[-1] == "Action a0 is now in phase succeeded"
    assert action.done()


def test_time_filter(project: str) -> None:
    # document: Time-Based Filtering (the project is this test's own)
    from flyte.remote import Run, TimeFilter
    from datetime import datetime

    # Find runs created after a specific date
    start_time = datetime(2024, 1, 1, tzinfo=UTC)
    runs = Run.listall(project=project, created_at=TimeFilter(after=start_time))
    # end
    assert list(runs) == []
    started = flyte.run(flyte.devbox.deploy(tasks.nothing, project=project))
    assert list(runs) == [started]
    assert list(Run.listall(project=project, created_at=TimeFilter(before=start_time))) == []


def test_phase_filter(project: str) -> None:
    good, bad = flyte.devbox.deploy(tasks.nothing), flyte.devbox.deploy(tasks.fail)
    expected = [flyte.run(good), flyte.run(bad, message="no")]
    for run in expected:
        run.wait(quiet=True, timeout=60)

    # document: Phase Filtering
    from flyte.models import ActionPhase
    from flyte.remote import Run

    # List only successful or failed runs
    runs = Run.listall(in_phase=(ActionPhase.SUCCEEDED, ActionPhase.FAILED))
    # end
    assert list(runs) == expected[::-1]
    assert all(run.phase.is_terminal for run in runs)


def test_task_discovery(math_task: flyte.remote.TaskDetails, capsys: pytest.CaptureFixture[str]) -> None:
    # document: Retrieving Specific Tasks
    from flyte.remote import Task

    # Retrieve a specific version of a task
    lazy_task = Task.get(name="my_math_task", project="flytesnacks", domain="development", version="v1")

    # Retrieve the latest version automatically
    latest_task = Task.get(name="my_math_task", project="flytesnacks", domain="development", auto_version="latest")
    # end
    assert latest_task.fetch().version == "v2"

    # document: Listing Tasks
    # List all tasks in a project
    tasks = Task.listall(project="flytesnacks", domain="development")

    for task in tasks:
        print(f"Found task: {task.name} (Version: {task.version})")
    # end
    assert "Found task: my_math_task (Version: v2)" in capsys.readouterr().out.splitlines()

    # document: Interface and Arguments
    task_details = lazy_task.fetch()

    # Inspect inputs and outputs
    print(f"Inputs: {task_details.interface.inputs}")
    print(f"Outputs: {task_details.interface.outputs}")

    # Identify required vs optional arguments
    print(f"Required: {task_details.required_args}")
    print(f"Defaults: {task_details.default_input_args}")
    # end
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("Inputs: {'x': (<class 'int'>, ")
    assert printed[1:] == ["Outputs: {'o0': <class 'int'>}", "Required: ('x',)", "Defaults: ('y',)"]
    assert task_details.version == "v1"

    # document: Task Overrides
    from flyte import Resources, RetryStrategy

    # Create a version of the task with more memory and a retry policy
    overridden_task = lazy_task.override(
        resources=Resources(cpu="2", memory="1Gi"),
        retries=RetryStrategy(retries=3),
        env_vars={"LOG_LEVEL": "DEBUG"},
    )
    # end
    changed = overridden_task.fetch()
    requests, limits = changed.resources
    assert [(r.name.name, r.value) for r in requests] == [("CPU", "2"), ("MEMORY", "1Gi")]
    assert (limits, changed.retries, changed.env_vars) == ([], 3, {"LOG_LEVEL": "DEBUG"})
    assert (task_details.retries, task_details.resources) == (0, ([], []))
    assert flyte.run(overridden_task, x=4).wait(quiet=True, timeout=60) == "succeeded"


def test_resources_cache_and_secrets(math_task: flyte.remote.TaskDetails) -> None:
    # "task_details.resources returns a tuple of (requests, limits)", "task_details.cache returns a flyte.Cache object",
    # "task_details.secrets provides a list of secret keys"
    assert math_task.resources == ([], [])
    assert math_task.cache == flyte.Cache("disable")
    assert math_task.override(secrets=["api-key"]).secrets == ["api-key"]


def test_calling_constraints(math_task: flyte.remote.TaskDetails) -> None:
    # "No Local Execution", "Keyword Arguments Only", "Required Arguments"
    for call in (lambda: math_task(x=1), lambda: math_task(1), lambda: math_task(y=1), lambda: math_task(x=1, z=2)):
        with pytest.raises(flyte.errors.RemoteTaskUsageError):
            call()


def test_workflow(math_task: flyte.remote.TaskDetails) -> None:
    from remote import document_workflow

    run = flyte.run(flyte.devbox.deploy(document_workflow.my_workflow), val=21)
    assert run.wait(quiet=True, timeout=60) == "succeeded"
    assert run.outputs() == (42,)
    root, child = flyte.remote.Action.listall(for_run_name=run.name)
    assert (root.name, child.parent_name) == ("a0", "a0")
    details = child.details()
    assert details.task_name == "my_math_task"
    template = details.pb2.task.task_template
    assert template.metadata.retries.retries == 3
    assert {pair.key: pair.value for pair in template.container.env} == {"LOG_LEVEL": "DEBUG"}
