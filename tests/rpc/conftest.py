from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, serve
from support.echo import Echo, EchoServer, Note

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


async def failure(endpoint: str, error: type[errors.RpcError], *, rpc: object = Echo.WRITE, **settings: object) -> str:
    """What the error of a failing call says, after checking its class."""
    async with Client(endpoint, **{"timeout": 20, "retry": AT_ONCE, **settings}) as client:  # type: ignore[arg-type]
        with pytest.raises(error) as raised:
            await unary(client, rpc, Note(a=1))  # type: ignore[arg-type]
    assert type(raised.value) is error
    assert raised.value.endpoint == client.endpoint
    assert raised.value.request_id
    return str(raised.value)
