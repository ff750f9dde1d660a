"""Logs of an action: followed live, taken up again after a lost connection, never repeated."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, TypeVar

from flyte._routing import Operation, route
from flyte.errors import ConnectionLostError, DeadlineExceededError, InternalError, NotFoundError, UnavailableError
from flyte.remote._log_replay import Backlog, moment_of, with_silences
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import TailLogsRequest
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine, LogLineOriginator
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.calls.call_path import stream
from flyte_rpc.entities.filters import rfc3339
from flyte_rpc.entities.stream import Stream

if TYPE_CHECKING:
    from flyte.remote._action import Action

T = TypeVar("T")

_TRANSIENT = (UnavailableError, ConnectionLostError, DeadlineExceededError, InternalError)
_MAX_FAILURES = 5
_PAUSE = 0.5
# A server may keep the stream of an ended action open; after this many silent seconds we ask whether it has ended.
_IDLE = 5.0


def follow(action: Action, attempt: int | None, *, filter_system: bool, show_ts: bool) -> Stream[str]:
    """See `Action.get_logs`."""
    if attempt is not None and attempt < 1:
        raise ValueError(f"attempt counts from 1, not {attempt}")

    async def lines() -> AsyncGenerator[str]:
        async with aclosing(_Tail(action, attempt).lines()) as found:
            async for line in found:
                if filter_system and line.originator == LogLineOriginator.SYSTEM:
                    continue
                yield _formatted(line, show_ts)

    return Stream(lines)


async def show(
    action: Action, attempt: int | None, *, max_lines: int | None, show_ts: bool, filter_system: bool
) -> None:
    """See `Action.show_logs`."""
    if max_lines is not None and max_lines < 0:
        raise ValueError(f"max_lines must not be negative ({max_lines})")
    shown = 0
    async with aclosing(aiter(follow(action, attempt, filter_system=filter_system, show_ts=show_ts))) as lines:
        while max_lines is None or shown < max_lines:
            line = await anext(lines, None)
            if line is None:
                return
            # Not through rich: it would wrap lines to the width of the screen and read brackets as markup.
            print(line, file=sys.stdout, flush=True)
            shown += 1


def _formatted(line: LogLine, show_ts: bool) -> str:
    message = line.message.rstrip("\r\n")
    moment = moment_of(line) if show_ts else None
    return message if moment is None else f"{rfc3339(moment)} {message}"


class _Tail:
    """One reading of an attempt's log, over as many connections as it takes."""

    def __init__(self, action: Action, attempt: int | None) -> None:
        self.action = action
        self.attempt = attempt
        self.backlog = Backlog()
        self.failures = 0

    async def lines(self) -> AsyncGenerator[LogLine]:
        if not await self._ready():
            return
        while True:
            ended = False
            try:
                async with aclosing(self._connection()) as found:
                    async for line in found:
                        self.failures = 0
                        yield line
                ended = await self._over()
            except NotFoundError as cause:
                # The log of an attempt that is just starting may not be there yet.
                with suppress(*_TRANSIENT):  # nobody knows just now: another failure in a row, and no end
                    if await self._over():
                        return
                self._count(cause)
            except _TRANSIENT as cause:
                self._count(cause)
            if ended:
                return
            await asyncio.sleep(_PAUSE * 2 ** max(0, self.failures - 1))

    def _count(self, failure: Exception) -> None:
        """Only failures in a row count: any line that comes through starts the count anew."""
        self.failures += 1
        if self.failures > _MAX_FAILURES:
            raise failure

    async def _ready(self) -> bool:
        """Wait until the attempt has logs; False when it ended without."""
        async with aclosing(aiter(self.action.watch())) as updates:
            async for details in updates:
                number = self.attempt or details.attempts or 1
                if details.logs_available(number):
                    self.attempt = number
                    return True
        if self.attempt is not None and self.attempt > self.action.attempts:
            raise NotFoundError(
                f"run {self.action.run_name} has no attempt {self.attempt} of action {self.action.name}; "
                f"it ended after {self.action.attempts}"
            )
        return False

    async def _over(self) -> bool:
        """Whether nothing more can be written to this log."""
        details = await self.action.details.aio()
        return details.done() or (self.attempt or 0) < details.attempts

    async def _connection(self) -> AsyncGenerator[LogLine]:
        """The lines of one connection, less those that were delivered before."""
        request = TailLogsRequest(action_id=self.action.action_id, attempt=self.attempt or 1)
        client = await route(self.action.client, Operation.TAIL_LOGS, self.action.action_id)
        self.backlog.connect()
        async with (
            aclosing(stream(client, DataProxyService.TAIL_LOGS, request)) as replies,
            aclosing(_until_idle(replies, self._over)) as found,
        ):
            async for reply in found:
                for line in (line for batch in reply.logs for line in batch.lines):
                    if self.backlog.is_new(line):
                        yield line


async def _until_idle(source: AsyncGenerator[T], over: Callable[[], Awaitable[bool]]) -> AsyncGenerator[T]:
    """The items of `source`, until it ends, or is silent for a while and `over` says that nothing can follow."""
    asked = False
    async with aclosing(with_silences(source, _IDLE)) as found:
        async for item in found:
            if item is not None:
                asked = False
                yield item
            elif asked:
                return
            else:
                asked = await over()
