"""Which address of a host is connected to, and what the server is told its name is."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports import dial
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from support.echo import Echo, Note
from support.peers import scripted, silent


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


async def test_a_mute_address_does_not_keep_the_next_one_from_being_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts the connection and sends nothing, like a load balancer without a server behind it."""
    async with silent() as mute, scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers):
        port = int(endpoint.rpartition(":")[2])
        mute_port = int(mute.rpartition(":")[2])
        attempt, attempts = dial._attempt, list[str]()

        async def addresses(where: object) -> list[str]:
            return ["mute", "127.0.0.1"]

        async def attempting(where: Endpoint, address: str, *rest: Any) -> Any:
            attempts.append(address)
            if address == "mute":
                return await attempt(where._replace(port=mute_port), "127.0.0.1", *rest)
            return await attempt(where, address, *rest)

        monkeypatch.setattr(dial, "_addresses", addresses)
        monkeypatch.setattr(dial, "_attempt", attempting)
        async with Client(f"http://example.test:{port}", timeout=20) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert attempts == ["mute", "127.0.0.1"]
        assert len(peers) == 1


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
