from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Generator

import pytest

import flyte.devbox
from devbox.calls import Calls
from flyte_api.messages.flyteidl2.project.project_service import CreateProjectRequest, Project
from flyte_api.services.flyteidl2.project.project_service import ProjectService
from flyte_rpc.calls.client import Client


@pytest.fixture(scope="session")
def box() -> Generator[flyte.devbox.Devbox, None, None]:
    with flyte.devbox.start(memory=True, grace=2.0) as running:
        yield running


@pytest.fixture
async def calls(box: flyte.devbox.Devbox) -> AsyncGenerator[Calls, None]:
    """Calls to the shared devbox, in the test's own project."""
    async with Client(box.endpoint, token=box.token) as client:
        made = Calls(client, f"p{uuid.uuid4().hex[:10]}")
        project = Project(id=made.project, name=made.project)
        await made.unary(ProjectService.CREATE_PROJECT, CreateProjectRequest(project=project))
        yield made
