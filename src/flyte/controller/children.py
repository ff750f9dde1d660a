"""The children of one action, followed over a single stream."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import NamedTuple

from flyte.errors import ConnectionLostError, DeadlineExceededError, InternalError, RpcCancelledError, UnavailableError
from flyte.models import ActionPhase
from flyte_api.messages.flyteidl2.actions.actions_service import WatchForUpdatesRequest
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.core.execution import ExecutionError
from flyte_api.messages.flyteidl2.workflow.state_service import ActionUpdate
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_rpc.calls.call_path import stream
from flyte_rpc.calls.client import Client

_log = logging.getLogger("flyte")

_TRANSIENT = (UnavailableError, ConnectionLostError, DeadlineExceededError, InternalError, RpcCancelledError)
_MAX_FAILURES = 40
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LINGER = 30.0
"""Seconds that the stream stays open when nobody waits: the next call spares itself the state of all earlier ones."""
# Servers drop updates that a slow reader leaves waiting, so a long silence is a reason to ask for the state again.
_SILENCE = 30.0


class Ended(NamedTuple):
    """How a child ended."""

    phase: ActionPhase
    error: ExecutionError | None
    output_uri: str


class Children:
    """Waits for children by name. Lives on one event loop; watches while somebody waits, and a little longer."""

    def __init__(self, client: Client, parent: ActionIdentifier) -> None:
        self._client = client
        self._parent = parent
        self._ended: dict[str, Ended] = {}
        self._waiting: dict[str, asyncio.Future[Ended]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None

    async def ended(self, name: str) -> Ended:
        """Wait until a child has ended.

        Raises:
            RpcError: Its state can't be followed any more.
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
        """Stop watching until somebody waits again."""
        self._resting = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                async with aclosing(stream(self._client, ActionsService.WATCH_FOR_UPDATES, self._request())) as updates:
                    while True:
                        async with asyncio.timeout(_SILENCE):
                            reply = await anext(updates, None)
                        if reply is None:
                            break
                        failures = 0
                        if reply.action_update is not None:
                            self._learn(reply.action_update)
            except TimeoutError:
                continue
            except _TRANSIENT as cause:
                if not self._waiting:
                    return
                failures += 1
                _log.warning("following the children of %s failed (%d): %s", self._parent.name, failures, cause)
                if failures >= _MAX_FAILURES:
                    self._give_up(cause)
                    return
            except Exception as cause:  # whoever waits is told, whatever it is; otherwise they would wait for ever
                self._give_up(cause)
                return
            await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** max(0, failures - 1)))

    def _request(self) -> WatchForUpdatesRequest:
        return WatchForUpdatesRequest(parent_action_id=self._parent)

    def _learn(self, update: ActionUpdate) -> None:
        phase = ActionPhase.from_protobuf(int(update.phase))
        if update.action_id is None or not isinstance(phase, ActionPhase) or not phase.is_terminal:
            return
        ended = Ended(phase, update.error, update.output_uri)
        future = self._waiting.get(update.action_id.name)
        if future is None:
            self._ended[update.action_id.name] = ended
        elif not future.done():
            future.set_result(ended)

    def _give_up(self, cause: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(cause)
