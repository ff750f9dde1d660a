"""Actions: the units that a run is made of."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from flyte.runtime.client import Client
from flyte.runtime.stream import Stream
from flyte.syncify import blocking, fetching, streaming
from flyte_api.entities.action import ActionBase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage

from ._action_common import ROOT_ACTION, ActionLike, WaitFor
from ._action_details import ActionDetails
from ._common import Phase

if TYPE_CHECKING:
    from ._io import ActionInputs, ActionOutputs


class Action(ActionLike, ActionBase):
    """One unit of execution within a run."""

    _report: Callable[[Action], None] | None = None

    @fetching
    @classmethod
    async def get(
        cls,
        run_name: str,
        name: str = ROOT_ACTION,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch an action.

        Args:
            run_name: Name of the run, at most 30 characters.
            name: Name of the action within the run. Default: the root action, `a0`.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is no such run or action.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        found = await ActionDetails.get.aio(run_name, name, project=project, domain=domain, client=client)
        return cls(ActionMessage(id=found.pb2.id, metadata=found.pb2.metadata, status=found.pb2.status), found.client)

    def _update(self, item: ActionDetails) -> None:
        self.pb2 = ActionMessage(id=self.pb2.id or item.pb2.id, metadata=item.pb2.metadata, status=item.pb2.status)
        if self._report is not None:
            self._report(self)

    def reporting_to(self, report: Callable[[Action], None]) -> Self:
        """Have `report` called whenever the action is brought up to date; returns this action."""
        self._report = report
        return self

    @blocking
    async def sync(self) -> Action:
        """Bring the action up to date.

        Returns:
            This action.

        Raises:
            NotFoundError: There is no such action any more.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        await self._fetch_details()
        return self

    @blocking
    async def details(self) -> ActionDetails:
        """Everything about the action as it is now; it brings the action up to date too.

        Raises:
            NotFoundError: There is no such action any more.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        return await self._fetch_details()

    async def _fetch_details(self) -> ActionDetails:
        found = await ActionDetails.get.aio(self.run_name, self.name, **self.place, client=self.client)
        self._update(found)
        return found

    @blocking
    async def wait(self, *, timeout: float | None = None, wait_for: WaitFor = "terminal", quiet: bool = False) -> Phase:
        """Wait for the action, and show how it gets on.

        Args:
            timeout: Seconds to wait at most. Default: as long as it takes. The action itself is never touched.
            wait_for: "terminal" for its end, "running" for its start, "logs-ready" for its first logs. The end of the
                action ends each of them.
            quiet: Whether nothing is shown. Default: a panel on a terminal or in a notebook, a line for each phase
                elsewhere.

        Returns:
            The phase it is in. A failed action is no error here: see `raise_for_status`.

        Raises:
            ValueError: `wait_for` is none of the above.
            WaitTimeoutError: `timeout` is over.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.WatchActionDetails`.
        """
        from ._wait import wait

        return await wait(self, timeout=timeout, wait_for=wait_for, quiet=quiet, title=f"{self.run_name}/{self.name}")

    @blocking
    async def raise_for_status(self) -> None:
        """Raise what the action ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            BaseRuntimeError: It failed, timed out or was aborted; the subclasses say which.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        (await self._fetch_details()).raise_for_status()

    @blocking
    async def inputs(self, *, as_types: Mapping[str, Any] | None = None) -> ActionInputs:
        """The inputs, as Python values by name. See `ActionDetails.inputs`."""
        return await (await self._fetch_details()).inputs.aio(as_types=as_types)

    @blocking
    async def outputs(self, *, as_types: Mapping[str, Any] | None = None) -> ActionOutputs:
        """The outputs, as a tuple of Python values with names. See `ActionDetails.outputs`."""
        return await (await self._fetch_details()).outputs.aio(as_types=as_types)

    @streaming
    def get_logs(
        self, attempt: int | None = None, *, filter_system: bool = False, show_ts: bool = False
    ) -> Stream[str]:
        """Follow the logs, line by line, until the attempt has ended.

        Waits for the first ones. A lost connection is taken up again where it broke, without repeating lines.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
            show_ts: Whether each line starts with its time in UTC. Default: False.

        Returns:
            A stream of lines without their line breaks, to be used with `for` or `async for`.

        Raises:
            ValueError: `attempt` is below 1.
            NotFoundError: There is no such action or attempt.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.TailLogs` and `RunService.GetActionDetails`.
        """
        from ._logs import follow

        return follow(self, attempt, filter_system=filter_system, show_ts=show_ts)

    @blocking
    async def show_logs(
        self,
        attempt: int | None = None,
        *,
        max_lines: int | None = None,
        show_ts: bool = False,
        filter_system: bool = False,
    ) -> None:
        """Print the logs as they come, until the attempt has ended. Arguments and errors as in `get_logs`.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            max_lines: Stop after this many. Default: never.
            show_ts: Whether each line starts with its time in UTC. Default: False.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
        """
        from ._logs import show

        await show(self, attempt, max_lines=max_lines, show_ts=show_ts, filter_system=filter_system)

    @blocking
    async def parent(self) -> Action | None:
        """The action that started this one.

        Returns:
            The parent; None for the root.

        Raises:
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        details = await self._fetch_details()
        if details.parent_name is None:
            return None
        return await Action.get.aio(self.run_name, details.parent_name, **self.place, client=self.client)

    @streaming
    def children(self) -> Stream[Action]:
        """The actions that this one started, the oldest first.

        Returns:
            A stream, to be used with `for` or `async for`.

        Raises:
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.ListActions`.
        """
        return Stream(self._children)

    async def _children(self) -> AsyncGenerator[Action]:
        async for other in Action.listall(self.run_name, **self.place, client=self.client):
            if other.parent_name == self.name:
                yield other
