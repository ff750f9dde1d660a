from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from support.echo import EchoServer

from flyte.runtime.client import Client
from flyte.runtime.retry import Backoff
from flyte.runtime.server import RunningServer, serve

AT_ONCE = Backoff(attempts=4, first=0.0, longest=0.0)
"""Retries without delays."""


@pytest.fixture
async def echo() -> EchoServer:
    return EchoServer()


@pytest.fixture
async def server(echo: EchoServer) -> AsyncGenerator[RunningServer, None]:
    async with await serve([echo]) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncGenerator[Client, None]:
    async with Client(server.endpoint, timeout=20, retry=AT_ONCE) as made:
        yield made
