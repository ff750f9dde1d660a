"""Tasks that call tasks: children, their results, their errors, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotInTaskContextError, RemoteTaskUsageError
from flyte.remote import Action, Run, Task, TaskDetails
from flyte_rpc.calls.client import CallRecord, Client
from remote import flows

Start = Callable[..., Run]


@pytest.fixture(scope="module")
def deployed(flyte_devbox_session: Devbox) -> dict[str, TaskDetails]:
    """All functions of `flows`, in one version, in a project of their own."""
    box = flyte_devbox_session
    client = flyte.Client(box.endpoint, token=box.token, project="flows", domain="development")
    flyte.remote.Project.create("flows", "flows", client=client)
    functions = [f for f in vars(flows).values() if hasattr(f, "__flyte_kind__")]
    return {
        f.__name__: flyte.devbox.deploy(f, name=f"flows.{f.__name__}", version="v1", client=client) for f in functions
    }


def finished(task: TaskDetails, **inputs: Any) -> Run:
    run = flyte.run(task, **inputs)
    run.wait(quiet=True, timeout=90)
    return run


def result(task: TaskDetails, **inputs: Any) -> Any:
    (value,) = finished(task, **inputs).outputs()
    return value


def listed(run: Run) -> list[Action]:
    return list(Action.listall(run.name, project="flows", client=run.client))


def test_sync_code_blocks(deployed: dict[str, TaskDetails]) -> None:
    run = finished(deployed["in_sequence"], val=3)
    assert run.outputs() == (60,)
    root, *children = listed(run)
    assert [c.parent_name for c in children] == ["a0", "a0"] and root.name == "a0"
    assert [c.name for c in root.children()] == [c.name for c in children]
    assert {c.details().task_name for c in children} == {"flows.multiply"}
    assert children[0].parent() == root


def test_async_code_awaits(deployed: dict[str, TaskDetails]) -> None:
    run = finished(deployed["gather"], n=6)
    assert run.outputs() == ([0, 0, 2, 2, 4, 4],)
    assert len({a.name for a in listed(run)}) == 7, "equal calls are children of their own"


def test_map(deployed: dict[str, TaskDetails]) -> None:
    run = finished(deployed["mapped"], n=5)
    assert run.outputs() == (["0", "3", "6", "9", "12"],)
    assert {action.group for action in listed(run)} == {"", f"{deployed['multiply'].name}_map"}
    assert result(deployed["mapped"], n=3, broken=True) == ["0", "TypeError", "6"]
    assert result(deployed["mapped"], n=0) == []


def test_async_forms(deployed: dict[str, TaskDetails]) -> None:
    assert result(deployed["mapped_later"], n=3) == [0, 3, 6, 0, 4, 8, 5, 6]


def test_async_forms_are_checked_when_they_are_called(multiply: TaskDetails) -> None:
    handle = Task.get(multiply.name, version=multiply.version)
    for call in (
        lambda: flyte.map.aio(multiply, [1]),
        lambda: flyte.map(handle, [1]),
        lambda: multiply.aio(x=1),
        lambda: handle.aio(x=1),
        lambda: handle(x=1),
        lambda: multiply(x=1),
    ):
        with pytest.raises(NotInTaskContextError, match="can be called only from within another task"):
            call()
    with pytest.raises(RemoteTaskUsageError, match="by name only"):
        handle.aio(1)
    with pytest.raises(TypeError, match="map takes a deployed task"):
        flyte.map.aio(len, [1])  # type: ignore[arg-type]  # which is the point


def test_a_call_outside_a_task_fetches_nothing() -> None:
    calls: list[CallRecord] = []
    with Client("http://127.0.0.1:1", project="p", domain="d", on_call=calls.append) as client:
        handle = Task.get("t", version="1", client=client)
        for call in (lambda: handle(x=1), lambda: handle.aio(x=1)):
            with pytest.raises(NotInTaskContextError, match=r"task t is remote: .* use flyte\.run\(task"):
                call()
    assert calls == []


def test_nesting(deployed: dict[str, TaskDetails]) -> None:
    run = finished(deployed["nested"], val=1)
    assert run.outputs() == (20,)
    actions = {a.name: a for a in listed(run)}
    middle = next(a for a in actions.values() if a.parent_name == "a0")
    assert [a.parent_name for a in actions.values()].count(middle.name) == 2


def test_context(deployed: dict[str, TaskDetails]) -> None:
    run = finished(deployed["contexts"])
    (found,) = run.outputs()
    outer = found[0]
    assert (outer["run_name"], outer["project"], outer["domain"]) == (run.name, "flows", "development")
    assert (outer["version"], outer["attempt"]) == ("v1", "1") and outer["action"] != "a0"
    assert [c.get("colour") for c in found] == ["blue", "blue", None]
    assert [c.get("size") for c in found] == [None, "large", None]


def test_errors_of_children(deployed: dict[str, TaskDetails]) -> None:
    text = result(deployed["told"], message="no [such] thing")
    assert text.startswith("RuntimeUserError LookupError: Child c") and "no [such] thing" in text
    assert "flows.stubborn" in text and "Traceback" in text
    run = finished(deployed["not_told"], message="over")
    assert run.phase == "failed"
    with pytest.raises(flyte.errors.RuntimeUserError, match="over") as caught:
        run.raise_for_status()
    assert caught.value.code == "LookupError", "the child's code is the parent's"


@pytest.mark.parametrize("name", ["not_told", "not_told_later", "not_told_of_many"])
def test_the_error_of_a_parent_is_that_of_its_child(deployed: dict[str, TaskDetails], name: str) -> None:
    run = finished(deployed[name], message="the disk is full")
    error = run.details().action.error_message
    _, child = listed(run)
    first = error.partition("\n")[0]
    assert first == (
        f"Child {child.name} (flows.stubborn) of action a0 in run {run.name} failed (user error LookupError): the disk is full"
    )
    assert "During handling" not in error and "no running event loop" not in error
    assert error.count("LookupError: the disk is full") == 1, "the child's traceback, once"
    assert f", in {name}\n" in error and ", in stubborn\n" in error
    assert "bridge.py" not in error and "_result" not in error


def test_refusals(deployed: dict[str, TaskDetails]) -> None:
    run = finished(deployed["misused"])
    usage = "RemoteTaskUsageError"
    assert run.outputs() == ([usage, usage, usage, "TypeError", "ValueError"],)
    assert len(listed(run)) == 1, "nothing was submitted"


def test_cancelling_aborts_the_child(deployed: dict[str, TaskDetails], tmp_path: Path) -> None:
    run = finished(deployed["gives_up"], path=str(tmp_path / "never"))
    assert run.outputs() == ("cancelled",)
    _, child = listed(run)
    assert child.wait(quiet=True, timeout=60) == "aborted"


async def _child_of(run: Run) -> Action:
    """The first child that is running."""
    async with asyncio.timeout(60):
        while True:
            for action in [a async for a in Action.listall(run.name, project="flows", client=run.client)]:
                if not action.is_root and await action.wait.aio(wait_for="running", quiet=True) == "running":
                    return action
            await asyncio.sleep(0.02)


async def test_an_aborted_child_raises_in_its_parent(deployed: dict[str, TaskDetails], tmp_path: Path) -> None:
    run = await flyte.run.aio(deployed["waits"], path=str(tmp_path / "never"))
    child = await _child_of(run)
    assert await child.abort.aio(reason="from outside")
    assert await run.wait.aio(quiet=True, timeout=60) == "failed"
    with pytest.raises(flyte.errors.RuntimeUserError, match=rf"Child {child.name} .* was aborted: from outside"):
        await run.raise_for_status.aio()


async def test_aborting_the_parent_aborts_its_children(deployed: dict[str, TaskDetails], tmp_path: Path) -> None:
    run = await flyte.run.aio(deployed["waits"], path=str(tmp_path / "never"))
    child = await _child_of(run)
    await run.abort.aio()
    assert await child.wait.aio(quiet=True, timeout=60) == "aborted"


async def test_killing_the_parents_process_aborts_its_children(
    deployed: dict[str, TaskDetails], tmp_path: Path
) -> None:
    run = await flyte.run.aio(deployed["dies"], path=str(tmp_path / "never"))
    child = await _child_of(run)
    (tmp_path / "never.now").touch()
    assert await run.wait.aio(quiet=True, timeout=60) == "failed"
    assert await child.wait.aio(quiet=True, timeout=60) == "aborted"


def test_a_second_attempt_finds_its_children(deployed: dict[str, TaskDetails], tmp_path: Path) -> None:
    task = deployed["second_attempt"].override(retries=1)
    run = finished(task, path=str(tmp_path / "marker"))
    assert run.outputs() == (42,)
    assert run.details().attempts == 2
    assert len(listed(run)) == 2, "the call of the second attempt is the child of the first"


def test_marked_functions_stay_functions() -> None:
    assert flows.multiply(3) == 6 and flows.multiply(x=3, y=3) == 9
    assert flows.multiply.__name__ == "multiply" and flows.multiply.__doc__ == "Multiply two numbers."
    with pytest.raises(TypeError, match="decorates a function, not type"):
        flyte.task(int)
    with pytest.raises(TypeError, match="takes text"), flyte.custom_context(n=1):  # type: ignore[arg-type]
        pass


def test_map_outside_a_task(deployed: dict[str, TaskDetails]) -> None:
    with pytest.raises(flyte.errors.RemoteTaskUsageError, match="only from within another task"):
        flyte.map(deployed["multiply"], [1, 2])
    with pytest.raises(TypeError, match="map takes a deployed task"):
        flyte.map(flows.multiply, [1, 2])  # type: ignore[arg-type]
