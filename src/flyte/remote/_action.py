"""Actions: the units of a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Self

from flyte_api.entities.action import ActionBase, action_summary
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_rpc.arguments import seconds
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .runs.action_details import ActionDetails
from .runs.action_fields import ROOT_ACTION, ActionFields
from .runs.run_like import RunLike
from .runs.state import ActionState
from .runs.watched_action import WatchedAction


class Action(WatchedAction, ActionState, RunLike, ActionFields, ActionBase):
    """One unit of execution within a run."""

    @fetching
    @classmethod
    @within_timeout
    async def get(
        cls,
        run_name: str,
        name: str = ROOT_ACTION,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch an action.

        Args:
            run_name: Name of the run, at most 30 characters.
            name: Name of the action within the run. Default: the root action, `a0`.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The run or action does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        found = await ActionDetails.get.aio(run_name, name, project=project, domain=domain, client=client)
        return cls(action_summary(found.pb2), found.client)

    def _update(self, item: ActionDetails) -> None:
        self._shared_state().update(item.pb2)

    def _action_id(self) -> ActionIdentifier:
        return self.action_id

    def _watch_action(self, timeout: float | timedelta | None = None) -> Watch[ActionDetails]:
        return self.watch(timeout=timeout)

    def _title(self) -> str:
        return f"{self.run_name}/{self.name}"

    @blocking
    @within_timeout
    async def sync(self, *, timeout: float | timedelta | None = None) -> Action:
        """Fetch the newest state of the action.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Returns:
            This action.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The action no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        await self._fetch_details()
        return self

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> ActionDetails:
        """Fetch the details of the action, and update the action.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The action no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        return await self._fetch_details()

    async def _fetch_details(self) -> ActionDetails:
        found = await ActionDetails.get.aio(self.run_name, self.name, **self._scope, client=self.client)
        self._update(found)
        return found

    @blocking
    @within_timeout
    async def parent(self, *, timeout: float | timedelta | None = None) -> Action | None:
        """Fetch the action that started this one.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The parent; None for the root.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        details = await self._fetch_details()
        if details.parent_name is None:
            return None
        return await Action.get.aio(self.run_name, details.parent_name, **self._scope, client=self.client)

    @streaming
    def children(self, *, timeout: float | timedelta | None = None) -> Stream[Action]:
        """List the actions that this one started, the oldest first.

        Args:
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.

        Returns:
            A stream for `for` or `async for`.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.ListActions`.
        """
        if timeout is not None:
            seconds("timeout", timeout)
        return Stream(lambda: self._children(timeout))

    async def _children(self, timeout: float | timedelta | None) -> AsyncGenerator[Action]:
        async for other in Action.listall(self.run_name, timeout=timeout, **self._scope, client=self.client):
            if other.parent_name == self.name:
                yield other
