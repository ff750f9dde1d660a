"""What apps write: followed live over all of their replicas, taken up again after a lost connection, never repeated."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from flyte._routing import Operation, route
from flyte.errors import (
    DeadlineExceededError,
    InternalError,
    LogsNotYetAvailableError,
    NotFoundError,
    RpcError,
    UnavailableError,
)
from flyte.remote._log_replay import Backlog, moment_of, with_silences
from flyte_api.messages.flyteidl2.app.app_definition import Identifier, Meta
from flyte_api.messages.flyteidl2.app.app_logs_payload import LogLines, TailLogsRequest, TailLogsResponse
from flyte_api.messages.flyteidl2.app.replica_definition import ReplicaIdentifier
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine as LineMessage
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLineOriginator
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLines as ContainerLines
from flyte_api.services.flyteidl2.app.app_logs_service import AppLogsService
from flyte_rpc.arguments import text, whole
from flyte_rpc.calls.call_path import stream
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.deprecation import quietly
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.entities.filters import rfc3339
from flyte_rpc.entities.stream import Stream

from .waiting import is_down

if TYPE_CHECKING:
    from .app import App

_log = logging.getLogger("flyte.remote")

_TRANSIENT = (UnavailableError, DeadlineExceededError, InternalError)
_MAX_FRUITLESS = 5
"""Connections in a row that may bring nothing new; after another one there is nothing to follow."""
_PAUSE = 0.5
_IDLE = 5.0
"""Silent seconds after which the app is asked whether it is still up, as a server may keep the stream open."""


@attrs.frozen
class LogLine:
    """A line that an app has written. `str(line)` is its text."""

    message: str
    """The text, without a line break."""
    timestamp: datetime | None = None
    """When it was written; None where that was not told."""
    replica: str = ""
    """Name of the replica that wrote it; empty where that was not told."""
    system: bool = False
    """Whether the platform wrote it."""

    def __str__(self) -> str:
        return self.message


def follow(app: App, replica_name: str | None, *, filter_system: bool, endless: bool) -> Stream[LogLine]:
    """See `App.get_logs`."""
    if replica_name is not None:
        text("replica_name", replica_name, 1)

    async def lines() -> AsyncGenerator[LogLine]:
        async with aclosing(_Tail(app, replica_name, endless).lines()) as found:
            async for line in found:
                if not (filter_system and line.system):
                    yield line

    return Stream(lines)


async def show(lines: Stream[LogLine], max_lines: int | None, *, show_ts: bool, raw: bool) -> None:
    """See `App.show_logs`."""
    left = None if max_lines is None else whole("max_lines", max_lines, 0)
    async with aclosing(aiter(lines)) as found:
        while left is None or left > 0:
            line = await anext(found, None)
            if line is None:
                return
            moment = f"{rfc3339(line.timestamp)} " if show_ts and line.timestamp is not None else ""
            writer = f"[{line.replica}] " if line.replica and not raw else ""
            # Not through rich: it would wrap lines to the width of the screen and read brackets as markup.
            print(f"{moment}{writer}{line.message}", file=sys.stdout, flush=True)
            left = None if left is None else left - 1


class _Tail:
    """One reading of an app's log, over as many connections as it takes."""

    def __init__(self, app: App, replica: str | None, endless: bool) -> None:
        self.app = app
        self.id = (app.pb2.metadata or Meta()).id or Identifier()
        self.replica = replica
        self.endless = endless
        self.backlogs: defaultdict[str, Backlog] = defaultdict(Backlog)
        self.delivered = False
        self.fruitless = 0

    async def lines(self) -> AsyncGenerator[LogLine]:
        while True:
            begun = time.monotonic()
            failure: RpcError | None = None
            brought = False
            try:
                async with aclosing(self._connection()) as found:
                    async for line in found:
                        self.fruitless, self.delivered, brought = 0, True, True
                        yield line
                if not self.endless or await self._over():
                    return
            except NotFoundError as cause:
                failure = cause
                with suppress(*_TRANSIENT):  # nobody knows just now: another fruitless one, and no end
                    if await self._over():
                        return
            except _TRANSIENT as cause:
                failure = cause
            # A stream that was open for a while and quiet has done what it is for.
            if failure is not None or (not brought and time.monotonic() - begun < _IDLE):
                self.fruitless += 1
            if self.fruitless > _MAX_FRUITLESS:
                self._give_up(failure)
                return
            await asyncio.sleep(_PAUSE * 2.0 ** max(0, self.fruitless - 1))

    def _give_up(self, failure: RpcError | None) -> None:
        """Raise what there is to raise."""
        if isinstance(failure, NotFoundError):
            if not self.delivered:
                whose = f"replica {self.replica} of app {self.id.name}" if self.replica else f"app {self.id.name}"
                raise LogsNotYetAvailableError(
                    f"{whose} has no logs: nothing of that name runs at the moment. The app is "
                    f"{self.app.deployment_status}; app.watch() waits until it is up"
                ) from failure
        elif failure is not None:
            raise failure

    async def _over(self) -> bool:
        """Whether nothing more can be written to this log."""
        app = self.app
        try:
            await app.sync.aio()
        except NotFoundError:
            if self.delivered:
                return True
            raise
        return is_down(app)

    async def _connection(self) -> AsyncGenerator[LogLine]:
        """The lines of one connection, less those that were delivered before."""
        request = TailLogsRequest(app_id=self.id)
        if self.replica:
            request = TailLogsRequest(replica_id=ReplicaIdentifier(app_id=self.id, name=self.replica))
        client = await self._where()
        for backlog in self.backlogs.values():
            backlog.connect()
        silent = False
        async with (
            aclosing(stream(client, AppLogsService.TAIL_LOGS, request)) as replies,
            aclosing(with_silences(replies, _IDLE)) as found,
        ):
            async for reply in found:
                if reply is not None:
                    silent = False
                    for replica, line in _lines(reply):
                        if self.backlogs[replica].is_new(line):
                            yield _line(replica, line)
                elif silent or not self.endless:
                    return
                else:
                    # Once more: what it wrote last may be on its way.
                    silent = await self._over()

    async def _where(self) -> Client:
        """The client of the cluster that has the lines."""
        client = self.app.client
        try:
            return await route(client, Operation.TAIL_LOGS, self.id)
        except RpcError as error:
            # A control plane has the lines of apps too, so that not knowing the cluster is no reason to show none.
            _log.info("the cluster of app %s is not known, asking %s itself: %s", self.id.name, client.endpoint, error)
            return client


def _lines(reply: TailLogsResponse) -> Iterator[tuple[str, LineMessage]]:
    """The lines of a reply, each with the name of its replica, in whichever form the server sends them."""
    kind, value = which_one_of(reply, "resp")
    if kind == "batches":
        for lines in value.logs:
            yield from _of(lines, "" if lines.replica_id is None else lines.replica_id.name)
    elif kind == "log_lines":
        yield from _of(value, "" if value.container is None else value.container.kubernetes_pod_name)


def _of(lines: LogLines | ContainerLines, replica: str) -> Iterator[tuple[str, LineMessage]]:
    if lines.structured_lines:
        yield from ((replica or line.short_pod_name, line) for line in lines.structured_lines)
    else:
        yield from ((replica, LineMessage(message=line)) for line in quietly(lines, "lines"))


def _line(replica: str, line: LineMessage) -> LogLine:
    return LogLine(
        message=line.message.rstrip("\r\n"),
        timestamp=moment_of(line),
        replica=replica,
        system=line.originator == LogLineOriginator.SYSTEM,
    )
