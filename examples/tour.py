"""A tour of the SDK against a local control plane, which really executes the tasks.

Run it with `make demo`. It stops everything that it starts.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import flyte
from flyte.models import ActionPhase
from flyte.remote import Action, Project, Run, Task, TimeFilter

sys.path.insert(0, str(Path(__file__).parent))
import tour_tasks


def heading(text: str) -> None:
    print(f"\n── {text} " + "─" * max(0, 76 - len(text)))


def projects() -> None:
    heading("Projects")
    project = Project.create(
        id="ml-research",
        name="ML Research",
        description="Tracking model experiments",
        labels={"department": "data-science"},
    )
    print("created  ", project)
    print("active   ", ", ".join(p.id for p in Project.listall()))


def tasks() -> None:
    heading("Tasks: two versions of one, and one that fails")
    flyte.devbox.deploy(tour_tasks.train, version="v1")
    flyte.devbox.deploy(tour_tasks.train, version="v2", retries=1)
    flyte.devbox.deploy(tour_tasks.broken)
    flyte.devbox.deploy(tour_tasks.endless)
    for task in Task.listall():
        versions = ", ".join(v.version for v in Task.versions(task.name))
        print(f"{task.name:<20} newest {task.version:<18} versions: {versions}")
    details = Task.get("tour_tasks.train", auto_version="latest").fetch()
    print(f"{details.name} {details.interface}")
    print(f"required: {details.required_args}, with defaults: {details.default_input_args}, retries: {details.retries}")


def first_run() -> None:
    heading("A run: watch it, read its logs, inputs and outputs")
    run = flyte.run(Task.get("tour_tasks.train", auto_version="latest"), rounds=3, rate=0.5)
    print("started  ", run.name)
    for details in run.watch(timeout=60):
        print("phase    ", details.phase)
    for line in run.get_logs():
        print("log      ", line)
    print("inputs   ", dict(run.inputs()))
    print("outputs  ", run.outputs().named_outputs)


async def in_async_code() -> None:
    heading("The same in async code: .aio")
    run = await flyte.run.aio(Task.get("tour_tasks.train", version="v1"), rounds=1)
    async for details in run.watch(timeout=60):
        print("phase    ", details.phase)
    print("outputs  ", (await run.outputs.aio()).named_outputs)


def failures() -> None:
    heading("A task that fails")
    run = flyte.run(Task.get("tour_tasks.broken", auto_version="latest"))
    run.wait(timeout=60)
    try:
        run.raise_for_status()
    except flyte.errors.RuntimeUserError as error:
        print("raised   ", type(error).__name__, "with code", error.code)
        print("         ", str(error).splitlines()[0])


def overrides() -> None:
    heading("The task with other settings, for this run only")
    task = Task.get("tour_tasks.train", version="v1")
    louder = task.override(
        resources=flyte.Resources(cpu="1", memory="512Mi"),
        retries=flyte.RetryStrategy(retries=2),
        env_vars={"TOUR_GREETING": "hello from override"},
    )
    run = flyte.run(louder, rounds=1)
    run.wait(timeout=60)
    print("log      ", next(iter(run.get_logs())))


def aborting() -> None:
    heading("Abort")
    run = flyte.run(Task.get("tour_tasks.endless", auto_version="latest"))
    run.wait(wait_for="running", timeout=60)
    run.abort(reason="it would never end")
    run.wait(timeout=60)


def finding(started: datetime) -> None:
    heading("Finding runs: by phase, by time")
    ended = (ActionPhase.FAILED, ActionPhase.ABORTED)
    for run in Run.listall(in_phase=ended):
        print(f"{run.phase:<10} {run.task_name}")
    print("since the tour began:", len(list(Run.listall(created_at=TimeFilter(after=started)))))
    print("before it:           ", len(list(Run.listall(created_at=TimeFilter(before=started)))))
    print("the newest two:      ", ", ".join(f"{r.task_name} ({r.phase})" for r in Run.listall(limit=2)))


def nested() -> None:
    heading("A task that calls tasks: its actions, nested")
    run = flyte.run(flyte.devbox.deploy(tour_tasks.compare), rates=[0.1, 0.5, 0.9])
    run.wait(timeout=120)
    print("outputs  ", run.outputs().named_outputs)

    def show(action: Action, depth: int) -> None:
        details = action.details()
        spent = ", ".join(f"{phase} {span.total_seconds():.2f} s" for phase, span in details.phase_durations.items())
        print(f"{'    ' * depth}{action.name}: {details.task_name} {details.phase} ({spent})")
        for child in action.children():
            show(child, depth + 1)

    show(Action.get(run.name), 0)


def archive() -> None:
    heading("Archive")
    project = Project.get("ml-research").archive()
    print(project.id, "is", project.state, "- active now:", ", ".join(p.id for p in Project.listall()))


def main() -> None:
    """Take the tour."""
    with tempfile.TemporaryDirectory() as folder, flyte.devbox.start(dir=folder) as box:
        print(f"A control plane at {box.endpoint}, executing tasks as processes of this machine")
        box.connect(project="flytesnacks", domain="development")
        projects()
        box.connect(project="ml-research", domain="development")
        started = datetime.now(UTC)
        tasks()
        first_run()
        asyncio.run(in_async_code())
        failures()
        overrides()
        aborting()
        finding(started)
        nested()
        archive()
    print("\nThe control plane has stopped.")


if __name__ == "__main__":
    main()
