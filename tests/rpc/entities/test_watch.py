from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import SUBSCRIPTIONS, Backoff
from flyte_rpc.entities.watch import Watch
from flyte_rpc.serving.server import serve
from support.echo import Echo, EchoServer, Note

EXACT = Backoff(attempts=6, first=0.5, longest=10.0)
Step = int | Exception | None
"""An item, a failure, or None for a clean end of the stream."""


class Script:
    """Streams that go as written: each list is one subscription. Delays are noted, not waited for."""

    def __init__(self, *subscriptions: list[Step]) -> None:
        self.subscriptions = list(subscriptions)
        self.opened = 0
        self.closed = 0
        self.delays: list[float] = []
        self.hanging = threading.Event()

    async def subscribe(self) -> AsyncGenerator[int, None]:
        self.opened += 1
        steps = self.subscriptions.pop(0) if self.subscriptions else ["hang"]
        try:
            for step in steps:
                if isinstance(step, Exception):
                    raise step
                if step == "hang":
                    self.hanging.set()
                    await asyncio.Event().wait()
                if isinstance(step, int):
                    yield step
        finally:
            self.closed += 1

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        await asyncio.sleep(0)

    def watch(self, *, final: int | None = None, **settings: Any) -> Watch[int]:
        return Watch(self.subscribe, is_final=lambda n: n == final, sleep=self.sleep, **settings)


def near(delays: list[float], expected: list[float]) -> bool:
    return len(delays) == len(expected) and all(
        0.75 * mean <= delay <= min(1.25 * mean, 10.0) for delay, mean in zip(delays, expected, strict=True)
    )


async def collect(watch: Watch[int]) -> list[int]:
    return [item async for item in watch]


WAYS: list[Callable[[Watch[int]], list[int]]] = [list, lambda watch: asyncio.run(collect(watch))]
both_ways = pytest.mark.parametrize("way", WAYS, ids=["for", "async for"])


@both_ways
def test_ends_after_the_final_item(way: Callable[[Watch[int]], list[int]]) -> None:
    script = Script([1, 2, 3, 4])
    assert way(script.watch(final=3)) == [1, 2, 3]
    assert (script.opened, script.closed) == (1, 1)


TRANSIENT = [
    errors.UnavailableError("x"),
    errors.InternalError("x"),
    errors.ConnectionLostError("x"),
    errors.DeadlineExceededError("x"),
    errors.RpcCancelledError("x"),
]


@both_ways
@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_opens_again_after_a_transient_failure(way: Callable[[Watch[int]], list[int]], error: Exception) -> None:
    script = Script([1, error], [2, error], [3])
    assert way(script.watch(final=3)) == [1, 2, 3]
    assert near(script.delays, [0.5, 0.5])


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFoundError("x"),
        errors.UnauthenticatedError("x"),
        errors.DecodeError("x"),
        KeyError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_other_failures_end_it(error: Exception) -> None:
    script = Script([1, error], [2])
    seen: list[int] = []
    with pytest.raises(type(error)):
        async for item in script.watch(final=2):
            seen.append(item)
    assert (seen, script.opened, script.delays) == ([1], 1, [])


async def test_five_failures_in_a_row_are_forgiven_and_delays_double() -> None:
    failures: list[list[Step]] = [[errors.UnavailableError("x")] for _ in range(5)]
    script = Script(*failures, [1])
    assert await collect(script.watch(final=1)) == [1]
    assert near(script.delays, [0.5, 1, 2, 4, 8])


async def test_the_sixth_ends_it() -> None:
    script = Script(*([errors.UnavailableError(f"no {n}")] for n in range(1, 9)))
    with pytest.raises(errors.UnavailableError, match="no 6"):
        await collect(script.watch(final=1))
    assert (script.opened, script.closed) == (6, 6)


async def test_any_item_starts_the_count_anew() -> None:
    flaky: list[list[Step]] = [[0, errors.UnavailableError("x")] for _ in range(20)]
    script = Script(*flaky, [1])
    assert await collect(script.watch(final=1)) == [0] * 20 + [1]
    assert near(script.delays, [0.5] * 20)


async def test_a_clean_end_before_the_final_item_opens_again() -> None:
    script = Script([1], [2], [3])
    assert await collect(script.watch(final=3)) == [1, 2, 3]
    assert near(script.delays, [0.5, 0.5])


async def test_streams_that_end_at_once_are_asked_less_and_less_often_and_never_count() -> None:
    script = Script(*([] for _ in range(12)), [1])
    assert await collect(script.watch(final=1)) == [1]
    assert near(script.delays[:5], [0.5, 1, 2, 4, 8])
    assert all(7.5 <= delay <= 10.0 for delay in script.delays[5:])


async def test_a_wrong_endpoint_is_not_waited_for_but_one_that_was_there_is() -> None:
    nobody = errors.EndpointError("nothing is listening")
    with pytest.raises(errors.EndpointError):
        await collect(Script([nobody]).watch(final=1))
    for before in ([0, errors.ConnectionLostError("x")], [0], []):
        script = Script(before, [nobody], [1])
        assert (await collect(script.watch(final=1)))[-1] == 1


@both_ways
def test_a_timeout_says_what_was_waited_for_and_how_far_it_got(way: Callable[[Watch[int]], list[int]]) -> None:
    script = Script([1, 2])
    script.sleep = lambda seconds: asyncio.Event().wait()  # type: ignore[assignment,method-assign,return-value]
    watch = script.watch(timeout=0.02, waited_for="run r1 to end", phase=lambda n: f"phase {n}")
    with pytest.raises(errors.WaitTimeoutError) as raised:
        way(watch)
    error = raised.value
    assert (error.waited_for, error.last_phase) == ("run r1 to end", "phase 2")
    assert error.elapsed >= 0.02
    assert "nothing was aborted" in str(error)


async def test_a_timeout_ends_a_silent_stream() -> None:
    script = Script()
    with pytest.raises(errors.WaitTimeoutError):
        await collect(script.watch(timeout=0.02))
    assert (script.opened, script.closed) == (1, 1)


async def test_a_deadline_of_one_stream_is_not_the_watchs() -> None:
    script = Script([errors.DeadlineExceededError("the stream's")], [1])
    assert await collect(script.watch(final=1, timeout=1000)) == [1]


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(ValueError, match="positive number of seconds"):
        Script().watch(timeout=timeout)


def test_leaving_the_loop_closes_the_stream() -> None:
    script = Script([1, 2, "hang"])  # type: ignore[list-item]
    with script.watch() as watch:
        for item in watch:
            if item == 2:
                break
    assert script.closed == 1


async def test_leaving_the_async_loop_closes_the_stream() -> None:
    script = Script([1, 2, "hang"])  # type: ignore[list-item]
    async with script.watch() as watch:
        async for item in watch:
            if item == 2:
                break
    assert script.closed == 1


async def test_interruptions_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flyte_rpc")
    await collect(Script([errors.UnavailableError("rolling over")], [1]).watch(final=1))
    assert "reconnecting in" in caplog.text and "rolling over" in caplog.text


async def test_a_restarting_server_is_followed(echo: EchoServer) -> None:
    """Over the network: the server stops in the middle, comes back on the same port, and the watch goes on."""
    first = await serve([echo])
    again: list[Any] = []

    async def restart(seconds: float) -> None:
        if not again:
            again.append(await serve([echo], port=first.port))

    async with Client(first.endpoint, timeout=20) as client:
        requests = iter([Note(to=2, hang=True), Note(to=5)])
        watch = Watch(
            lambda: stream(client, Echo.COUNT, next(requests)),
            is_final=lambda note: note.n == 4,
            sleep=restart,
            backoff=SUBSCRIPTIONS,
        )
        seen: list[int] = []
        async for note in watch:
            seen.append(note.n)
            if seen == [0, 1]:
                await first.close()
    await again[0].close()
    assert seen == [0, 1, 0, 1, 2, 3, 4]
