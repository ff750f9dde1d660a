"""Actions: the units of a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from flyte._client import resolve_client
from flyte.errors import ActionNotFoundError, NotFoundError
from flyte_api.entities.action import ActionBase, action_summary
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import ClusterEvent
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionLogContextRequest,
    GetActionLogContextResponse,
    WatchClusterEventsRequest,
)
from flyte_api.sorting import ActionKey
from flyte_rpc.arguments import seconds, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import Several, SortedBy, TimeFilter
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .runs.action_details import ActionDetails
from .runs.action_fields import ROOT_ACTION, ActionFields
from .runs.run_like import RunLike
from .runs.state import ActionState
from .runs.watched_action import WatchedAction, watch_conditions

if TYPE_CHECKING:
    from flyte_api.choices import ActionPhaseName


class Action(WatchedAction, ActionState, RunLike, ActionFields, ActionBase):
    """One unit of execution within a run."""

    @listing
    @classmethod
    def listall(
        cls,
        for_run_name: str,
        in_phase: Several[ActionPhase | ActionPhaseName] | None = None,
        parent_name: str | None = None,
        sort_by: SortedBy[ActionKey] | None = None,
        created_at: TimeFilter | None = None,
        updated_at: TimeFilter | None = None,
        *,
        task_name: str | None = None,
        brief: bool = False,
        limit: int | None = None,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List the actions of a run, the oldest first: parents come before their children.

        Args:
            for_run_name: Name of the run, at most 30 characters.
            in_phase: Only actions in one of these phases: `ActionPhase` members or names, such as ("succeeded",
                "failed"). Default: all.
            parent_name: Only actions that this action started. Default: all.
            sort_by: Field to sort by, such as "created_at" or ("phase", "asc"); `-` in front for descending.
                Default: `created_at`.
            created_at: Only actions created in this time range. Default: all.
            updated_at: Only actions last changed in this time range. Default: all.
            task_name: Only actions of this task. Default: all.
            brief: Skip the calls for what the server leaves out of listings: the task, kind and source of each
                action. Default: False.
            limit: Maximum number of items. Default: all.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.ListActions`. If the server leaves out what `brief` skips, as the open-source server does, the
        listing reads it from the beginning of a `WatchActions` stream, usually one for the whole listing. If that fails,
        it calls `GetActionDetails` for each action.
        """
        from .runs.queries.listed_metadata import complete_listing

        caller = resolve_client(client)
        bare = cls._list(
            for_run_name=for_run_name,
            in_phase=in_phase,
            parent_name=parent_name,
            sort_by=sort_by,
            created_at=created_at,
            updated_at=updated_at,
            task_name=task_name,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=caller,
        )
        if brief:
            return bare
        scope = caller.scope(project, domain)
        run = RunIdentifier(org=scope.org, project=scope.project, domain=scope.domain, name=for_run_name)
        return complete_listing(bare, caller, run, limit=limit, page_size=page_size, timeout=timeout)

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
            ActionNotFoundError: The run or action does not exist. It is a `NotFoundError`.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        caller = resolve_client(client)
        try:
            found = await ActionDetails.get.aio(run_name, name, project=project, domain=domain, client=caller)
        except NotFoundError as cause:
            scope = caller.scope(project, domain)
            error = ActionNotFoundError(
                f"No action named {name!r} of a run named {run_name!r} in {scope.project}/{scope.domain}. "
                "Action.listall(run_name) lists the actions of a run."
            )
            error.endpoint, error.method, error.request_id = cause.endpoint, cause.method, cause.request_id
            error.attempts = cause.attempts
            raise error from None
        return cls(action_summary(found.pb2), found.client)

    @streaming
    @classmethod
    def watchall(  # pyright: ignore[reportIncompatibleVariableOverride]  # it accepts more
        cls,
        for_run_name: str,
        *,
        in_phase: Several[ActionPhase | ActionPhaseName] | None = None,
        task_name_contains: str | None = None,
        filters: Collection[Filter] = (),
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Watch[Action]:
        """Watch the actions of a run: the current state of each, then each change, with the number of descendants in
        each phase. The watch never ends, and yields nothing for a nonexistent run.

        Args:
            for_run_name: Name of the run, at most 30 characters.
            in_phase: Only actions in one of these phases, and their parents: `ActionPhase` members or names, such as
                ("running", "failed"). Default: all.
            task_name_contains: Only actions whose task name has this text after its last dot, whatever the case, and
                their parents. Default: all.
            filters: Further conditions, as messages on `PHASE` (VALUE_IN) and `NAME` (CONTAINS_CASE_INSENSITIVE).
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A watch for `for` or `async for`. It reconnects when the connection breaks. Actions that no longer meet the
            conditions are yielded once more, with `meets_filter` False.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchActions`.
        """
        return super().watchall(
            for_run_name,
            filters=watch_conditions(in_phase, task_name_contains, filters),
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )

    def _update(self, item: ActionDetails) -> None:
        self._shared_state().update(item.pb2)

    def _action_id(self) -> ActionIdentifier:
        return self.action_id

    def _watch_action(self, timeout: float | timedelta | None = None) -> Watch[ActionDetails]:
        return self._watch(timeout=timeout).telling(self._update)

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

        Calls `RunService.GetActionDetails`, and first for this action if its parent is unknown.
        """
        if self.is_root:
            return None
        name = self.parent_name or (await self._fetch_details()).parent_name
        return None if name is None else await Action.get.aio(self.run_name, name, **self._scope, client=self.client)

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

        Calls what `listall` calls.
        """
        if timeout is not None:
            seconds("timeout", timeout)
        return Stream(lambda: self._children(timeout))

    async def _children(self, timeout: float | timedelta | None) -> AsyncGenerator[Action]:
        children = Action.listall(
            self.run_name, parent_name=self.name, timeout=timeout, **self._scope, client=self.client
        )
        async with aclosing(aiter(children)) as found:
            async for child in found:
                yield child

    @streaming
    def cluster_events(
        self, attempt: int | None = None, *, timeout: float | timedelta | None = None
    ) -> Stream[ClusterEvent]:
        """Watch the events of an attempt on its cluster: scheduling, image pulls, evictions.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.
            timeout: Seconds after which the stream is cut, or a timedelta. Default: never.

        Returns:
            A stream for `for` or `async for`. Each loop opens a new stream; a broken connection raises.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The action or attempt does not exist.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchClusterEvents`, and first `RunService.GetActionDetails` if `attempt` is unset.
        """
        if attempt is not None:
            whole("attempt", attempt, 1)
        if timeout is not None:
            seconds("timeout", timeout)
        return Stream(lambda: self._events(attempt, timeout))

    async def _events(self, attempt: int | None, timeout: float | timedelta | None) -> AsyncGenerator[ClusterEvent]:
        from flyte_api.clients.flyteidl2.workflow.run_service import RunServiceClient

        number = attempt or (await self._fetch_details()).attempts or 1
        request = WatchClusterEventsRequest(id=self.action_id, attempt=number)
        replies = RunServiceClient(self.client).watch_cluster_events(request, timeout=timeout)
        async with aclosing(aiter(replies)) as found:
            async for reply in found:
                for event in reply.cluster_events:
                    yield event

    @blocking
    @within_timeout
    async def log_context(
        self, attempt: int | None = None, *, timeout: float | timedelta | None = None
    ) -> GetActionLogContextResponse:
        """Fetch the pods and containers of an attempt, and when they ran.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The reply of the server.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The action or attempt does not exist, or nothing is known of its pods.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionLogContext`, and first `RunService.GetActionDetails` if `attempt` is unset.
        """
        if attempt is not None:
            whole("attempt", attempt, 1)
        from flyte_api.clients.flyteidl2.workflow.run_service import RunServiceClient

        number = attempt or (await self._fetch_details()).attempts or 1
        request = GetActionLogContextRequest(action_id=self.action_id, attempt=number)
        return await RunServiceClient(self.client).get_action_log_context.aio(request)
