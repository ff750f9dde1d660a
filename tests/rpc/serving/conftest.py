from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from flyte_rpc.serving.server import RunningServer
from support.connect_client import GoClient, go_client
from support.connect_server import build


@pytest.fixture(scope="session")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The connect-go client."""
    return build(tmp_path_factory.mktemp("connect_go_client"), "./client")


@pytest.fixture
async def go(go_program: Path, server: RunningServer) -> AsyncGenerator[GoClient, None]:
    """A connect-go client of the server."""
    async with go_client(go_program, server.endpoint) as client:
        yield client


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Generator[None]:
    """Fails the test if anything is logged as a warning or an error."""
    yield
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert logged == []
