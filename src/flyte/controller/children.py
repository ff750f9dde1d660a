"""The children of one action, watched over a single stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from flyte.errors import RpcError
from flyte.models import ActionPhase
from flyte_api.messages.flyteidl2.actions.actions_service import WatchForUpdatesRequest, WatchForUpdatesResponse
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.core.execution import ExecutionError
from flyte_api.messages.flyteidl2.workflow.state_service import ActionUpdate
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_rpc.calls.call_path import stream
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.entities.idle import with_silences
from flyte_rpc.entities.reconnecting import resuming

_BACKOFF = Backoff(attempts=40, first=0.5, longest=30.0)
_LINGER = 30.0
"""Seconds that the stream stays open without a waiting call. A call in that time needs no new snapshot."""
_SILENCE = 30.0
"""Seconds without an update after which the watch subscribes again."""


class ChildResult(NamedTuple):
    """The result of a child."""

    phase: ActionPhase
    error: ExecutionError | None
    output_uri: str


class Children:
    """Waits for children by name, on one event loop. It watches while a caller waits, and a little longer."""

    def __init__(self, client: Client, parent: ActionIdentifier) -> None:
        self._client = client
        self._parent = parent
        self._ended: dict[str, ChildResult] = {}
        self._waiting: dict[str, asyncio.Future[ChildResult]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None

    async def ended(self, name: str) -> ChildResult:
        """Wait until a child has ended.

        Raises:
            RpcError: The child can't be watched any more.
        """
        found = self._ended.pop(name, None)
        if found is not None:
            return found
        future = self._waiting.get(name)
        if future is None:
            future = self._waiting[name] = asyncio.get_running_loop().create_future()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._follow())
        try:
            return await asyncio.shield(future)
        finally:
            if self._waiting.get(name) is future:
                del self._waiting[name]
            if not self._waiting:
                self._resting = asyncio.get_running_loop().call_later(_LINGER, self._rest)

    def _rest(self) -> None:
        """Stop watching until the next caller waits."""
        self._resting = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _follow(self) -> None:
        updates = resuming(
            self._updates,
            label=f"the watch of the children of {self._parent.name}",
            is_over=self._is_unneeded,
            backoff=_BACKOFF,
            reached=True,
        )
        try:
            async with aclosing(updates):
                async for reply in updates:
                    if reply.action_update is not None:
                        self._learn(reply.action_update)
        except Exception as cause:  # any error, because the callers would wait forever otherwise
            self._fail(cause)

    async def _updates(self) -> AsyncGenerator[WatchForUpdatesResponse]:
        """Yield the updates of one connection. End after a silence, because servers drop updates for slow readers."""
        request = WatchForUpdatesRequest(parent_action_id=self._parent)
        async with (
            aclosing(stream(self._client, ActionsService.WATCH_FOR_UPDATES, request)) as replies,
            aclosing(with_silences(replies, _SILENCE)) as updates,
        ):
            async for update in updates:
                if update is None:
                    return
                yield update

    async def _is_unneeded(self, error: RpcError | None) -> bool:
        return error is not None and not self._waiting

    def _learn(self, update: ActionUpdate) -> None:
        phase = ActionPhase.from_protobuf(int(update.phase))
        if update.action_id is None or not isinstance(phase, ActionPhase) or not phase.is_terminal:
            return
        ended = ChildResult(phase, update.error, update.output_uri)
        future = self._waiting.get(update.action_id.name)
        if future is None:
            self._ended[update.action_id.name] = ended
        elif not future.done():
            future.set_result(ended)

    def _fail(self, cause: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(cause)
