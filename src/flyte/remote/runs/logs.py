"""Logs of an action. After a lost connection they resume without repeating lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from flyte._routing import Operation, route
from flyte.errors import NotFoundError, RpcError
from flyte.remote.logs.deduplication import LogDeduplicator
from flyte.remote.logs.line import LogLine
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
)
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.arguments import seconds, whole
from flyte_rpc.calls.call_path import stream
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import BROKEN_STREAM, SUBSCRIPTIONS, Backoff
from flyte_rpc.entities.idle import until_silent
from flyte_rpc.entities.reconnecting import RESUMABLE, resuming
from flyte_rpc.entities.stream import BatchedStream, Stream
from flyte_rpc.entities.time_limit import expiring

if TYPE_CHECKING:
    from flyte_rpc.entities.watch import Watch

    from .action_details import ActionDetails


class Pauses(NamedTuple):
    """How long the reader of a log waits."""

    backoff: Backoff = SUBSCRIPTIONS
    """Attempts and delays after a broken connection."""
    silence: float = 5.0
    """Seconds without a line after which the action is fetched. A server may keep the stream of an ended action open."""


_PAUSES = Pauses()


class LogSource(NamedTuple):
    """An action whose logs are read."""

    client: Client
    action: ActionIdentifier
    watch: Callable[[], Watch[ActionDetails]]
    fetch_details: Callable[[], Awaitable[ActionDetails]]


def follow(
    source: LogSource,
    attempt: int | None,
    *,
    filter_system: bool,
    show_ts: bool,
    timeout: float | timedelta | None = None,
    pauses: Pauses = _PAUSES,
) -> Stream[LogLine]:
    """Follow the log of an attempt. See `Action.get_logs`."""
    if attempt is not None:
        whole("attempt", attempt, 1)
    limit = None if timeout is None else seconds("timeout", timeout)

    async def batches() -> AsyncGenerator[list[LogLine]]:
        async with aclosing(_Tail(source, attempt, show_ts, pauses).batches()) as batches_of_attempt:
            async for batch in batches_of_attempt:
                yield [line for line in batch if not (filter_system and line.system)]

    return BatchedStream(expiring(batches, limit, f"the end of the log of action {source.action.name}"))


class _Tail:
    """One reading of an attempt's log, over as many connections as it takes."""

    def __init__(self, source: LogSource, attempt: int | None, show_ts: bool, pauses: Pauses) -> None:
        self._source = source
        self._show_ts = show_ts
        self._pauses = pauses
        self._attempt = attempt or 0
        """The attempt; 0 for the latest, until it has logs."""
        self._replay = LogDeduplicator()

    async def batches(self) -> AsyncGenerator[list[LogLine]]:
        """Yield the lines as they arrive, in batches."""
        if not await self._wait_for_logs():
            return
        connections = resuming(
            self._connection,
            label=f"the log of action {self._source.action.name}",
            is_over=self._is_over,
            resume_after=(*RESUMABLE, NotFoundError),
            backoff=self._pauses.backoff,
            reached=True,
        )
        async with aclosing(connections) as batches:
            async for batch in batches:
                yield batch

    async def _wait_for_logs(self) -> bool:
        """Wait until the attempt has logs. Returns False if it ended without any."""
        latest = 0
        async with aclosing(aiter(self._source.watch())) as updates:
            async for details in updates:
                latest = details.attempts
                number = self._attempt or latest or 1
                if details.logs_available(number):
                    self._attempt = number
                    return True
        if self._attempt > latest:
            action = self._source.action
            raise NotFoundError(
                f"run {(action.run or RunIdentifier()).name} has no attempt {self._attempt} of action {action.name}; "
                f"it ended after {latest}"
            )
        return False

    async def _is_over(self, error: RpcError | None) -> bool:
        """Return whether the log is complete after a connection has ended."""
        if error is None:
            return await self._has_ended()
        if isinstance(error, NotFoundError):  # the log of a starting attempt may not exist yet
            with suppress(*BROKEN_STREAM):  # the server does not answer; the next attempt asks again
                return await self._has_ended()
        return False

    async def _has_ended(self) -> bool:
        details = await self._source.fetch_details()
        return details.done() or self._attempt < details.attempts

    async def _connection(self) -> AsyncGenerator[list[LogLine]]:
        """Yield the lines of one connection that no earlier connection has delivered."""
        action = self._source.action
        request = TailLogsRequest(action_id=action, attempt=self._attempt)
        client = await route(self._source.client, Operation.TAIL_LOGS, action)
        self._replay.reconnect()
        async with (
            aclosing(stream(client, DataProxyService.TAIL_LOGS, request)) as replies,
            aclosing(until_silent(replies, self._pauses.silence, self._has_ended, size=_count)) as batches,
        ):
            async for batch in batches:
                lines = self._new_lines(batch)
                if lines:
                    yield lines

    def _new_lines(self, batch: Sequence[TailLogsResponse]) -> list[LogLine]:
        return [
            LogLine.read(line, pod, container, show_ts=self._show_ts)
            for (pod, container), group in groupby((logs for reply in batch for logs in reply.logs), key=_container)
            for line in self._replay.new_lines(f"{pod}/{container}", [line for logs in group for line in logs.lines])
        ]


def _container(logs: TailLogsResponseLogs) -> tuple[str, str]:
    container = logs.container
    return ("", "") if container is None else (container.kubernetes_pod_name, container.kubernetes_container_name)


def _count(reply: TailLogsResponse) -> int:
    return sum(len(logs.lines) for logs in reply.logs)
