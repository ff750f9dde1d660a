"""What proxies and servers do to connections: reloads, limits, idle times, ages, and servers that break behind a proxy."""

from __future__ import annotations

import asyncio

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, serve
from flyte_rpc.transports.grpc import GrpcTransport
from support.echo import Echo, EchoServer, Note
from support.peers import Peer as ScriptedPeer
from support.peers import scripted

from . import programs
from .configurations import Running
from .conftest import CONNECT, PROXIES, SERVERS, Peer, Start, counted, listening


@pytest.mark.parametrize("proxy", PROXIES)
async def test_an_idle_stream_is_cut_and_says_so(proxy: str, start: Start, server: RunningServer) -> None:
    endpoint = start(proxy, server.port, idle=1)
    await listening(endpoint)
    async with Client(endpoint, timeout=20) as client:
        replies = stream(client, Echo.COUNT, Note(to=1, hang=True))
        assert (await anext(replies)).n == 0
        with pytest.raises((errors.UnavailableError, errors.RpcCancelledError, errors.DeadlineExceededError)):
            async with asyncio.timeout(20):
                await anext(replies)
        assert (await unary(client, Echo.SAY, Note(n=1))).n == 1


@pytest.mark.parametrize("peer", [*PROXIES, *CONNECT], indirect=True)
async def test_a_reload_under_load_loses_no_read(peer: Peer, client: Client, proxies: dict[str, Running]) -> None:
    if peer.name == "caddy" and programs.version("caddy").startswith("2.6."):
        pytest.skip("Caddy 2.6 panics when it is reloaded while it passes gRPC on")
    (proxy,) = proxies.values()
    done = 0

    async def reads() -> None:
        nonlocal done
        while done < 1500:
            assert (await unary(client, Echo.SAY, Note(n=7))).n == 7
            done += 1
            if done in (100, 400, 700):
                await asyncio.to_thread(proxy.reload)

    async with asyncio.timeout(60):
        await asyncio.gather(*(reads() for _ in range(10)))


@pytest.mark.parametrize("name", SERVERS)
async def test_an_idle_connection_that_the_server_closes(name: str, start_server: Start) -> None:
    endpoint = start_server(name, idle=0.3)
    async with Client(endpoint, timeout=20, transport="grpc") as client, asyncio.timeout(30):
        for n in range(1, 4):
            assert (await unary(client, Echo.WRITE, Note(n=n))).n == n
            transport = client.transport()
            assert isinstance(transport, GrpcTransport)
            await transport._connections._open[-1].closed
        assert await counted(endpoint, "grpc") == 3


@pytest.mark.parametrize("name", SERVERS)
async def test_connections_of_limited_age_lose_no_write(name: str, start_server: Start) -> None:
    endpoint = start_server(name, age=0.2)
    async with Client(endpoint, timeout=60) as client:
        loop = asyncio.get_running_loop()
        end, written = loop.time() + 2, 0

        async def writes() -> None:
            nonlocal written
            while loop.time() < end or written < 500:
                written += 1
                assert (await unary(client, Echo.WRITE, Note(n=written))).n > 0

        await asyncio.gather(*(writes() for _ in range(20)))
    assert await counted(endpoint, "grpc") == written, "each was carried out once"


async def test_a_limit_of_requests_per_connection_loses_no_call(
    start: Start, server: RunningServer, echo: EchoServer
) -> None:
    endpoint = start("nginx", server.port, requests=100)
    await listening(endpoint)
    async with Client(endpoint, timeout=60) as client:
        for rpc in (Echo.SAY, Echo.WRITE):
            echo.calls.clear()
            replies = await asyncio.gather(*(unary(client, rpc, Note(n=n)) for n in range(1000)))
            assert [reply.n for reply in replies] == list(range(1000))
            assert len(echo.calls) == 1000, "each was carried out once"


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_write_happens_once_when_the_server_breaks(proxy: str, how: str, start: Start) -> None:
    """The proxy has forwarded the request when its own connection breaks; HAProxy then answers REFUSED_STREAM."""
    carried_out: list[int] = []

    def script(peer: ScriptedPeer, at: int) -> None:
        carried_out.append(at)
        if how == "close":
            peer.transport.close()
        else:
            peer.transport.abort()

    async with scripted(script) as (backend, _):
        endpoint = start(proxy, int(backend.rpartition(":")[2]))
        await listening(endpoint)
        async with Client(endpoint, timeout=20, retry=Backoff(4, 0.01, 0.1)) as client:
            with pytest.raises(errors.UnavailableError):
                await unary(client, Echo.WRITE, Note())
            assert len(carried_out) == 1
            with pytest.raises(errors.UnavailableError):
                await unary(client, Echo.SAY, Note())
            assert len(carried_out) in (1 + 4, 1 + 5), (
                "a read is tried four times; a first REFUSED_STREAM does not count"
            )


@pytest.mark.parametrize("proxy", PROXIES)
async def test_a_server_that_is_down_and_comes_back(proxy: str, start: Start, echo: EchoServer) -> None:
    async with await serve([echo]) as first:
        endpoint = start(proxy, first.port)
        await listening(endpoint)
        async with Client(endpoint, timeout=20, retry=Backoff(2, 0.01, 0.1)) as client:
            await unary(client, Echo.SAY, Note())
            await first.close()
            with pytest.raises(errors.UnavailableError):
                await unary(client, Echo.SAY, Note())
            async with await serve([echo], port=first.port):
                async with asyncio.timeout(30):
                    while True:  # nginx leaves a failed server alone for ten seconds
                        try:
                            assert (await unary(client, Echo.SAY, Note(n=2))).n == 2
                        except errors.UnavailableError:
                            await asyncio.sleep(0.2)
                        else:
                            break
