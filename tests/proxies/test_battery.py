"""The same calls through every proxy: sizes, errors, streams, load, deadlines, and what breaks behind the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, serve
from proxies.conftest import CONFIGURATIONS, Start, listening
from support.echo import Echo, EchoServer, Note
from support.peers import Peer, scripted

PROXIES = list(CONFIGURATIONS)


async def test_small_calls(client: Client) -> None:
    for n in range(50):
        assert (await unary(client, Echo.WRITE, Note(n=n))).n == n


@pytest.mark.parametrize("megabytes", [1, 20])
async def test_large_requests_and_replies(client: Client, megabytes: int) -> None:
    text = "x" * (megabytes * 2**20)
    assert (await unary(client, Echo.WRITE, Note(big=text))).big == text


async def test_errors_of_the_server(client: Client) -> None:
    with pytest.raises(errors.NotFoundError, match="no such note"):
        await unary(client, Echo.SAY, Note(status="NOT_FOUND", message="no such note"))
    with pytest.raises(errors.UnimplementedError):
        await unary(client, Echo.MISSING, Note())


async def test_a_long_stream(client: Client) -> None:
    seen = [note.n async for note in stream(client, Echo.COUNT, Note(to=20_000))]
    assert seen == list(range(20_000))


async def test_an_error_at_the_end_of_a_stream(client: Client) -> None:
    seen = []
    with pytest.raises(errors.ResourceExhaustedError):
        async for note in stream(client, Echo.COUNT, Note(to=3, status="RESOURCE_EXHAUSTED")):
            seen.append(note.n)
    assert seen == [0, 1, 2]


async def test_a_thousand_calls_at_once(client: Client, echo: EchoServer) -> None:
    replies = await asyncio.gather(*(unary(client, Echo.WRITE, Note(n=n)) for n in range(1000)))
    assert [reply.n for reply in replies] == list(range(1000))
    assert len(echo.calls) == 1000, "each was carried out once"


@pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
async def test_deadlines_are_called_deadlines(client: Client, rpc: object, calls: list[CallRecord]) -> None:
    await unary(client, Echo.SAY, Note())
    calls.clear()

    async def late() -> errors.RpcError:
        with pytest.raises(errors.RpcError) as raised:
            await unary(client, rpc, Note(hang=True), timeout=0.2)  # type: ignore[arg-type]
        return raised.value

    failures = await asyncio.gather(*(late() for _ in range(20)))
    assert {type(failure) for failure in failures} == {errors.DeadlineExceededError}
    assert len(calls) == 20


async def test_many_watches_beside_calls(client: Client) -> None:
    watches = [stream(client, Echo.COUNT, Note(to=1, hang=True)) for _ in range(250)]
    await asyncio.gather(*(anext(watch) for watch in watches))
    replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(n=n), timeout=20) for n in range(250)))
    assert len(replies) == 250
    for watch in watches:
        await watch.aclose()


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
async def test_a_write_is_carried_out_once_when_the_server_breaks_behind_the_proxy(
    proxy: str, how: str, start: Start
) -> None:
    """The proxy has forwarded the request when its own connection breaks; HAProxy then answers REFUSED_STREAM."""
    carried_out: list[int] = []

    def script(peer: Peer, at: int) -> None:
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
            assert len(carried_out) == 1 + 4, "a read is tried four times"


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


@pytest.mark.parametrize("proxy", PROXIES)
async def test_an_idle_stream_is_cut_by_the_proxy_and_says_so(proxy: str, start: Start, server: RunningServer) -> None:
    endpoint = start(proxy, server.port, idle=1)
    await listening(endpoint)
    async with Client(endpoint, timeout=20) as client:
        replies = stream(client, Echo.COUNT, Note(to=1, hang=True))
        assert (await anext(replies)).n == 0
        with pytest.raises((errors.UnavailableError, errors.RpcCancelledError, errors.DeadlineExceededError)):
            await anext(replies)


async def test_a_reload_under_load_loses_no_read(
    start: Start, server: RunningServer, reload: Callable[[], None]
) -> None:
    endpoint = start("nginx", server.port)
    await listening(endpoint)
    async with Client(endpoint, timeout=60) as client:

        async def reads() -> int:
            for n in range(100):
                assert (await unary(client, Echo.SAY, Note(n=n))).n == n
            return 100

        readers = [asyncio.ensure_future(reads()) for _ in range(10)]
        for _ in range(3):
            await asyncio.sleep(0.05)
            reload()
        assert sum(await asyncio.gather(*readers)) == 1000
