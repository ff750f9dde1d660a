from __future__ import annotations

import asyncio
import logging

import pytest

from flyte import errors
from flyte.errors import Status
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.calls.rpc import Rpc
from flyte_rpc.serving.server import RunningServer, serve
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note

AnyRpc = Rpc[Note, Note]


@pytest.mark.parametrize("rpc", [Echo.SAY, Echo.KEEP], ids=["read", "idempotent"])
async def test_what_is_safe_to_repeat_is_repeated(echo: EchoServer, client: Client, rpc: AnyRpc) -> None:
    echo.failures = [Status.UNAVAILABLE] * 3
    assert (await unary(client, rpc, Note(a=1))).a == 1
    assert len(echo.calls) == 4
    assert len({call.request_id for call in echo.calls}) == 1


def test_other_event_loops_are_refused_by_name() -> None:
    """As trio runs it: a coroutine with no loop of asyncio's around it."""
    call = unary(Client("http://127.0.0.1:1"), Echo.SAY, Note())
    with pytest.raises(errors.InitializationError, match="asyncio event loop, such as asyncio's own or uvloop"):
        call.send(None)


async def test_four_attempts_are_the_most(echo: EchoServer, client: Client) -> None:
    echo.failures = [Status.UNAVAILABLE] * 9
    with pytest.raises(errors.UnavailableError, match="4 attempts") as raised:
        await unary(client, Echo.SAY, Note())
    assert raised.value.attempts == len(echo.calls) == 4


async def test_a_write_is_never_repeated(echo: EchoServer, client: Client) -> None:
    echo.failures = [Status.UNAVAILABLE]
    with pytest.raises(errors.UnavailableError):
        await unary(client, Echo.WRITE, Note())
    assert len(echo.calls) == 1


@pytest.mark.parametrize(
    "status", [status for status in Status if status not in (Status.OK, Status.UNAVAILABLE)], ids=lambda s: s.name
)
async def test_other_failures_of_a_read_are_not_repeated(echo: EchoServer, client: Client, status: Status) -> None:
    echo.failures = [status]
    with pytest.raises(errors.RpcError, match="as you wish") as raised:
        await unary(client, Echo.SAY, Note())
    assert raised.value.status is status
    assert len(echo.calls) == 1


async def test_a_delay_that_would_pass_the_deadline_is_not_begun(echo: EchoServer, server: RunningServer) -> None:
    echo.failures = [Status.UNAVAILABLE]
    async with Client(server.endpoint, retry=Backoff(attempts=4, first=1000.0, longest=1000.0)) as client:
        with pytest.raises(errors.UnavailableError):
            await unary(client, Echo.SAY, Note())
    assert len(echo.calls) == 1


async def test_a_server_that_restarts_is_found_again(echo: EchoServer) -> None:
    async with await serve([echo]) as first, Client(first.endpoint, timeout=20, retry=AT_ONCE) as client:
        await unary(client, Echo.SAY, Note())
        await first.close()
        # It was there, so a refusal is worth repeating; it stays away, so that has an end.
        with pytest.raises(errors.EndpointError, match="nothing is listening") as raised:
            await unary(client, Echo.SAY, Note())
        assert raised.value.attempts == 4
        async with await serve([echo], port=first.port):
            assert (await unary(client, Echo.WRITE, Note(a=2))).a == 2


async def test_the_deadline_reaches_the_server_and_stops_its_handler(echo: EchoServer, client: Client) -> None:
    with pytest.raises(errors.DeadlineExceededError) as raised:
        await unary(client, Echo.SAY, Note(hang=True), timeout=0.05)
    assert "may have taken effect" in str(raised.value)
    await echo.cancelled.wait()
    deadline = echo.calls[0].deadline
    assert deadline is not None and 0 < deadline <= 0.05


async def test_the_client_has_a_default_deadline(echo: EchoServer, server: RunningServer) -> None:
    async with Client(server.endpoint) as client:
        await unary(client, Echo.SAY, Note())
    deadline = echo.calls[0].deadline
    assert deadline is not None and 50 < deadline <= 60


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_deadline_is_positive(client: Client, timeout: float) -> None:
    with pytest.raises(ValueError, match="positive number of seconds"):
        await unary(client, Echo.SAY, Note(), timeout=timeout)
    with pytest.raises(ValueError, match="positive number of seconds"):
        await anext(stream(client, Echo.COUNT, Note(to=1), timeout=timeout))


async def test_a_stream_has_a_deadline_when_it_is_given_one(echo: EchoServer, client: Client) -> None:
    replies = stream(client, Echo.COUNT, Note(to=1, hang=True), timeout=0.05)
    assert (await anext(replies)).n == 0
    with pytest.raises(errors.DeadlineExceededError):
        await anext(replies)
    await echo.cancelled.wait()
    assert [note.n async for note in stream(client, Echo.COUNT, Note(to=1))] == [0]
    assert echo.calls[-1].deadline is None


async def test_a_stream_is_not_repeated_and_keeps_what_came(echo: EchoServer, client: Client) -> None:
    seen = []
    with pytest.raises(errors.UnavailableError, match="after the last"):
        async for note in stream(client, Echo.COUNT, Note(to=2, status="UNAVAILABLE")):
            seen.append(note.n)
    assert seen == [0, 1]
    assert len(echo.calls) == 1


async def test_a_long_stream_arrives_in_order(client: Client) -> None:
    assert [note.n async for note in stream(client, Echo.COUNT, Note(to=5000))] == list(range(5000))


async def test_a_method_the_server_lacks(client: Client) -> None:
    with pytest.raises(errors.UnimplementedError, match=r"test\.Echo/Missing"):
        await unary(client, Echo.MISSING, Note())


async def test_headers_and_credentials(echo: EchoServer, server: RunningServer) -> None:
    tokens = iter(["first", "second"])
    async with Client(
        server.endpoint, token=lambda: next(tokens), metadata=[("x-team", "ml")], retry=AT_ONCE
    ) as client:
        echo.failures = [Status.UNAVAILABLE]
        await unary(client, Echo.SAY, Note())
    assert [call.metadata["authorization"] for call in echo.calls] == ["Bearer first", "Bearer second"]
    assert {call.metadata["x-team"] for call in echo.calls} == {"ml"}


async def test_a_token_that_the_server_repeats_is_taken_out(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Client(server.endpoint, token="hunter2-hunter2") as client:
        with pytest.raises(errors.UnauthenticatedError) as raised:
            await unary(client, Echo.SAY, Note(status="UNAUTHENTICATED", message="no such token: hunter2-hunter2"))
        assert "no such token: ***" in str(raised.value)
        assert "hunter2" not in repr(raised.value) + repr(client) + caplog.text
        assert "hunter2" not in repr(raised.value.args)


async def test_a_crash_of_the_server_does_not_tell_its_secrets(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(errors.InternalError) as raised:
        await unary(client, Echo.SAY, Note(crash=True))
    assert "/etc/shadow" not in str(raised.value)
    assert raised.value.request_id in caplog.text
    assert "/etc/shadow" in caplog.text


async def test_each_attempt_is_observed_and_logged(
    echo: EchoServer, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "flyte_rpc")
    records: list[CallRecord] = []
    async with Client(server.endpoint, retry=AT_ONCE, on_call=[records.append]) as client:
        echo.failures = [Status.UNAVAILABLE]
        await unary(client, Echo.SAY, Note())
        assert [note.n async for note in stream(client, Echo.COUNT, Note(to=1))] == [0]
    assert [(record.method, record.attempt, type(record.error)) for record in records] == [
        ("test.Echo/Say", 1, errors.UnavailableError),
        ("test.Echo/Say", 2, type(None)),
        ("test.Echo/Count", 1, type(None)),
    ]
    assert records[0].request_id == records[1].request_id != records[2].request_id
    assert all(record.seconds > 0 and record.endpoint == server.endpoint for record in records)
    logged = [record.getMessage() for record in caplog.records if record.name == "flyte_rpc.calls"]
    assert len(logged) == 3
    assert "UNAVAILABLE (as you wish)" in logged[0]
    assert records[0].request_id in logged[0]


async def test_cancelling_is_not_an_error_of_ours(echo: EchoServer, client: Client) -> None:
    task = asyncio.ensure_future(unary(client, Echo.SAY, Note(hang=True)))
    await echo.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await echo.cancelled.wait()


def test_delays_double_up_to_a_limit_and_vary() -> None:
    backoff = Backoff(attempts=9, first=1.0, longest=10.0)
    for failures, mean in ((1, 1.0), (2, 2.0), (3, 4.0)):
        delays = {backoff.delay(failures) for _ in range(50)}
        assert len(delays) > 1
        assert all(0.75 * mean <= delay <= 1.25 * mean for delay in delays)
    assert backoff.delay(10_000) == 10.0


@pytest.mark.parametrize("token", ["a", "Basic a", "e s c a"])
async def test_credentials_of_a_few_characters_do_not_mangle_messages(server: RunningServer, token: str) -> None:
    async with Client(server.endpoint, timeout=20, retry=AT_ONCE, token=token) as client:
        with pytest.raises(errors.InternalError) as raised:
            await unary(client, Echo.WRITE, Note(status="INTERNAL", message="a pear and an apple"))
    assert raised.value.message == "a pear and an apple"
