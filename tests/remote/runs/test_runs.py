"""Runs: listing, waiting, watching, inputs and outputs, logs, aborting."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotDoneError, NotFoundError, RuntimeUserError, WaitTimeoutError
from flyte.models import ActionPhase
from flyte.remote import Action, Project, Run, TaskDetails, TimeFilter
from flyte_rpc.calls.client import CallRecord, Client
from remote import tasks
from support.proxies.proxy import cutting_proxy


@pytest.fixture(scope="module")
def many(flyte_devbox_session: Devbox) -> Iterator[Callable[..., Client]]:
    """A project with 250 runs, and a maker of clients for it."""
    box = flyte_devbox_session

    def client(**options: Any) -> Client:
        return Client(box.endpoint, token=box.token, project="many", domain="development", **options)

    async def start() -> None:
        with client() as caller:
            await Project.create.aio("many", "Many", client=caller)
            task = await flyte.devbox.deploy.aio(tasks.nothing, client=caller)
            quick = task.override()
            template = quick.pb2.spec.task_template
            template.container.command, template.container.args = ["true"], []
            for _ in range(250):
                await flyte.run.aio(quick)

    asyncio.run(start())
    return client


@pytest.mark.parametrize("limit", [1, 99, 100, 101, 250, None])
def test_limit_is_exact_and_frugal(many: Callable[..., Client], limit: int | None) -> None:
    calls: list[CallRecord] = []
    with many(on_call=[calls.append]) as client:
        runs = list(Run.listall(limit=limit, client=client))
    expected = 250 if limit is None else limit
    assert len({run.name for run in runs}) == len(runs) == expected
    starts = [run.start_time for run in runs]
    assert starts == sorted(starts, reverse=True), "the newest first"
    assert [c.method for c in calls] == ["flyteidl2.workflow.RunService/ListRuns"] * -(-expected // 100)


def test_limit_zero_asks_nothing(many: Callable[..., Client]) -> None:
    calls: list[CallRecord] = []
    with many(on_call=[calls.append]) as client:
        assert list(Run.listall(limit=0, client=client)) == []
    assert calls == []


def test_sort_and_page_size(many: Callable[..., Client]) -> None:
    with many() as client:
        oldest = list(Run.listall(sort_by=("created_at", "asc"), limit=3, client=client))
        newest = list(Run.listall(sort_by="-created_at", page_size=200, client=client))
        assert oldest == newest[::-1][:3]
        pages = [len(page) for page in Run.listall(page_size=120, client=client).pages()]
        assert pages == [120, 120, 10]
        assert Run.listall(client=client).first() == newest[0]
        assert Run.listall(task_name="none such", client=client).first() is None


def test_from_everywhere(many: Callable[..., Client]) -> None:
    """A plain thread, ten threads, inside a running loop, and two loops of their own see the same."""
    with many() as client:
        names = [run.name for run in Run.listall(client=client)]
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(lambda _: [r.name for r in Run.listall(client=client)], range(10)))
        assert found == [names] * 10

        async def both() -> tuple[list[str], list[str], str]:
            blocking = [r.name for r in Run.listall(client=client)]
            awaited = [r.name async for r in Run.listall.aio(client=client)]
            return blocking, awaited, (await Run.get.aio(names[0], client=client)).name

        results: list[Any] = []
        loops = [threading.Thread(target=lambda: results.append(asyncio.run(both()))) for _ in range(2)]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join(60)
        assert results == [(names, names, names[0])] * 2


def test_filters(project: str, tmp_path: Path) -> None:
    good = flyte.devbox.deploy(tasks.multiply, version="v1")
    newer = flyte.devbox.deploy(tasks.multiply, version="v2")
    bad = flyte.devbox.deploy(tasks.fail)
    begun = datetime.now(UTC)
    runs = [flyte.run(good, x=1), flyte.run(newer, x=2), flyte.run(bad, message="no")]
    assert [run.wait(quiet=True, timeout=60) for run in runs] == ["succeeded", "succeeded", "failed"]

    def listed(**filters: Any) -> list[Run]:
        return list(Run.listall(sort_by="created_at", **filters))

    assert listed(in_phase=("succeeded",)) == runs[:2]
    assert listed(in_phase=["FAILED", ActionPhase.RECOVERED]) == runs[2:]
    assert listed(in_phase={ActionPhase.SUCCEEDED, ActionPhase.FAILED}) == runs
    assert listed(task_name=good.name) == runs[:2]
    assert listed(task_name=good.name, task_version="v2") == [runs[1]]
    assert listed(created_by_subject="nobody") == []
    second = runs[1].start_time
    assert second is not None
    assert listed(created_at=TimeFilter(after=second)) == runs[1:], "after is inclusive"
    assert listed(created_at=TimeFilter(before=second)) == runs[:1], "before is exclusive"
    assert listed(created_at=TimeFilter(after=begun, before=begun + timedelta(days=1))) == runs
    assert listed(updated_at=TimeFilter(before=begun)) == []


def test_get_keeps_what_a_listing_shows(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=2)
    run.wait(quiet=True, timeout=60)
    again = Run.get(run.name)
    assert again == run and hash(again) == hash(run) and {again: 1}[run] == 1
    assert (again.phase, again.task_name, again.task_version) == (run.phase, multiply.name, multiply.version)
    assert again.url == f"{run.client.endpoint}/v2/domain/development/project/flytesnacks/runs/{run.name}"
    assert again.to_dict()["action"]["id"]["run"]["name"] == run.name
    assert f'"{run.name}"' in again.to_json()
    copied = pickle.loads(pickle.dumps(again))
    assert copied == again and copied.pb2 == again.pb2
    assert copied.sync().phase == "succeeded"
    assert f"name={run.name!r}" in repr(again)


def test_inputs_and_outputs(box: Devbox) -> None:
    task = flyte.devbox.deploy(tasks.shout)
    run = flyte.run(task, words=["hello", "world"])
    run.wait(quiet=True, timeout=60)
    outputs = run.outputs()
    assert outputs == ("HELLO WORLD", 2)
    assert outputs.named_outputs == {"o0": "HELLO WORLD", "o1": 2}
    assert (outputs.o0, outputs.o1) == outputs
    assert run.inputs() == {"words": ["hello", "world"], "times": 1}
    assert repr(outputs) == "ActionOutputs(o0='HELLO WORLD', o1=2)"

    silent = flyte.run(flyte.devbox.deploy(tasks.nothing))
    silent.wait(quiet=True, timeout=60)
    assert silent.outputs() == ()


def test_outputs_of_what_has_none(box: Devbox, tmp_path: Path) -> None:
    waiting = flyte.run(flyte.devbox.deploy(tasks.wait_for_file), path=str(tmp_path / "go"))
    with pytest.raises(NotDoneError, match="has not ended yet"):
        waiting.outputs()
    with pytest.raises(NotDoneError):
        waiting.raise_for_status()
    (tmp_path / "go").touch()
    waiting.wait(quiet=True, timeout=60)
    assert waiting.outputs() == (str(tmp_path / "go"),), "the same object sees them once they are there"

    failed = flyte.run(flyte.devbox.deploy(tasks.fail), message="[path/x] no dict[str]")
    assert failed.wait(quiet=True, timeout=60) == "failed"
    for ask in (failed.outputs, failed.raise_for_status):
        with pytest.raises(RuntimeUserError, match=r"\[path/x\] no dict\[str\]") as caught:
            ask()
        assert (caught.value.code, caught.value.kind) == ("ValueError", "user")


def test_wait_times_out_and_leaves_the_run_alone(box: Devbox, tmp_path: Path) -> None:
    run = flyte.run(flyte.devbox.deploy(tasks.wait_for_file), path=str(tmp_path / "go"))
    assert run.wait(wait_for="running", quiet=True, timeout=60) == "running"
    with pytest.raises(WaitTimeoutError, match=rf"for action {run.name}/a0 to end \(last phase: running\)") as caught:
        run.wait(timeout=0.05, quiet=True)
    assert isinstance(caught.value, TimeoutError)
    (tmp_path / "go").touch()
    assert run.wait(quiet=True, timeout=60) == "succeeded"


async def test_wait_can_be_cancelled(box: Devbox, tmp_path: Path) -> None:
    run = await flyte.run.aio(await flyte.devbox.deploy.aio(tasks.wait_for_file), path=str(tmp_path / "never"))
    await run.wait.aio(wait_for="running", quiet=True, timeout=60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run.wait.aio(quiet=True)
    assert await run.abort.aio()
    assert await run.wait.aio(quiet=True, timeout=60) == "aborted"


def test_wait_tells_how_it_goes(multiply: TaskDetails, capsys: pytest.CaptureFixture[str]) -> None:
    run = flyte.run(multiply, x=1)
    run.wait(timeout=60)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"Run {run.name}: succeeded, ")
    assert all(line.startswith(f"Run {run.name}: ") for line in lines)
    failed = flyte.run(flyte.devbox.deploy(tasks.fail), message="for [bold]this[/bold] reason")
    failed.wait(timeout=60)
    assert capsys.readouterr().err.splitlines()[-1].endswith(": for [bold]this[/bold] reason")
    with pytest.raises(ValueError, match="wait_for must be one of 'terminal', 'running', 'logs-ready'"):
        run.wait(wait_for="done")  # type: ignore[arg-type]


def test_watch_survives_a_cut_connection(box: Devbox, tmp_path: Path) -> None:
    task = flyte.devbox.deploy(tasks.wait_for_file)
    with cutting_proxy(box.endpoint) as proxy:
        client = Client(proxy.endpoint, token=box.token, project="flytesnacks", domain="development")
        with flyte.use_client(client), client:
            run = flyte.run(flyte.remote.Task.get(task.name, version=task.version), path=str(tmp_path / "go"))
            seen: list[str] = []
            for details in run.watch(timeout=60):
                seen.append(str(details.phase))
                if details.phase is ActionPhase.RUNNING and proxy.connections < 3:
                    proxy.cut()
                elif details.phase is ActionPhase.RUNNING:
                    (tmp_path / "go").touch()
    assert seen[-1] == "succeeded"
    assert run.done() and proxy.connections >= 3


def test_logs_survive_a_cut_connection(box: Devbox, tmp_path: Path) -> None:
    task = flyte.devbox.deploy(tasks.wait_for_file)
    with cutting_proxy(box.endpoint) as proxy:
        client = Client(proxy.endpoint, token=box.token, project="flytesnacks", domain="development")
        with flyte.use_client(client), client:
            run = flyte.run(flyte.remote.Task.get(task.name, version=task.version), path=str(tmp_path / "go"))
            lines: list[str] = []
            for line in run.get_logs():
                lines.append(line)
                if line == "waiting":
                    proxy.cut()
                    (tmp_path / "go").touch()
    assert lines == ["waiting", "found"], "nothing twice, nothing lost"


def test_logs(multiply: TaskDetails, capsys: pytest.CaptureFixture[str]) -> None:
    run = flyte.run(multiply, x=3)
    assert list(run.get_logs()) == ["multiplying 3 by 2"], "it waits for the first ones"
    (line,) = run.get_logs(show_ts=True)
    stamp, _, text = line.partition(" ")
    assert text == "multiplying 3 by 2"
    assert datetime.fromisoformat(stamp).utcoffset() == timedelta(0)
    run.show_logs()
    assert capsys.readouterr().out == "multiplying 3 by 2\n"
    run.show_logs(max_lines=0)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="attempt is 0; it must be at least 1"):
        run.get_logs(attempt=0)
    with pytest.raises(NotFoundError, match="no attempt 7"):
        list(run.get_logs(attempt=7))


def test_abort_tells_whether_there_was_anything(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=1)
    run.wait(quiet=True, timeout=60)
    lost = pickle.loads(pickle.dumps(run))
    lost.pb2.action.id.run.name = "nothere"
    assert lost.abort() is False


def test_actions(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=1)
    run.wait(quiet=True, timeout=60)
    (action,) = Action.listall(run.name)
    assert (action.name, action.run_name, action.is_root, action.parent_name) == ("a0", run.name, True, None)
    assert action == run.action and list(action.children()) == [] and action.parent() is None
    assert Action.get(run.name).task_name == multiply.name
    details = action.details()
    assert (details.phase, details.attempts, details.kind) == ("succeeded", 1, "task")
    phases = [t.phase for t in details.phase_transitions()]
    assert phases == ["queued", "initializing", "running", "succeeded"]
    assert set(details.phase_durations) == set(phases)
    assert details.phase_transitions(attempt=9) == []
    assert details.runtime is not None and timedelta(0) < details.runtime < timedelta(minutes=1)
    assert details.outputs() == run.outputs() and details.error_info is None and details.error_message == ""
    assert list(Action.listall(run.name, in_phase=("failed",))) == []
    assert list(action.get_logs()) == ["multiplying 1 by 2"]
