"""Forms that runs are started with, as the server makes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from flyte.devbox import Devbox
from flyte.errors import InvalidArgumentError, UnimplementedError
from flyte.remote import TaskDetails
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.translator import Translator, integer


@pytest.fixture
async def task() -> AsyncGenerator[TaskDetails]:
    whole = Variable(type=LiteralType(simple=SimpleType.INTEGER))
    variables = [VariableEntry(key=key, value=whole) for key in ("x", "y")]
    interface = TypedInterface(inputs=VariableMap(variables=variables))
    spec = TaskSpec(task_template=TaskTemplate(interface=interface))
    async with await serve([Translator()]) as server, Client(server.endpoint, timeout=20) as client:
        yield TaskDetails(TaskDetailsMessage(spec=spec), client)


async def test_an_empty_form(task: TaskDetails) -> None:
    form = await task.launch_form.aio()
    assert form == {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}


async def test_a_form_that_is_filled_in_and_read_again(task: TaskDetails) -> None:
    form = await task.launch_form.aio({"x": 3, "y": 4})
    assert form["properties"]["x"] == {"type": "integer", "default": 3}
    assert await TaskDetails.literals_of_form.aio(form, client=task.client) == [integer("x", 3), integer("y", 4)]


async def test_values_that_the_server_translates(task: TaskDetails) -> None:
    assert await task.literals_of.aio({"y": 5}) == [integer("y", 5)]
    with pytest.raises(InvalidArgumentError, match="there is no input z"):
        await task.literals_of.aio({"z": 5})
    with pytest.raises(TypeError, match="values takes a mapping, not list"):
        await task.literals_of.aio(["x"])  # type: ignore[arg-type]  # which is the point


async def test_a_server_that_translates_nothing(task: TaskDetails) -> None:
    async with await serve([]) as server, Client(server.endpoint, timeout=20) as client:
        with pytest.raises(UnimplementedError, match="TaskSpecToLaunchFormJson"):
            await TaskDetails(task.pb2, client).launch_form.aio()


def test_the_form_of_a_task_of_the_devbox(box: Devbox, multiply: TaskDetails) -> None:
    form = multiply.launch_form()
    assert form["required"] == list(multiply.interface.inputs)
    values = dict.fromkeys(form["properties"], 2)
    assert TaskDetails.literals_of_form(multiply.launch_form(values), client=multiply.client) == multiply.literals_of(
        values
    )
