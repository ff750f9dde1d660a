"""Actions: the units that a run is made of."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Self

from flyte_api.entities.action import ActionBase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.stream import Stream
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .runs.action_details import ActionDetails
from .runs.action_like import ROOT_ACTION, ActionLike
from .runs.lifecycle import Followed


class Action(Followed, ActionLike, ActionBase):
    """One unit of execution within a run."""

    _report: Callable[[Action], None] | None = None
    _newest: ActionDetails | None = None

    # A settable property does for an attribute what pyright doubts: it is read, assigned and given to the constructor alike.
    @property
    def pb2(self) -> ActionMessage:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The message the entity wraps."""
        message: ActionMessage = self.__dict__["pb2"]
        newest, self._newest = self._newest, None
        if newest is not None:
            # Only now: a watch brings many states of which few are looked at here.
            state = newest.pb2
            message = ActionMessage(id=message.id or state.id, metadata=state.metadata, status=state.status)
            self.__dict__["pb2"] = message
        return message

    @pb2.setter
    def pb2(self, message: ActionMessage) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._newest = None
        self.__dict__["pb2"] = message

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
        self._newest = item
        if self._report is not None:
            self._report(self)

    def reporting_to(self, report: Callable[[Action], None]) -> Self:
        """Have `report` called whenever the action is brought up to date; returns this action."""
        self._report = report
        return self

    def _followed(self) -> Action:
        return self

    def _title(self) -> str:
        return f"{self.run_name}/{self.name}"

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
