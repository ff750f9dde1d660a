"""The addresses of a host, and the `:authority` that the server receives."""

from __future__ import annotations

import asyncio
import socket

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.network import dial
from flyte_rpc.transports.transport import TransportName
from support.echo import Echo, Note
from support.peers import scripted


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        ("http://example.com", "example.com"),
        ("http://example.com:80", "example.com"),
        ("https://example.com", "example.com"),
        ("https://example.com:443", "example.com"),
        ("https://example.com:80", "example.com:80"),
        ("http://example.com:443", "example.com:443"),
        ("https://example.com:8443", "example.com:8443"),
        ("http://[::1]", "[::1]"),
        ("http://[::1]:8090", "[::1]:8090"),
    ],
)
def test_the_authority_omits_the_default_port(endpoint: str, authority: str) -> None:
    assert parse_endpoint(endpoint).authority == authority


async def test_the_authority_is_what_the_server_receives() -> None:
    async with scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers), Client(endpoint) as client:
        await unary(client, Echo.WRITE, Note())
        assert f"http://{peers[0].headers[0][':authority']}" == endpoint


@pytest.mark.parametrize("transport", ["grpc", "grpclib", "auto"])
async def test_a_mute_address_does_not_keep_the_next_one_from_being_tried(
    transport: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection and sends nothing, like a load balancer without a server behind it."""
    accepted = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read(-1)
        writer.close()

    async def addresses(where: object) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(dial, "_addresses", addresses)
    async with scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers):
        port = int(endpoint.rpartition(":")[2])
        server = await asyncio.start_server(mute, "127.0.0.2", port)
        async with server, Client(f"http://example.test:{port}", timeout=20, transport=transport) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert accepted.is_set() and len(peers) == 1


async def test_the_error_of_the_address_that_says_most(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def addresses(where: object) -> list[str]:
        return ["127.0.0.1", "127.0.0.2"]

    monkeypatch.setattr(dial, "_addresses", addresses)
    async with Client(f"http://example.test:{port}", timeout=20) as client:
        with pytest.raises(errors.EndpointError, match=r"nothing is listening on example\.test"):
            await unary(client, Echo.WRITE, Note())
