"""Tasks: lazy handles that fetch once, listings, definitions, overrides, and runs."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import flyte
from flyte import Backoff, Cache, Device, Resources, RetryStrategy, Secret, Timeout
from flyte.devbox import Devbox
from flyte.errors import (
    InlineIOMaxBytesBreached,
    NotFoundError,
    RemoteTaskNotFoundError,
    RemoteTaskUsageError,
    RuntimeUserError,
)
from flyte.remote import LazyEntity, Task, TaskDetails
from flyte_api.messages.flyteidl2.core.tasks import K8sPod, TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_rpc.calls.client import CallRecord, Client
from remote import tasks, values


@pytest.fixture
def calls(box: Devbox) -> Any:
    """The calls that the current client has made."""
    found: list[CallRecord] = []
    client = Client(box.endpoint, token=box.token, project="flytesnacks", domain="development", on_call=[found.append])
    with flyte.use_client(client), client:
        yield found


def test_nothing_is_fetched_before_it_is_needed(multiply: TaskDetails, calls: list[CallRecord]) -> None:
    lazy = Task.get(multiply.name, version=multiply.version)
    assert (lazy.name, lazy.version) == (multiply.name, multiply.version)
    assert "not fetched" in repr(lazy) and calls == []
    assert lazy.fetch() is lazy.fetch()
    assert [c.method for c in calls] == ["flyteidl2.task.TaskService/GetTaskDetails"]
    assert ", fetched" in repr(lazy)


def test_one_fetch_among_threads_and_loops(multiply: TaskDetails, calls: list[CallRecord]) -> None:
    lazy = Task.get(multiply.name, version=multiply.version)
    together = threading.Barrier(10)

    def fetch(number: int) -> TaskDetails:
        together.wait(30)
        return lazy.fetch() if number % 2 else asyncio.run(_fetch(lazy))

    client = flyte.current_client()

    def in_thread(number: int) -> TaskDetails:
        with flyte.use_client(client):
            return fetch(number)

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(in_thread, range(10)))
    assert all(details is found[0] for details in found)
    assert len(calls) == 1


async def _fetch(lazy: LazyEntity) -> TaskDetails:
    return await lazy.fetch.aio()


def test_a_failed_fetch_is_not_remembered(box: Devbox, calls: list[CallRecord]) -> None:
    lazy = Task.get("remote.tasks.later", version="v1")
    with pytest.raises(RemoteTaskNotFoundError, match=r"'remote\.tasks\.later' with version 'v1' in"):
        lazy.fetch()
    flyte.devbox.deploy(tasks.nothing, name="remote.tasks.later", version="v1")
    assert lazy.fetch().version == "v1"


def test_a_misspelt_name_with_a_version_is_suggested(multiply: TaskDetails) -> None:
    misspelt = multiply.name.replace("multiply", "mutliply")
    with pytest.raises(RemoteTaskNotFoundError, match=f"No task named '{misspelt}'.*Did you mean '{multiply.name}'"):
        Task.get(misspelt, version=multiply.version).fetch()
    with pytest.raises(RemoteTaskNotFoundError, match=f"no version 'v0'.*; its newest version is '{multiply.version}'"):
        flyte.run(Task.get(multiply.name, version="v0"), x=1)


def test_inputs_by_position(multiply: TaskDetails, calls: list[CallRecord]) -> None:
    for task in (multiply, Task.get(multiply.name, version=multiply.version)):
        for start in (flyte.run, flyte.with_runcontext(name="by-position").run):
            with pytest.raises(
                RemoteTaskUsageError, match=r"by name only, and 2 came .* flyte\.run\(task, x=\.\.\., y="
            ):
                start(task, 3, 4)  # type: ignore[arg-type]
    assert not any("CreateRun" in call.method for call in calls)


async def test_a_cancelled_fetch_leaves_the_others_alone(multiply: TaskDetails) -> None:
    lazy = Task.get(multiply.name, version=multiply.version)
    first, second = asyncio.create_task(_fetch(lazy)), asyncio.create_task(_fetch(lazy))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).name == multiply.name
    with pytest.raises(asyncio.CancelledError):
        await first


def test_versions_and_auto_version(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("a", "c", "b"):
        task = flyte.devbox.deploy(tasks.nothing, version=version)
    assert [v.version for v in Task.versions(task.name)] == ["b", "c", "a"], "the newest first"
    assert [v.version for v in Task.versions(task.name, sort_by="version", limit=2)] == ["a", "b"]
    assert Task.get(task.name, auto_version="latest").fetch().version == "b"
    with pytest.raises(RemoteTaskNotFoundError, match=r"No task named 'nope' in \S+/development\.$"):
        Task.get("nope", auto_version="latest").fetch()
    with pytest.raises(RemoteTaskNotFoundError, match=f"Did you mean '{task.name}'"):
        Task.get(f"{task.name}s", auto_version="latest").fetch()
    current = Task.get(task.name, auto_version="current")
    with pytest.raises(ValueError, match="does not run in a task"):
        current.fetch()
    monkeypatch.setenv("FLYTE_ACTION_NAME", "a0")
    monkeypatch.setenv("FLYTE_TASK_VERSION", "c")
    assert flyte.ctx() and current.fetch().version == "c"


def test_handles_from_details(multiply: TaskDetails) -> None:
    handle = TaskDetails.get(multiply.name, version=multiply.version)
    assert handle == Task.get(multiply.name, version=multiply.version)
    assert handle.fetch().task_id == multiply.task_id
    with pytest.raises(ValueError, match="either version= or auto_version="):
        TaskDetails.get(multiply.name)
    listed = Task.listall(by_task_name=multiply.name).first()
    assert listed is not None and listed.entrypoint is False


def test_the_old_name_of_encode_inputs(multiply: TaskDetails) -> None:
    with pytest.warns(DeprecationWarning, match="call encode_inputs") as caught:
        old = multiply.inputs({"x": 1})
    assert old == multiply.encode_inputs({"x": 1}) and caught[0].filename == __file__


def test_inputs_that_are_too_large(multiply: TaskDetails) -> None:
    small = multiply.override(max_inline_io_bytes=3)
    with pytest.raises(InlineIOMaxBytesBreached, match="the limit is 3") as caught:
        flyte.run(small, x=1)
    assert isinstance(caught.value, ValueError), "so that both forms of except work"


def test_a_missing_task_is_missing_in_every_sense(box: Devbox) -> None:
    with pytest.raises(RemoteTaskNotFoundError, match="No task named 'nope'") as caught:
        Task.get("nope", auto_version="latest").fetch()
    error = caught.value
    assert isinstance(error, NotFoundError) and isinstance(error, RuntimeUserError) and isinstance(error, LookupError)
    assert (error.code, error.kind, error.message) == ("RemoteTaskNotFoundError", "user", str(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_lazy_entities_can_be_pickled(multiply: TaskDetails) -> None:
    lazy = pickle.loads(pickle.dumps(Task.get(multiply.name, version=multiply.version)))
    assert lazy.fetch().name == multiply.name
    again = pickle.loads(pickle.dumps(lazy.override(retries=2)))
    assert again.fetch().retries == 2 and again.fetch().overridden


@pytest.mark.parametrize("kind", [TaskDetails, LazyEntity])
def test_pickles_leave_out_classes_made_for_interfaces(kind: type, box: Devbox) -> None:
    task = flyte.devbox.deploy(values.shift)
    lazy = Task.get(task.name, version=task.version)
    made = lazy.fetch().interface.inputs["point"][0]
    again = pickle.loads(pickle.dumps(lazy if kind is LazyEntity else lazy.fetch()))
    details = again.fetch() if isinstance(again, LazyEntity) else again
    assert details.pb2 == lazy.fetch().pb2
    assert details.interface.inputs["point"][0].__name__ == made.__name__


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_of_lazy_entities_keep_their_client(duplicate: Callable[[LazyEntity], LazyEntity], box: Devbox) -> None:
    client = flyte.current_client()
    multiply = flyte.devbox.deploy(tasks.multiply)
    lazy = Task.get(multiply.name, version=multiply.version, client=client)
    with flyte.Client("http://127.0.0.1:1", project="p", domain="d") as other, flyte.use_client(other):
        assert duplicate(lazy).fetch().client is client
    assert duplicate(lazy) == lazy and len({duplicate(lazy), lazy}) == 1
    assert lazy.override(retries=2) != lazy != Task.get(multiply.name, version="other")


def test_listing(project: str) -> None:
    flyte.devbox.deploy(tasks.multiply, environment="env")
    flyte.devbox.deploy(tasks.nothing, environment="myenv")
    flyte.devbox.deploy(tasks.nothing, name="env2.nothing")
    names = [t.name for t in Task.listall()]
    assert names == ["env2.nothing", "myenv.nothing", "env.multiply"], "one each, the newest first"
    assert [t.name for t in Task.listall(by_task_env="env")] == ["env.multiply"], "the beginning, not any part"
    assert [t.name for t in Task.listall(by_task_name="myenv.nothing")] == ["myenv.nothing"]
    assert [t.name for t in Task.listall(sort_by="name", limit=2)] == ["env.multiply", "env2.nothing"]
    assert next(iter(Task.listall(entrypoint=True, limit=1))).short_name
    (found,) = Task.listall(by_task_env="env")
    assert (found.project, found.domain, found.environment_name) == (project, "development", "env")
    assert found.short_description == "Multiply two numbers."


def test_details(multiply: TaskDetails) -> None:
    assert multiply.required_args == ("x",) and multiply.default_input_args == ("y",)
    assert str(multiply.interface) == "(x: int, y: int = ...) -> o0: int"
    assert multiply.url.endswith(f"/project/flytesnacks/tasks/{multiply.name}")
    assert multiply == Task.get(multiply.name, version=multiply.version).fetch()
    assert len({multiply, Task.get(multiply.name, version=multiply.version).fetch()}) == 1
    assert multiply.to_dict()["taskId"]["name"] == multiply.name


def test_the_interface_as_documentation(multiply: TaskDetails) -> None:
    assert str(inspect.signature(multiply)) == "(*, x: int, y: int = 2) -> int"
    assert multiply.json_schema == {
        "title": multiply.name,
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 2}},
        "required": ["x"],
        "additionalProperties": False,
    }
    shout = flyte.devbox.deploy(tasks.shout)
    assert str(inspect.signature(shout)) == "(*, words: list[str], times: int = 1) -> tuple[str, int]"
    assert shout.json_schema["properties"]["words"] == {"type": "array", "items": {"type": "string"}}
    evil = flyte.devbox.deploy(tasks.multiply, description="<script>alert(1)</script>")
    shown = evil._repr_html_()
    assert "&lt;script&gt;" in shown and "<script>" not in shown
    assert "<td>y</td><td>int</td><td>2</td>" in shown


# --- overrides, which need no server ---------------------------------------------------------------------------------


def _details(**template: Any) -> TaskDetails:
    spec = TaskSpec(task_template=TaskTemplate(**template))
    return TaskDetails(TaskDetailsMessage(task_id=TaskIdentifier(name="t", version="1"), spec=spec))


@pytest.fixture(params=["container", "pod"])
def plain(request: pytest.FixtureRequest) -> TaskDetails:
    """A task in a container of its own, and one whose container is inside a pod."""
    if request.param == "container":
        from flyte_api.messages.flyteidl2.core.tasks import Container

        return _details(container=Container(image="x"))
    pod = {"containers": [{"name": "side"}, {"name": "main", "resources": {"claims": [{"name": "c"}]}}]}
    return _details(k8s_pod=K8sPod(pod_spec=Struct.of(pod), primary_container_name="main"))


def _resources(task: TaskDetails) -> tuple[dict[str, str], dict[str, str]]:
    requests, limits = task.resources
    return {e.name.name: e.value for e in requests}, {e.name.name: e.value for e in limits}


def test_override_resources(plain: TaskDetails) -> None:
    sized = plain.override(resources=Resources(cpu=("500m", 1), memory="1Gi", disk="5Gi", gpu=2))
    assert _resources(sized) == (
        {"CPU": "500m", "MEMORY": "1Gi", "EPHEMERAL_STORAGE": "5Gi", "GPU": "2"},
        {"CPU": "1"},
    )
    assert _resources(plain) == ({}, {}), "the original stays as it is"
    more = sized.override(resources=Resources(memory=("2Gi", "4Gi"), gpu=0))
    assert _resources(more) == (
        {"CPU": "500m", "MEMORY": "2Gi", "EPHEMERAL_STORAGE": "5Gi"},
        {"CPU": "1", "MEMORY": "4Gi"},
    ), "what is not named stays"
    assert _resources(more.override(resources=None)) == ({}, {})
    extended = plain.override(resources=Resources(gpu="A100:2", shm="auto")).template.extended_resources
    assert extended is not None and extended.gpu_accelerator is not None and extended.shared_memory is not None
    assert extended.gpu_accelerator.device == "nvidia-tesla-a100"
    assert (extended.shared_memory.mount_path, extended.shared_memory.size_limit) == ("/dev/shm", "")
    odd = plain.override(resources=Resources(gpu=Device(1, "weird", device_class="AMD", partition="p")))
    accelerator = odd.template.extended_resources.gpu_accelerator  # type: ignore[union-attr]
    assert (accelerator.device, accelerator.partition_size, accelerator.device_class.name) == ("weird", "p", "AMD_GPU")  # type: ignore[union-attr]


def test_override_env_vars(plain: TaskDetails) -> None:
    one = plain.override(env_vars={"A": "1", "B": "2"})
    assert one.env_vars == {"A": "1", "B": "2"} and plain.env_vars == {}
    assert one.override(env_vars={"B": "3", "A": None}).env_vars == {"B": "3"}
    assert one.override(env_vars={}).env_vars == one.override(env_vars=None).env_vars == {}
    assert one.override(retries=1).env_vars == one.env_vars


def test_override_policies(plain: TaskDetails) -> None:
    def metadata(**changes: Any) -> Any:
        return plain.override(**changes).template.metadata

    assert metadata(retries=3).retries.retries == 3
    strategy = metadata(retries=RetryStrategy(2, Backoff(5, factor=2, cap=timedelta(minutes=1)))).retries
    assert (strategy.backoff.base.seconds, strategy.backoff.factor, strategy.backoff.cap.seconds) == (5, 2.0, 60)
    assert plain.override(retries=3).override(retries=0).retries == 0
    assert metadata(timeout=90).timeout.seconds == 90
    timeouts = metadata(timeout=Timeout(max_queued_time=5, deadline=timedelta(hours=1))).timeouts
    assert (timeouts.queued_timeout.seconds, timeouts.deadline.seconds) == (5, 3600)
    assert plain.override(timeout=90).override(timeout=None).template.metadata.timeout is None  # type: ignore[union-attr]
    assert metadata(interruptible=True).interruptible is True
    assert plain.override(cache=Cache("override", "v7", serialize=True, ignored_inputs="x")).cache == Cache(
        "override", "v7", serialize=True, ignored_inputs=("x",)
    )
    assert plain.override(cache=Cache("override", "v7")).override(cache="disable").cache == Cache("disable")
    secured = plain.override(
        secrets=["one", Secret("two", group="g", mount="/etc/flyte/secrets")], service_account="sa"
    )
    assert secured.secrets == ["one", "two"]
    context = secured.template.security_context
    assert context is not None and context.run_as is not None and context.run_as.k8s_service_account == "sa"
    assert [(s.env_var, s.mount_requirement.name) for s in context.secrets] == [("ONE", "ENV_VAR"), ("", "FILE")]
    assert secured.override(secrets=[]).secrets == secured.override(secrets=None).secrets == []
    named = plain.override(short_name="shorter", queue="fast", max_inline_io_bytes=10)
    assert (named.spec.short_name, named.queue, named.max_inline_io_bytes) == ("shorter", "fast", 10)
    assert named.override(retries=1).queue == "fast" and named.override(queue=None).queue is None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"retires": 1}, RemoteTaskUsageError, "no setting retires; did you mean retries"),
        ({"cache": "auto"}, ValueError, "can't be 'auto' for a deployed task"),
        ({"cache": "override"}, ValueError, "needs a version"),
        ({"cache": Cache("override")}, ValueError, "needs version_override"),
        ({"cache": "sometimes"}, ValueError, "sometimes"),
        ({"retries": -1}, ValueError, "0 to 10"),
        ({"retries": "3"}, TypeError, "whole number"),
        ({"timeout": -1}, ValueError, "negative"),
        ({"env_vars": ["A"]}, TypeError, "takes a mapping"),
        ({"env_vars": {"A": 1}}, TypeError, "text for names and values"),
        ({"resources": {"cpu": 1}}, TypeError, "takes a Resources"),
        ({"secrets": [1]}, TypeError, "names and Secrets"),
        ({"queue": 1}, TypeError, "takes a name"),
        ({"max_inline_io_bytes": -1}, ValueError, "negative"),
        ({"short_name": None}, TypeError, "takes text"),
    ],
)
def test_override_refuses(plain: TaskDetails, changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        plain.override(**changes)


def test_override_of_a_task_without_a_container() -> None:
    task = _details(type="sql")
    with pytest.raises(RemoteTaskUsageError, match="env_vars can't be overridden: the task of type 'sql'"):
        task.override(env_vars={"A": "1"})
    ambiguous = _details(k8s_pod=K8sPod(pod_spec=Struct.of({"containers": [{"name": "a"}, {"name": "b"}]})))
    with pytest.raises(RemoteTaskUsageError, match="primary"):
        ambiguous.override(resources=Resources(cpu=1))
    assert ambiguous.resources == ([], [])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"cpu": "lots"}, ValueError),
        ({"cpu": -1}, ValueError),
        ({"cpu": True}, TypeError),
        ({"memory": 512}, TypeError),
        ({"memory": ("1Gi", None)}, ValueError),
        ({"memory": ("1Gi", "2Gi", "3Gi")}, ValueError),
        ({"gpu": "A1000"}, ValueError),
        ({"gpu": "A100:0"}, ValueError),
        ({"gpu": -1}, ValueError),
        ({"shm": "some"}, ValueError),
    ],
)
def test_resources_refuse(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="Resources"):
        Resources(**arguments)


def test_retry_strategy_by_either_name() -> None:
    assert RetryStrategy(retries=3) == RetryStrategy(count=3) == RetryStrategy(3)
    assert RetryStrategy(count=3).retries == RetryStrategy(3).count == 3
    for wrong in ({}, {"retries": 1, "count": 1}):
        with pytest.raises(TypeError, match="takes exactly one of"):
            RetryStrategy(**wrong)


def test_overrides_reach_the_process(box: Devbox) -> None:
    task = flyte.devbox.deploy(tasks.environment)
    run = flyte.run(task.override(env_vars={"COLOUR": "blue"}), name="COLOUR")
    run.wait(quiet=True, timeout=60)
    assert run.outputs() == ("blue",)
    assert Task.get(task.name, version=task.version).fetch().env_vars == task.env_vars, "what is deployed is unchanged"
