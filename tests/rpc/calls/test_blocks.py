"""Blocks that were written without `with`, and the options that a block gives to its calls."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import flyte
from flyte import errors
from flyte.remote import auth_metadata
from flyte_api.registry import registry
from flyte_rpc.calls import options as options_module
from flyte_rpc.calls.block import Block
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import CallOptions, Deadline, call_options, is_bounded, within
from flyte_rpc.calls.options import options as current_options
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch
from flyte_rpc.gather import gather
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.sync import bridge
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note

_CLIENT = Client("localhost:1")
_MAKE: dict[str, Callable[[], Block[Any]]] = {
    "use_client": lambda: flyte.use_client(_CLIENT),
    "registry": lambda: registry.use(_CLIENT),
    "auth_metadata": lambda: auth_metadata(("x-user", "u1")),
    "call_options": lambda: flyte.call_options(timeout=1),
    "custom_context": lambda: flyte.custom_context(team="vision"),
}
makers = pytest.mark.parametrize("make", _MAKE.values(), ids=_MAKE)


@makers
def test_a_block_without_with_warns_at_its_line(make: Callable[[], Block[Any]]) -> None:
    with pytest.warns(RuntimeWarning, match=r"was called without `with` and had no effect; write `with \w+\(") as found:
        make()
        gc.collect()
    # Collecting garbage may report what earlier tests have left open, too.
    ours = [w for w in found if w.category is RuntimeWarning]
    assert [(w.filename, w.lineno) for w in ours] == [(__file__, make.__code__.co_firstlineno)]


@makers
def test_a_block_that_is_used_never_warns(make: Callable[[], Block[Any]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with make():
            pass
        with pytest.raises(LookupError, match="passes"), make():
            raise LookupError("passes")
        with ExitStack() as stack:
            stack.enter_context(make())
        gc.collect()


@makers
def test_a_block_is_no_client_and_no_decorator(make: Callable[[], Block[Any]]) -> None:
    block: Any = make()
    with pytest.raises(AttributeError, match=r"has no project; write `with \w+\(.*\):` and use project inside it"):
        block.project  # noqa: B018
    with pytest.raises(TypeError, match="not a decorator"):
        block(print)
    with block:
        pass
    with pytest.raises(RuntimeError, match="only once"):
        block.__enter__()


def test_invalid_arguments_make_no_block() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="client takes a Client"):
            flyte.use_client("token")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="at least one pair"):
            auth_metadata()
        gc.collect()


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"timeout": 0}, ValueError, "timeout is 0"),
        ({"timeout": -1}, ValueError, "timeout is -1"),
        ({"timeout": float("nan")}, ValueError, "timeout is nan"),
        ({"timeout": float("inf")}, ValueError, "timeout is inf"),
        ({"timeout": 10**400}, ValueError, "timeout is 1000"),
        ({"timeout": timedelta(0)}, ValueError, "timeout is datetime.timedelta"),
        ({"timeout": True}, TypeError, "timeout takes a number of seconds or a timedelta, not bool"),
        ({"timeout": "5"}, TypeError, "timeout takes a number of seconds or a timedelta, not str"),
        ({"retry": 3}, TypeError, "retry takes a Backoff, not int"),
        ({"metadata": [("authorization", "x")]}, ValueError, "call_options metadata cannot set 'authorization'"),
        ({"metadata": [("x-user", "a\nb")]}, ValueError, "not printable ASCII"),
    ],
)
def test_options_are_checked_at_once(options: dict[str, Any], error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        call_options(**options)


def seen(echo: EchoServer, *names: str) -> list[tuple[str | None, ...]]:
    found = [tuple(call.metadata.get(name) for name in names) for call in echo.calls]
    echo.calls.clear()
    return found


async def test_a_block_overrides_the_client_and_an_argument_the_block(echo: EchoServer, client: Client) -> None:
    echo.failures = [errors.Status.UNAVAILABLE]
    with call_options(retry=Backoff(attempts=1, first=0.0, longest=0.0)), pytest.raises(errors.UnavailableError):
        await unary(client, Echo.SAY, Note())
    with call_options(timeout=timedelta(milliseconds=50)):
        with pytest.raises(errors.DeadlineExceededError):
            await unary(client, Echo.SAY, Note(hang=True))
        await unary(client, Echo.SAY, Note(), timeout=20)
    with call_options(timeout=1000), pytest.raises(errors.DeadlineExceededError):
        await unary(client, Echo.SAY, Note(hang=True), timeout=0.05)


async def test_inner_blocks_win_per_option(echo: EchoServer, client: Client) -> None:
    once = Backoff(attempts=1, first=0.0, longest=0.0)
    with call_options(timeout=0.05, retry=once, metadata=[("x-a", "outer"), ("x-b", "outer")]):
        with call_options(metadata=[("x-a", "inner")]), pytest.raises(errors.DeadlineExceededError):
            await unary(client, Echo.SAY, Note(hang=True))
        with call_options(timeout=20), auth_metadata(("x-b", "user")):
            echo.failures = [errors.Status.UNAVAILABLE]
            with pytest.raises(errors.UnavailableError):
                await unary(client, Echo.SAY, Note())
    await unary(client, Echo.SAY, Note())
    assert seen(echo, "x-a", "x-b") == [("inner", "outer"), ("outer", "user"), (None, None)]


async def test_blocking_and_concurrent_calls_are_in_the_block(echo: EchoServer, client: Client) -> None:
    def blocking() -> None:
        with call_options(metadata=[("x-a", "thread")]):
            bridge.run(unary(client, Echo.SAY, Note()))

    await asyncio.to_thread(blocking)
    with call_options(metadata=[("x-a", "task")]):
        await gather(unary(client, Echo.SAY, Note()) for _ in range(2))
    assert sorted(seen(echo, "x-a")) == [("task",), ("task",), ("thread",)]


async def test_listings_and_streams_keep_the_options_of_their_block(echo: EchoServer, client: Client) -> None:
    async def fetch(token: str, size: int) -> Page[int]:
        await unary(client, Echo.SAY, Note())
        return Page([1], "" if token else "next")

    with call_options(metadata=[("x-a", "made")], retry=AT_ONCE):
        pager = Pager(fetch, limit=None, page_size=1)
        items = Stream(lambda: stream(client, Echo.COUNT, Note(to=2)))
    with call_options(metadata=[("x-a", "read")]):
        assert await pager.collect.aio() == [1, 1]
        async for _ in items:
            await unary(client, Echo.SAY, Note())
    assert seen(echo, "x-a") == [("made",), ("made",), ("made",), ("read",), ("read",)]
    await asyncio.to_thread(lambda: (list(pager), list(items)))
    assert seen(echo, "x-a") == [("made",)] * 3


async def test_a_listing_made_in_a_block_keeps_its_timeout(client: Client) -> None:
    async def fetch(token: str, size: int) -> Page[int]:
        await unary(client, Echo.SAY, Note(hang=True))
        return Page([], "")

    with call_options(timeout=0.05):
        pager = Pager(fetch, limit=None, page_size=1)
    with pytest.raises(errors.DeadlineExceededError):
        await pager.first.aio()


async def test_a_watch_that_reconnects_keeps_the_options(echo: EchoServer, client: Client) -> None:
    with call_options(metadata=[("x-a", "made")]):
        numbers = Watch(
            lambda: _numbers(stream(client, Echo.COUNT, Note(to=2, status="UNAVAILABLE"))),
            is_final=lambda number: False,
            backoff=AT_ONCE,
        )
    found: list[int] = []
    async for number in numbers:
        found.append(number)
        if len(found) == 4:
            break
    assert found == [0, 1, 0, 1]
    assert seen(echo, "x-a") == [("made",), ("made",)]


async def _numbers(notes: AsyncGenerator[Note, None]) -> AsyncGenerator[int, None]:
    async with aclosing(notes):
        async for note in notes:
            yield note.n


def test_overlapping_times_are_added_to_a_deadline_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(options_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    outer = Deadline(10)
    inner = Deadline(5, outer)
    now[0] = 103.0
    inner.add_since(100.0)
    outer.add_since(101.0)
    assert (inner.left(), inner.end, outer.end) == (5.0, 108.0, 113.0)
    now[0] = 104.0
    outer.add_since(102.0)
    assert outer.end == 114.0
    now[0] = 200.0
    assert (inner.left(), outer.left()) == (0.0, 0.0)


async def test_credentials_are_outside_of_all_limits(server: RunningServer) -> None:
    limits: list[tuple[bool, CallOptions]] = []

    def token() -> str:
        limits.append((is_bounded(), current_options()))
        return "t"

    async with Client(server.endpoint, token=token) as client:
        with within(20), call_options(timeout=20, retry=AT_ONCE):
            await unary(client, Echo.SAY, Note())
            assert (is_bounded(), current_options()) == (True, CallOptions(20.0, AT_ONCE))
    assert limits == [(False, CallOptions())]
