"""The cache as tasks use it: hits, ignored inputs, and actions that wait for each other."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

import flyte.devbox
from devbox.caching.test_service import get, putting, release, reserve
from devbox.calls import Calls, inputs, integer, interface, shell, variables
from devbox.execution.test_execution import phase_of, phases_of
from flyte.devbox import clock
from flyte_api.messages.flyteidl2.actions.actions_service import Action, EnqueueRequest
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.core.literals import RetryStrategy, TimeoutStrategy
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata
from flyte_api.messages.flyteidl2.core.types import SimpleType
from flyte_api.messages.flyteidl2.task.run import CacheConfig, RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, TaskAction
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.wrappers import StringValue
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_api.services.flyteidl2.cacheservice.v2.cache_service import CacheService

COPY = 'cp "$FLYTE_INPUT_PATH" "$FLYTE_OUTPUT_PATH/outputs.pb"'
FIRST, SECOND, THIRD = "first", "second", "third"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A named pipe: a task that reads it waits until the test writes."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


async def open_gate(gate: Path, line: str = "go") -> None:
    await asyncio.to_thread(gate.write_text, f"{line}\n")


def task(script: str, **metadata: object) -> TaskSpec:
    """A cached task of which one action runs at a time."""
    kind = TaskMetadata(discoverable=True, discovery_version="1", **{"cache_serializable": True, **metadata})  # type: ignore[arg-type]
    made = shell(script, kind)
    assert made.task_template is not None
    made.task_template.interface = interface(variables(x=SimpleType.INTEGER), variables(x=SimpleType.INTEGER))
    return made


def status_of(details: ActionDetails) -> CatalogCacheStatus:
    """The cache status, which the action and its last attempt both have."""
    assert details.status is not None
    assert details.attempts[-1].cache_status == details.status.cache_status
    return details.status.cache_status


async def test_the_second_action_waits_for_the_outputs_of_the_first(calls: Calls, tmp_path: Path, gate: Path) -> None:
    spec = task(f"echo x >> {tmp_path}/runs; cat {gate}; {COPY}")
    x = inputs(x=integer(1))
    await calls.create(spec, FIRST, inputs=x)
    await calls.until(calls.action_id(FIRST), ActionPhase.RUNNING)
    for name in (SECOND, THIRD):
        await calls.create(spec, name, inputs=x)
        waiting = await calls.until(calls.action_id(name), ActionPhase.WAITING_FOR_RESOURCES)
        [event] = waiting.attempts[0].cluster_events
        assert event.message == f"{calls.project}/development/{FIRST}/a0 is computing the same outputs"
    await open_gate(gate)
    first, second, third = [await calls.ended(calls.action_id(name)) for name in (FIRST, SECOND, THIRD)]
    assert status_of(first) == CatalogCacheStatus.CACHE_POPULATED
    assert status_of(second) == status_of(third) == CatalogCacheStatus.CACHE_HIT
    assert phases_of(second) == ["QUEUED", "WAITING_FOR_RESOURCES", "SUCCEEDED"]
    assert (await calls.data(calls.action_id(SECOND))).outputs == (await calls.data(calls.action_id(FIRST))).outputs
    assert (tmp_path / "runs").read_text() == "x\n"


async def test_after_a_failure_the_next_action_runs(calls: Calls, gate: Path) -> None:
    spec = task(f'read line < {gate}; [ "$line" = go ] && {COPY}')
    x = inputs(x=integer(1))
    await calls.create(spec, FIRST, inputs=x)
    await calls.until(calls.action_id(FIRST), ActionPhase.RUNNING)
    await calls.create(spec, SECOND, inputs=x)
    await calls.until(calls.action_id(SECOND), ActionPhase.WAITING_FOR_RESOURCES)
    await open_gate(gate, "fail")
    assert phase_of(await calls.ended(calls.action_id(FIRST))) == ActionPhase.FAILED
    await calls.until(calls.action_id(SECOND), ActionPhase.RUNNING)
    await open_gate(gate)
    assert status_of(await calls.ended(calls.action_id(SECOND))) == CatalogCacheStatus.CACHE_POPULATED


async def test_a_waiting_action_can_be_aborted(calls: Calls, gate: Path) -> None:
    spec = task(f"cat {gate}; {COPY}")
    x = inputs(x=integer(1))
    await calls.create(spec, FIRST, inputs=x)
    await calls.until(calls.action_id(FIRST), ActionPhase.RUNNING)
    await calls.create(spec, SECOND, inputs=x)
    await calls.until(calls.action_id(SECOND), ActionPhase.WAITING_FOR_RESOURCES)
    await calls.abort(SECOND)
    assert phase_of(await calls.ended(calls.action_id(SECOND))) == ActionPhase.ABORTED
    await open_gate(gate)
    assert status_of(await calls.ended(calls.action_id(FIRST))) == CatalogCacheStatus.CACHE_POPULATED


async def test_other_inputs_and_other_tasks_do_not_wait(calls: Calls, gate: Path) -> None:
    spec = task(f'[ "$FLYTE_RUN_NAME" = {FIRST} ] && cat {gate}; {COPY}')
    await calls.create(spec, FIRST, inputs=inputs(x=integer(1)))
    await calls.until(calls.action_id(FIRST), ActionPhase.RUNNING)
    other = await calls.run(spec, inputs=inputs(x=integer(2)))
    assert status_of(other) == CatalogCacheStatus.CACHE_POPULATED and "WAITING_FOR_RESOURCES" not in phases_of(other)
    overwriting = RunSpec(cache_config=CacheConfig(overwrite_cache=True))
    again = await calls.run(spec, inputs=inputs(x=integer(1)), run_spec=overwriting)
    assert "WAITING_FOR_RESOURCES" not in phases_of(again)
    await open_gate(gate)
    await calls.ended(calls.action_id(FIRST))


async def test_ignored_inputs_do_not_count_for_waiting(calls: Calls, tmp_path: Path, gate: Path) -> None:
    spec = task(f"echo x >> {tmp_path}/runs; cat {gate}; {COPY}", cache_ignore_input_vars=["noise"])
    await calls.create(spec, FIRST, inputs=inputs(x=integer(1), noise=integer(1)))
    await calls.until(calls.action_id(FIRST), ActionPhase.RUNNING)
    await calls.create(spec, SECOND, inputs=inputs(x=integer(1), noise=integer(2)))
    await calls.until(calls.action_id(SECOND), ActionPhase.WAITING_FOR_RESOURCES)
    await open_gate(gate)
    assert status_of(await calls.ended(calls.action_id(SECOND))) == CatalogCacheStatus.CACHE_HIT
    assert (tmp_path / "runs").read_text() == "x\n"


async def test_waiting_counts_as_time_in_the_queue(calls: Calls, gate: Path) -> None:
    x = inputs(x=integer(1))
    await calls.create(task(f"cat {gate}; {COPY}"), FIRST, inputs=x)
    await calls.until(calls.action_id(FIRST), ActionPhase.RUNNING)
    timeout = TimeoutStrategy(queued_timeout=Duration(nanos=50_000_000))
    late = await calls.run(task(f"cat {gate}; {COPY}", timeouts=timeout), inputs=x)
    assert late.error_info is not None and late.error_info.code == "QUEUED_TIMEOUT_EXCEEDED"
    await open_gate(gate)
    await calls.ended(calls.action_id(FIRST))


async def test_attempts_show_what_the_cache_did(calls: Calls) -> None:
    retried = task(f'[ "$FLYTE_ATTEMPT" = 2 ] && {COPY}', retries=RetryStrategy(retries=1))
    details = await calls.run(retried, inputs=inputs(x=integer(1)))
    assert [attempt.cache_status for attempt in details.attempts] == [
        CatalogCacheStatus.CACHE_MISS,
        CatalogCacheStatus.CACHE_POPULATED,
    ]
    failed = await calls.run(task("exit 1"), inputs=inputs(x=integer(2)))
    assert status_of(failed) == CatalogCacheStatus.CACHE_MISS
    skipping = RunSpec(cache_config=CacheConfig(overwrite_cache=True))
    skipped = await calls.run(task("exit 1"), inputs=inputs(x=integer(2)), run_spec=skipping)
    assert status_of(skipped) == CatalogCacheStatus.CACHE_SKIPPED
    assert status_of(await calls.run(shell("true"))) == CatalogCacheStatus.CACHE_DISABLED


async def test_outputs_get_too_old(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = task(COPY, cache_max_age=Duration(seconds=3600))
    x = inputs(x=integer(1))
    assert status_of(await calls.run(spec, inputs=x)) == CatalogCacheStatus.CACHE_POPULATED
    assert status_of(await calls.run(spec, inputs=x)) == CatalogCacheStatus.CACHE_HIT
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 3601 * 1_000_000)
    assert status_of(await calls.run(spec, inputs=x)) == CatalogCacheStatus.CACHE_POPULATED


class TestSharing:
    """Callers of the service and tasks use the same keys. The key of a child is the one that its parent sends."""

    async def child(self, calls: Calls, spec: TaskSpec, run: str = "parent", name: str = "child") -> None:
        action = Action(
            action_id=calls.action_id(run, name),
            parent_action_name="a0",
            task=TaskAction(
                id=calls.task_id("env.t"), spec=calls.identify(spec, "env.t"), cache_key=StringValue(value="k")
            ),
        )
        await calls.unary(ActionsService.ENQUEUE, EnqueueRequest(action=action, run_spec=RunSpec()))

    async def parent(self, calls: Calls) -> None:
        await calls.create(shell("exec sleep 600"), "parent")
        await calls.until(calls.action_id("parent"), ActionPhase.RUNNING)

    async def test_a_reservation_holds_up_a_task_until_its_release(self, calls: Calls) -> None:
        await self.parent(calls)
        assert (await reserve(calls, "me", 10)).owner_id == "me"
        await self.child(calls, shell(": > $FLYTE_OUTPUT_PATH/outputs.pb", TaskMetadata(cache_serializable=True)))
        child = calls.action_id("parent", "child")
        await calls.until(child, ActionPhase.WAITING_FOR_RESOURCES)
        await release(calls, "me")
        assert status_of(await calls.ended(child)) == CatalogCacheStatus.CACHE_POPULATED
        assert (await get(calls)).output_uri.endswith("/outputs.pb")
        assert (await reserve(calls, "you", 10)).owner_id == "you"
        await calls.abort("parent")

    async def test_a_task_does_not_wait_for_its_parents(self, calls: Calls) -> None:
        await self.parent(calls)
        mine = f"{calls.project}/development/parent/a0"
        assert (await reserve(calls, mine, 10)).owner_id == mine
        await self.child(calls, shell(": > $FLYTE_OUTPUT_PATH/outputs.pb", TaskMetadata(cache_serializable=True)))
        details = await calls.ended(calls.action_id("parent", "child"))
        assert "WAITING_FOR_RESOURCES" not in phases_of(details)
        assert (await reserve(calls, "me", 10)).owner_id == mine
        await calls.abort("parent")

    async def test_a_reservation_that_expires_lets_the_task_run(self, calls: Calls) -> None:
        await self.parent(calls)
        await reserve(calls, "me", 0.2)
        await self.child(calls, shell(": > $FLYTE_OUTPUT_PATH/outputs.pb", TaskMetadata(cache_serializable=True)))
        details = await calls.ended(calls.action_id("parent", "child"))
        assert status_of(details) == CatalogCacheStatus.CACHE_POPULATED
        assert "WAITING_FOR_RESOURCES" in phases_of(details)
        await calls.abort("parent")

    async def test_a_running_task_holds_its_reservation(self, calls: Calls) -> None:
        await self.parent(calls)
        await self.child(calls, shell("exec sleep 600", TaskMetadata(cache_serializable=True)))
        await calls.until(calls.action_id("parent", "child"), ActionPhase.RUNNING)
        found = await reserve(calls, "me", 1)
        assert found.owner_id == f"{calls.project}/development/parent/child" and found.expires_at is not None
        await calls.abort("parent")
        await calls.ended(calls.action_id("parent", "child"))
        assert (await reserve(calls, "me", 1)).owner_id == "me"

    async def test_stored_outputs_are_used_if_they_can_be_read(self, calls: Calls, box: flyte.devbox.Devbox) -> None:
        await self.parent(calls)
        stored = box.dir / "blobs" / f"{calls.project}.pb"
        stored.write_bytes(b"")
        await calls.unary(CacheService.PUT, putting(calls, stored.as_uri()))
        await self.child(calls, shell("exit 1"))
        assert status_of(await calls.ended(calls.action_id("parent", "child"))) == CatalogCacheStatus.CACHE_HIT
        for name, uri, status in (
            ("bucket", "s3://bucket/outputs.pb", CatalogCacheStatus.CACHE_LOOKUP_FAILURE),
            ("directory", box.dir.as_uri(), CatalogCacheStatus.CACHE_LOOKUP_FAILURE),
            ("missing", f"{stored.as_uri()}.missing", CatalogCacheStatus.CACHE_MISS),
        ):
            await calls.unary(CacheService.PUT, putting(calls, uri, overwrite=True))
            await self.child(calls, shell("true"), name=name)
            details = await calls.ended(calls.action_id("parent", name))
            assert phase_of(details) == ActionPhase.SUCCEEDED
            assert status_of(details) == status
        await calls.abort("parent")
