"""The metadata of listed actions. The open-source server omits it from listings, but not from the watch of a run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, TypeVar

from flyte.errors import NotFoundError, RpcError
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionMetadata, ActionType
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDetailsRequest, WatchActionsRequest
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.entities.entity import Entity, entity_key
from flyte_rpc.entities.idle import with_silences
from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.gather import gather

E = TypeVar("E", bound=Entity[Any])

_log = logging.getLogger("flyte.remote")

_AT_ONCE = 16
"""Number of details that are fetched concurrently."""
_TYPES = {"task": ActionType.TASK, "trace": ActionType.TRACE, "condition": ActionType.CONDITION}


def complete_listing(
    bare: Pager[E],
    client: Client,
    run: RunIdentifier,
    *,
    limit: int | None,
    page_size: int | None,
    timeout: float | timedelta | None = None,
    silence: float = 2.0,
    deadline: float = 10.0,
) -> Pager[E]:
    """Return a listing of actions with the metadata that the server omits.

    Args:
        bare: The listing of the server.
        client: The client for the calls.
        run: The run of the actions.
        limit: Maximum number of items; None for all.
        page_size: Items per request; None for the client's.
        timeout: Maximum seconds for each page with all its calls. Default: the client's for each call.
        silence: Seconds without a message after which the watch counts as complete.
        deadline: Maximum seconds for one watch.
    """
    metadata = _Metadata(client, run, silence, deadline)

    async def fetch(token: str, size: int) -> Page[E]:
        page = await bare.page(token, size)
        await metadata.fill_in([item.pb2 for item in page.items])
        return page

    size = client.page_size if page_size is None else page_size
    return Pager(fetch, limit=limit, page_size=size, timeout=timeout, key=entity_key)


def _is_complete(metadata: ActionMetadata | None) -> bool:
    return metadata is not None and which_one_of(metadata, "spec")[0] != ""


class _Metadata:
    """The metadata of the actions of a run, by name. It does not change while the action runs."""

    def __init__(self, client: Client, run: RunIdentifier, silence: float, deadline: float) -> None:
        self._client = client
        self._run = run
        self._silence = silence
        self._deadline = deadline
        self._known: dict[str, ActionMetadata] = {}
        self._can_watch = True

    async def fill_in(self, actions: Sequence[Action]) -> None:
        """Fill in the metadata of the actions that have none."""
        incomplete = [action for action in actions if action.id is not None and not _is_complete(action.metadata)]
        missing = self._unknown(incomplete)
        if missing and self._can_watch:
            await self._watch({action.id.name for action in missing if action.id is not None})
            missing = self._unknown(missing)
        if missing:
            turns = asyncio.Semaphore(_AT_ONCE)
            await gather(self._fetch(action, turns) for action in missing)
        for action in incomplete:
            known = None if action.id is None else self._known.get(action.id.name)
            if known is not None:
                action.metadata = _merged(action.metadata, known)

    def _unknown(self, actions: Sequence[Action]) -> list[Action]:
        return [action for action in actions if action.id is not None and action.id.name not in self._known]

    async def _watch(self, names: set[str]) -> None:
        """Read the snapshot at the beginning of a watch until it has these actions.

        Nothing marks the end of a snapshot, and no server ends the watch. So a silence ends it too.
        """
        try:
            async with (
                asyncio.timeout(self._deadline),
                aclosing(
                    stream(self._client, RunService.WATCH_ACTIONS, WatchActionsRequest(run_id=self._run))
                ) as source,
                aclosing(with_silences(source, self._silence)) as replies,
            ):
                async for reply in replies:
                    if reply is None:
                        return
                    for enriched in reply.enriched_actions:
                        action = enriched.action
                        if action is not None and action.id is not None:
                            self._known[action.id.name] = action.metadata or ActionMetadata()
                            names.discard(action.id.name)
                    if not names:
                        return
        except (RpcError, TimeoutError) as error:
            self._can_watch = False
            _log.debug("the actions of run %s cannot be watched, fetching their details: %s", self._run.name, error)

    async def _fetch(self, action: Action, turns: asyncio.Semaphore) -> None:
        async with turns:
            try:
                reply = await unary(
                    self._client, RunService.GET_ACTION_DETAILS, GetActionDetailsRequest(action_id=action.id)
                )
            except NotFoundError:  # the action was deleted after the listing
                return
        if reply.details is not None and action.id is not None:
            self._known[action.id.name] = reply.details.metadata or ActionMetadata()


def _merged(listed: ActionMetadata | None, known: ActionMetadata) -> ActionMetadata:
    """Return the known metadata with what only the listing has."""
    merged = ActionMetadata.parse(bytes(known))
    if listed is not None:
        merged.parent = merged.parent or listed.parent
        merged.group = merged.group or listed.group
    merged.action_type = merged.action_type or _TYPES.get(which_one_of(merged, "spec")[0], ActionType.UNSPECIFIED)
    return merged
