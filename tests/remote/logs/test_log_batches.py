"""Long logs: lines travel in batches, in order and without repeats, and a slow reader slows the server down."""

from __future__ import annotations

import asyncio
import random
import threading
from base64 import b85encode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest

from flyte.remote import Action
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine, LogLineOriginator
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.stream import BatchedStream
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from flyte_rpc.sync import bridge
from remote.logs.following import quick_logs
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

START = 1_700_000_000


def line(number: int, seconds: int | None = None, padding: int = 0) -> LogLine:
    # Nothing that compression makes small, so that the lines are as large on their way.
    noise = b85encode(random.Random(number).randbytes(padding * 4 // 5)).decode()
    return LogLine(
        message=f"{number}{noise}\n",
        timestamp=Timestamp(seconds=START + (number if seconds is None else seconds)),
        originator=LogLineOriginator.SYSTEM if number % 10 == 9 else LogLineOriginator.USER,
    )


class Long(Data):
    """Has a log of so many lines, and sends so many at a time. The first connections break after some lines."""

    def __init__(self, lines: int, at_once: int, *, breaks: Sequence[int] = (), padding: int = 0) -> None:
        super().__init__("long")
        self.lines = lines
        self.at_once = at_once
        self.breaks = list(breaks)
        self.padding = padding
        self.sent = 0

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        stop = self.breaks.pop(0) if self.breaks else self.lines
        for first in range(0, stop, self.at_once):
            numbers = range(first, min(first + self.at_once, stop))
            # Three lines have the same time, so that a connection can break between them.
            batch = [line(number, number // 3, self.padding) for number in numbers]
            yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=batch)])
            self.sent += len(batch)
        if stop < self.lines:
            abort(Status.UNAVAILABLE, "restarting")


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
async def test_all_lines_arrive_once_and_in_order(size: int) -> None:
    log = Long(5000, size, breaks=[0, 1, 2500, 2501, 4999])
    async with await serve([Runs(), log]) as server, Client(server.endpoint) as client, asyncio.timeout(60):
        action = Action(ActionMessage(id=succeeded().id), client)
        assert [text async for text in quick_logs(action)] == [str(number) for number in range(5000)]
        assert log.breaks == []
        log.breaks = [0, 1, 2500, 2501, 4999]
        assert await asyncio.to_thread(lambda: list(quick_logs(action))) == [str(number) for number in range(5000)]


async def test_lines_of_the_platform_are_left_out_of_batches() -> None:
    async with await serve([Runs(), Long(50, 10)]) as server, Client(server.endpoint) as client, asyncio.timeout(60):
        action = Action(ActionMessage(id=succeeded().id), client)
        found = [text async for text in quick_logs(action, filter_system=True)]
    assert found == [str(number) for number in range(50) if number % 10 != 9]


async def test_a_line_is_delivered_before_the_next_one_is_there() -> None:
    class Slow(Data):
        more = asyncio.Event()

        async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
            for number in range(3):
                yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=[line(number)])])
                await self.more.wait()
                self.more.clear()

    slow = Slow("slow")
    async with await serve([Runs(), slow]) as server, Client(server.endpoint) as client, asyncio.timeout(60):
        found = []
        async for text in quick_logs(Action(ActionMessage(id=succeeded().id), client)):
            found.append(text)
            slow.more.set()
    assert found == ["0", "1", "2"]


@pytest.mark.parametrize("blocking", [True, False], ids=["for", "async for"])
async def test_a_reader_that_stops_stops_the_server(blocking: bool) -> None:
    log = Long(1_000_000, 100, padding=1000)
    async with await serve([Runs(), log]) as server, Client(server.endpoint) as client, asyncio.timeout(60):
        lines = quick_logs(Action(ActionMessage(id=succeeded().id), client))
        if blocking:
            reader = iter(lines)
            assert await asyncio.to_thread(next, reader) == line(0, padding=1000).message.rstrip("\n")
        else:
            items = aiter(lines)
            assert await anext(items) == line(0, padding=1000).message.rstrip("\n")
        sent = -1  # nothing tells that the server is held up, except that its counter stands still
        while sent != log.sent:
            sent = log.sent
            await asyncio.sleep(0.3)
        # The stream's window, what was read ahead of the reader, and what is on its way; not the gigabyte of the whole log.
        assert sent * 1000 <= 16 * 2**20
        if blocking:
            await asyncio.to_thread(lines.close)
        else:
            await items.aclose()


def test_batches_are_read_ahead_by_a_bounded_number_of_items() -> None:
    made: list[int] = []
    stalled = threading.Event()

    async def source() -> AsyncGenerator[list[int]]:
        for first in range(0, 100_000, 300):
            made.append(first)
            yield list(range(first, first + 300))

    stream: BatchedStream[int] = BatchedStream(source)
    with stream:
        items = iter(stream)
        assert [next(items) for _ in range(5)] == list(range(5))
        bridge.call_soon(stalled.set)
        assert stalled.wait(10)
        assert len(made) * 300 <= 2 * (1000 + 300)
        assert next(items) == 5


async def test_batches_in_both_forms() -> None:
    async def source() -> AsyncGenerator[list[int]]:
        for batch in ([1, 2], [], [3]):
            yield batch

    stream: BatchedStream[int] = BatchedStream(source)
    assert [item async for item in stream] == [1, 2, 3]
    assert await asyncio.to_thread(list, stream) == [1, 2, 3]
