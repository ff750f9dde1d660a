"""gRPC servers that are not ours, and clients of every transport that speaks gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final, get_args

import pytest

from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.rpc import Cardinality, Effect, Rpc
from flyte_rpc.transports.transport import TransportName
from rpc.conftest import AT_ONCE
from support.echo import Note
from support.grpcio_server import GrpcioServer, grpcio_server

GRPC_TRANSPORTS: Final = [name for name in get_args(TransportName) if name not in ("auto", "connect")]

_STATS: Final[Rpc[Note, Note]] = Rpc(
    "/test.Echo/Stats", "support.echo:Note", "support.echo:Note", Cardinality.UNARY, Effect.READ
)


async def stats(server: GrpcioServer, **least: int) -> Note:
    """The counters of a server, as soon as they have reached at least these values. Over a connection of its own."""
    async with Client(server.endpoint, timeout=20, transport="grpc") as client:
        return await unary(client, _STATS, Note(**least))


@pytest.fixture(scope="session")
def shared_server() -> Iterator[GrpcioServer]:
    """A server with the settings that gRPC servers have by default."""
    with grpcio_server() as running:
        yield running


@pytest.fixture(params=GRPC_TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def client(transport: Any, shared_server: GrpcioServer) -> AsyncGenerator[Client, None]:
    async with Client(shared_server.endpoint, timeout=60, retry=AT_ONCE, transport=transport) as made:
        yield made
