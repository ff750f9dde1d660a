"""Python functions as tasks."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
import types
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import flyte.devbox
from devbox.calls import DEADLINE, Calls, inputs, integer, text
from devbox.sample import jobs
from flyte._client import use_client
from flyte.definitions.policies import Cache, RetryStrategy, Timeout
from flyte.definitions.resources import Resources
from flyte.devbox import DevboxError
from flyte.remote import TaskDetails
from flyte.types import literals_to_python
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, ErrorInfoKind
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve


@pytest.fixture
async def scoped(calls: Calls) -> AsyncGenerator[Calls, None]:
    """The calls' client as the current one, with the test's project."""
    client = Client(
        calls.client.endpoint, token=calls.client.settings.token, project=calls.project, domain="development"
    )
    async with client:
        with use_client(client):
            yield Calls(client, calls.project)


def identifier(task: TaskDetails) -> TaskIdentifier:
    assert task.pb2.task_id is not None
    return task.pb2.task_id


async def outcome(calls: Calls, task: TaskDetails, values: Inputs | None = None) -> ActionDetails:
    return await calls.run(identifier(task), inputs=values or Inputs())


async def result(calls: Calls, task: TaskDetails, values: Inputs | None = None) -> dict[str, Any]:
    details = await outcome(calls, task, values)
    assert details.status is not None and details.id is not None
    assert details.status.phase == ActionPhase.SUCCEEDED, details.error_info
    return dict(literals_to_python((await calls.data(details.id)).outputs.literals).values)


async def test_a_function_of_a_package(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.double)
    assert task.name == "devbox.sample.jobs.double"
    assert await result(scoped, task, inputs(number=integer(21))) == {"o0": 42}
    # The default is the server's business.
    assert await result(scoped, task) == {"o0": 8}


async def test_what_is_deployed(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.double, environment="env", project=scoped.project)
    assert task.pb2.metadata is not None and task.pb2.spec is not None and task.pb2.spec.documentation is not None
    assert task.name == "env.double"
    assert (task.pb2.metadata.short_name, task.pb2.metadata.environment_name) == ("double", "env")
    assert task.pb2.metadata.short_description == "Double a number."
    assert task.pb2.spec.documentation.long_description.endswith("Whatever it is.")
    named = await flyte.devbox.deploy.aio(jobs.double, "n", "v1", description="Other words")
    assert (named.name, named.version) == ("n", "v1")
    assert named.pb2.metadata is not None and named.pb2.metadata.short_description == "Other words"


async def test_versions_tell_sources_and_options_apart(scoped: Calls) -> None:
    async def version(function: Callable[..., Any] = jobs.double, **options: Any) -> str:
        return (await flyte.devbox.deploy.aio(function, "same-name", **options)).version

    first = await version()
    assert await version() == first
    others = [await version(retries=1), await version(env_vars={"A": "b"}), await version(jobs.nothing)]
    assert len({first, *others}) == 4


def test_without_a_loop(box: flyte.devbox.Devbox) -> None:
    with Client(box.endpoint, token=box.token, project="flytesnacks", domain="development") as client:
        task = flyte.devbox.deploy(jobs.nothing, client=client)
    assert task.name == "devbox.sample.jobs.nothing"


async def test_async_functions_and_several_results(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.pair)
    assert await result(scoped, task, inputs(number=integer(2))) == {"small": 2, "large": 3.0}


async def test_no_result(scoped: Calls) -> None:
    details = await outcome(scoped, await flyte.devbox.deploy.aio(jobs.nothing))
    assert details.id is not None
    assert await scoped.log(details.id) == ["nothing to return"]
    assert (await scoped.data(details.id)).outputs.literals == []


async def test_an_exception_is_told_with_its_traceback(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.fails)
    details = await outcome(scoped, task, inputs(number=integer(13)))
    error = details.error_info
    assert error is not None and details.id is not None
    assert (error.code, error.kind) == ("ValueError", ErrorInfoKind.USER)
    assert error.message.startswith("13 will not do\n")
    # The first frame is that of the function, not one of the machinery that calls it.
    traceback = error.message.partition("Traceback (most recent call last):\n")[2].splitlines()
    assert traceback[0].endswith("in fails") and traceback[-1] == "ValueError: 13 will not do"
    assert (await scoped.log(details.id))[-1] == "ValueError: 13 will not do"


async def test_errors_with_a_code_of_their_own(scoped: Calls) -> None:
    details = await outcome(scoped, await flyte.devbox.deploy.aio(jobs.fails_with_a_code))
    assert details.error_info is not None and details.error_info.code == "AGREED"
    assert "in fails_with_a_code" in details.error_info.message and "asyncio" not in details.error_info.message


async def test_exit_is_no_result(scoped: Calls) -> None:
    details = await outcome(scoped, await flyte.devbox.deploy.aio(jobs.leaves))
    assert details.error_info is not None and details.error_info.code == "SystemExit"
    assert "had enough" in details.error_info.message


async def test_exceptions_are_retried(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.succeeds_later, retries=RetryStrategy(3))
    assert await result(scoped, task) == {"o0": 2}


async def test_what_cannot_change_is_not_retried(scoped: Calls) -> None:
    wrong = await outcome(scoped, await flyte.devbox.deploy.aio(jobs.lies, retries=3))
    assert wrong.status is not None and wrong.status.attempts == 1
    assert wrong.error_info is not None and "the result cannot be used" in wrong.error_info.message
    missing = await outcome(scoped, await flyte.devbox.deploy.aio(jobs.fails, retries=3))
    assert missing.status is not None and missing.status.attempts == 1
    assert missing.error_info is not None and "number is missing" in missing.error_info.message


async def test_options(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(
        jobs.variable,
        env_vars={"COLOR": "red"},
        timeout=Timeout(max_runtime=5, deadline=timedelta(minutes=1)),
        resources=Resources(cpu=1, memory=("1Gi", "4Gi")),
    )
    assert await result(scoped, task, inputs(name=text("COLOR"))) == {"o0": "red"}
    assert task.pb2.spec is not None and task.pb2.spec.task_template is not None
    metadata, container = task.pb2.spec.task_template.metadata, task.pb2.spec.task_template.container
    assert metadata is not None and metadata.timeout is not None and metadata.timeouts is not None
    assert (metadata.timeout.seconds, metadata.timeouts.deadline) == (5, metadata.timeouts.deadline)
    assert container is not None and container.resources is not None
    assert [entry.value for entry in container.resources.limits] == ["4Gi"]


async def test_memory_limit_of_a_function(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.greedy, resources=Resources(memory=("100Mi", "512Mi")))
    details = await outcome(scoped, task)
    assert details.error_info is not None and details.error_info.code == "MemoryError"


async def test_cache_by_source(scoped: Calls) -> None:
    task = await flyte.devbox.deploy.aio(jobs.double, cache="auto")
    statuses: list[str] = []
    for number in (1, 1, 2):
        details = await outcome(scoped, task, inputs(number=integer(number)))
        assert details.status is not None
        statuses.append(details.status.cache_status.name)
    assert statuses == ["CACHE_POPULATED", "CACHE_HIT", "CACHE_POPULATED"]
    with pytest.raises(ValueError, match="version"):
        await flyte.devbox.deploy.aio(jobs.double, cache=Cache("override"))


async def test_an_edited_file_does_not_change_what_is_deployed(
    scoped: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside.py").write_text("WORD = 'old'\n")
    file = tmp_path / "edited_tasks.py"
    file.write_text("import beside\n\n\ndef word() -> str:\n    return beside.WORD + ' one'\n")
    module = importlib.import_module("edited_tasks")
    old = await flyte.devbox.deploy.aio(module.word)
    file.write_text("import beside\n\n\ndef word() -> str:\n    return beside.WORD + ' number two'\n")
    (tmp_path / "beside.py").write_text("WORD = 'changed'\n")
    new = await flyte.devbox.deploy.aio(importlib.reload(module).word)
    assert old.version != new.version
    # A neighbour that was imported is part of the snapshot too.
    assert await result(scoped, old) == {"o0": "old one"}
    assert await result(scoped, new) == {"o0": "changed number two"}


SCRIPT = """
import flyte.devbox
from flyte_rpc.sync import bridge

print("loaded as", __name__)


def greet(name: str) -> str:
    print("called")
    return f"hello {name}"


if __name__ == "__main__":
    import sys
    sys.path.insert(0, sys.argv[1])
    from devbox.calls import Calls, inputs, text

    async def main(client, task):
        calls = Calls(client, "flytesnacks")
        details = await calls.run(task.pb2.task_id, inputs=inputs(name=text("you")))
        data = await calls.data(details.id)
        print(task.name, data.outputs.literals[0].value.scalar.primitive.string_value)
        print(await calls.log(details.id))

    with flyte.devbox.start(memory=True) as box:
        client = box.connect()
        bridge.run(main(client, flyte.devbox.deploy(greet)))
"""


@pytest.mark.parametrize("start", ["path", "module"])
def test_functions_of_the_program_itself(tmp_path: Path, start: str) -> None:
    """A script's guard is honoured: the task's process does not start another devbox."""
    name = "my-script" if start == "path" else "my_module"
    (tmp_path / f"{name}.py").write_text(SCRIPT)
    how = [f"{name}.py"] if start == "path" else ["-m", name]
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, *how, tests]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    loaded, called, log = done.stdout.splitlines()
    assert loaded == "loaded as __main__"
    assert called == f"{name}.greet hello you"
    assert log == f"['loaded as {'__flyte_main__' if start == 'path' else name}', 'called']"


def of_no_file() -> None:
    """Stands for a function of a notebook."""


@functools.cache
def decorated() -> None:
    """Is not a function any more."""


def replaced() -> None:
    """Is not what its name stands for."""


original, replaced = replaced, lambda: None  # type: ignore[assignment]


def refused() -> dict[str, tuple[Callable[..., Any], str]]:
    def closure() -> None:
        """Of a function."""

    notebook = types.FunctionType(of_no_file.__code__, globals(), "of_no_file")
    notebook.__module__ = "no_such_module"
    return {
        "lambda": (lambda: None, "lambda"),
        "closure": (closure, "inside a function"),
        "notebook": (notebook, "not read from a file"),
        "decorated": (decorated, "takes a function"),
        "replaced": (original, "not this function"),
        "class": (Path, "takes a function"),
        "unannotated": (jobs.unannotated, "annotation"),
    }


@pytest.mark.parametrize("name", list(refused()))
def test_functions_that_a_worker_could_not_find(name: str) -> None:
    function, words = refused()[name]
    with Client("http://127.0.0.1:1", project="p", domain="d") as client, pytest.raises(TypeError, match=words):
        flyte.devbox.deploy(function, client=client)


def test_misspelt_options() -> None:
    deploy: Any = flyte.devbox.deploy
    with pytest.raises(TypeError, match="no option 'retry'; did you mean 'retries'"):
        deploy(jobs.double, retry=3)
    with pytest.raises(TypeError, match="the options are function, name, version"):
        deploy(jobs.double, xyz=3)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retries": 11}, ValueError),
        ({"retries": "3"}, TypeError),
        ({"timeout": -1}, ValueError),
        ({"env_vars": {"A": 1}}, TypeError),
        ({"cache": "always"}, ValueError),
        ({"secrets": [5]}, TypeError),
    ],
)
def test_bad_options_fail_before_any_call(options: dict[str, Any], error: type[Exception]) -> None:
    with Client("http://127.0.0.1:1", project="p", domain="d") as client, pytest.raises(error):
        flyte.devbox.deploy(jobs.double, client=client, **options)


class Cluster(DataProxyServiceBase):
    """A control plane that stores files elsewhere."""

    async def create_upload_location(
        self, request: CreateUploadLocationRequest, call: ServerCall
    ) -> CreateUploadLocationResponse:
        return CreateUploadLocationResponse(signed_url="https://bucket.invalid/x", native_url="s3://bucket/x")


async def test_deploying_to_something_else() -> None:
    async with await serve([Cluster()]) as server, Client(server.endpoint, project="p", domain="d") as client:
        with pytest.raises(DevboxError, match="is not a devbox"):
            await flyte.devbox.deploy.aio(jobs.double, client=client)
