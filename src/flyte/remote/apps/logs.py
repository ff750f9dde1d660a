"""Logs of apps, from all replicas. After a lost connection they resume without repeating lines."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from flyte._routing import Operation, route
from flyte.errors import LogsNotYetAvailableError, NotFoundError, RpcError
from flyte.remote.logs.deduplication import LogDeduplicator
from flyte.remote.logs.line import LogLine
from flyte_api.messages.flyteidl2.app.app_definition import App, Identifier
from flyte_api.messages.flyteidl2.app.app_logs_payload import LogLines, TailLogsRequest, TailLogsResponse
from flyte_api.messages.flyteidl2.app.replica_definition import ReplicaIdentifier
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine as LineMessage
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLines as ContainerLines
from flyte_api.services.flyteidl2.app.app_logs_service import AppLogsService
from flyte_rpc.arguments import seconds, text
from flyte_rpc.calls.call_path import stream
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import BROKEN_STREAM, Backoff
from flyte_rpc.codec.deprecation import quietly
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.entities.idle import until_silent
from flyte_rpc.entities.reconnecting import RESUMABLE, resuming
from flyte_rpc.entities.stream import BatchedStream, Stream
from flyte_rpc.entities.time_limit import expiring

from .status import deployment_status, stays_down

_log = logging.getLogger("flyte.remote")

_MAX_FRUITLESS = 5
"""Maximum consecutive connections without new lines; after one more, the log counts as complete."""


class Pauses(NamedTuple):
    """How long a log waits."""

    backoff: Backoff = Backoff(attempts=100, first=0.5, longest=8.0)
    """Delays between connections. The log counts failures itself, together with empty connections."""
    silence: float = 5.0
    """Seconds without a line after which the app is fetched. A server may keep the stream of a stopped app open."""


class AppSource(NamedTuple):
    """An app whose logs are read."""

    client: Client
    identifier: Identifier
    fetch: Callable[[], Awaitable[App]]


def follow_logs(
    source: AppSource,
    replica_name: str | None,
    *,
    filter_system: bool,
    show_ts: bool = False,
    follow: bool,
    timeout: float | timedelta | None = None,
    pauses: Pauses = Pauses(),  # noqa: B008  # it is immutable
) -> Stream[LogLine]:
    """Follow the logs of an app. See `App.get_logs`."""
    if replica_name is not None:
        text("replica_name", replica_name, 1)
    limit = None if timeout is None else seconds("timeout", timeout)

    async def batches() -> AsyncGenerator[list[LogLine]]:
        async with aclosing(_Tail(source, replica_name, follow, show_ts, pauses).batches()) as all_batches:
            async for batch in all_batches:
                yield [line for line in batch if not (filter_system and line.system)]

    return BatchedStream(expiring(batches, limit, f"the end of the log of app {source.identifier.name}"))


class _Tail:
    """One reading of an app's log, over as many connections as it takes."""

    def __init__(self, source: AppSource, replica: str | None, follow: bool, show_ts: bool, pauses: Pauses) -> None:
        self._pauses = pauses
        self._show_ts = show_ts
        self._source = source
        self._replica = replica
        self._follow = follow
        self._replay = LogDeduplicator()
        self._delivered = False
        self._fruitless = 0
        """Connections in a row that brought nothing new."""
        self._opened_at = 0.0

    def batches(self) -> AsyncGenerator[list[LogLine]]:
        """Yield the lines as they arrive, in batches."""
        return resuming(
            self._connection,
            label=f"the log of app {self._source.identifier.name}",
            is_over=self._is_over,
            resume_after=(*RESUMABLE, NotFoundError),
            backoff=self._pauses.backoff,
            reached=True,
        )

    async def _is_over(self, error: RpcError | None) -> bool:
        """Return whether the log is complete after a connection has ended."""
        if error is None and (not self._follow or await self._is_down()):
            return True
        if isinstance(error, NotFoundError):
            with suppress(*BROKEN_STREAM):  # the server does not answer; the next attempt asks again
                if await self._is_down():
                    return True
        # A connection that stayed open for a while without lines does not count as a failure.
        if error is not None or time.monotonic() - self._opened_at < self._pauses.silence:
            self._fruitless += 1
        if self._fruitless <= _MAX_FRUITLESS:
            return False
        if error is None or (isinstance(error, NotFoundError) and self._delivered):
            return True
        if not isinstance(error, NotFoundError):
            raise error
        app = f"app {self._source.identifier.name}"
        state = deployment_status(await self._source.fetch())
        raise LogsNotYetAvailableError(
            f"{f'replica {self._replica} of {app}' if self._replica else app} has no logs, because it has no replica at "
            f"the moment. The app is {state}; app.wait() waits until it is up"
        ) from error

    async def _is_down(self) -> bool:
        """Whether nothing more can be written to this log."""
        try:
            return stays_down(await self._source.fetch())
        except NotFoundError:
            if self._delivered:
                return True
            raise

    async def _connection(self) -> AsyncGenerator[list[LogLine]]:
        """Yield the lines of one connection that no earlier connection has delivered."""
        self._opened_at = time.monotonic()
        identifier = self._source.identifier
        request = TailLogsRequest(app_id=identifier)
        if self._replica:
            request = TailLogsRequest(replica_id=ReplicaIdentifier(app_id=identifier, name=self._replica))
        client = await self._cluster()
        self._replay.reconnect()
        async with (
            aclosing(stream(client, AppLogsService.TAIL_LOGS, request)) as replies,
            aclosing(
                until_silent(replies, self._pauses.silence, self._is_finished, size=_count, linger=self._follow)
            ) as batches,
        ):
            async for batch in batches:
                lines = [
                    LogLine.read(line, replica, container, show_ts=self._show_ts)
                    for reply in batch
                    for (replica, container), found in groupby(_lines(reply), key=itemgetter(0))
                    for line in self._replay.new_lines(f"{replica}/{container}", [line for _, line in found])
                ]
                if lines:
                    self._fruitless, self._delivered, self._opened_at = 0, True, 0.0
                    yield lines

    async def _is_finished(self) -> bool:
        return not self._follow or await self._is_down()

    async def _cluster(self) -> Client:
        """Return the client of the cluster that has the lines."""
        client, identifier = self._source.client, self._source.identifier
        try:
            return await route(client, Operation.TAIL_LOGS, identifier)
        except RpcError as error:
            # The control plane can serve the lines as well.
            _log.info("the cluster of app %s is unknown, asking %s: %s", identifier.name, client.endpoint, error)
            return client


def _count(reply: TailLogsResponse) -> int:
    return sum(1 for _ in _lines(reply))


def _lines(reply: TailLogsResponse) -> Iterator[tuple[tuple[str, str], LineMessage]]:
    """Yield the lines of a reply with their replica and container, whichever form the server uses."""
    kind, value = which_one_of(reply, "resp")
    if kind == "batches":
        for lines in value.logs:
            yield from _of(lines, "" if lines.replica_id is None else lines.replica_id.name)
    elif kind == "log_lines":
        container = value.container
        if container is None:
            yield from _of(value, "")
        else:
            yield from _of(value, container.kubernetes_pod_name, container.kubernetes_container_name)


def _of(
    lines: LogLines | ContainerLines, replica: str, container: str = ""
) -> Iterator[tuple[tuple[str, str], LineMessage]]:
    for line in lines.structured_lines or [LineMessage(message=plain) for plain in quietly(lines, "lines")]:
        name = replica or line.short_pod_name
        yield (name, container), line
