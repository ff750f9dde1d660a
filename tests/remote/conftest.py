"""A devbox for the whole module of tests, and helpers to fill it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.remote import Run, TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.sync.decorators import blocking_function
from support.transport_modes import MODE, transport_of

from . import tasks


@pytest.fixture(scope="session", autouse=True)
def transport() -> Iterator[None]:
    """The transport that the environment names, for all tests of this folder."""
    with transport_of(MODE):
        yield


@pytest.fixture
def box(flyte_devbox: Devbox) -> Devbox:
    """The devbox, connected to project flytesnacks, domain development."""
    return flyte_devbox


@pytest.fixture
def project(box: Devbox) -> Iterator[str]:
    """A project of the test's own, which is the default client's."""
    name = f"p{uuid.uuid4().hex[:12]}"
    flyte.remote.Project.create(name, name)
    before = flyte.current_client()
    with flyte.use_client(box.connect(project=name, domain="development")):
        yield name
    from flyte_api.registry import registry

    registry.set_default(before)


@pytest.fixture
def multiply(box: Devbox) -> TaskDetails:
    """A deployed task that multiplies."""
    return flyte.devbox.deploy(tasks.multiply)


@blocking_function
async def start_named(task: TaskDetails, name: str, **inputs: Any) -> Run:
    """Start a run under a name of the test's choice."""
    from flyte.types import inputs_to_literals

    scope = task.client.scope()
    literals = inputs_to_literals(task.typed_interface, inputs, task.spec.default_inputs)
    request = CreateRunRequest(
        run_id=RunIdentifier(project=scope.project, domain=scope.domain, name=name),
        task_id=task.pb2.task_id,
        inputs=Inputs(literals=literals),
    )
    reply = await unary(task.client, RunService.CREATE_RUN, request)
    return Run(reply.run or RunMessage(), task.client)


Deploy = Callable[..., TaskDetails]
