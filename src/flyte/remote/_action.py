"""Actions: the units that a run is made of, and everything known about one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

import attrs

from flyte.models import ActionPhase
from flyte.runtime.client import Client
from flyte.runtime.message import which_one_of
from flyte.runtime.stream import Stream
from flyte.syncify import blocking, fetching, streaming
from flyte_api.entities.action import ActionBase
from flyte_api.entities.action_details import ActionDetailsBase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    AbortInfo,
    ActionAttempt,
    ActionMetadata,
    ActionStatus,
    ErrorInfo,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage

from ._common import HasPhase, Phase, console_url

if TYPE_CHECKING:
    from ._io import ActionInputs, ActionOutputs


class Place(TypedDict):
    """Where a run is, as keyword arguments."""

    project: str
    domain: str


ROOT_ACTION = "a0"
WaitFor = Literal["terminal", "running", "logs-ready"]


@attrs.frozen
class PhaseTransition:
    """One phase that an attempt went through."""

    phase: Phase
    start_time: datetime | None
    end_time: datetime | None

    @property
    def duration(self) -> timedelta | None:
        """How long it lasted; None while it does."""
        if self.start_time is None or self.end_time is None:
            return None
        return self.end_time - self.start_time


class _ActionLike(HasPhase):
    """What an action and its details have in common."""

    if TYPE_CHECKING:
        pb2: Any

        @property
        def client(self) -> Client: ...
        @property
        def name(self) -> str: ...
        @property
        def run_name(self) -> str: ...
        @property
        def task_name(self) -> str: ...

    def _status(self) -> ActionStatus | None:
        status: ActionStatus | None = self.pb2.status
        return status

    @property
    def action_id(self) -> ActionIdentifier:
        """What names the action."""
        found: ActionIdentifier = self.pb2.id or ActionIdentifier()
        return found

    @property
    def metadata(self) -> ActionMetadata:
        """What is known of the action apart from its state; empty where the server left it out."""
        found: ActionMetadata | None = self.pb2.metadata
        return ActionMetadata() if found is None else found

    @property
    def parent_name(self) -> str | None:
        """Name of the action that started this one; None for the root."""
        return self.metadata.parent or None

    @property
    def group(self) -> str:
        """The group that its parent put it in; empty for none."""
        return self.metadata.group

    @property
    def is_root(self) -> bool:
        """Whether this is the action that stands for the run itself."""
        return self.name == ROOT_ACTION

    @property
    def kind(self) -> str:
        """`task`, `trace` or `condition`; empty where the server left it out."""
        return which_one_of(self.metadata, "spec")[0]

    @property
    def url(self) -> str:
        """Where the web console shows it."""
        place = self.place
        return console_url(self.client, place["domain"], place["project"], "runs", self.run_name, action=self.name)

    @property
    def place(self) -> Place:
        """The project and domain it is in, as keyword arguments of a call."""
        run = self.action_id.run
        return Place(project="", domain="") if run is None else Place(project=run.project, domain=run.domain)

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("run_name", self.run_name), ("name", self.name), ("phase", str(self.phase)))
        yield from (("task_name", self.task_name), ("parent_name", self.parent_name), ("attempts", self.attempts))


class ActionDetails(_ActionLike, ActionDetailsBase):
    """Everything about an action: its attempts, their phases and errors, and what it ran."""

    @property
    def error_info(self) -> ErrorInfo | None:
        """Why it failed; None unless it did."""
        found: ErrorInfo | None = self.pb2.error_info
        return found

    @property
    def error_message(self) -> str:
        """Why it failed, in words; empty unless it did."""
        return "" if self.error_info is None else self.error_info.message

    @property
    def abort_info(self) -> AbortInfo | None:
        """Why it was aborted; None unless it was."""
        found: AbortInfo | None = self.pb2.abort_info
        return found

    @property
    def attempt_details(self) -> list[ActionAttempt]:
        """Every attempt, the first one first, with phases, errors and cluster events."""
        return list(self.pb2.attempts)

    def attempt(self, number: int | None = None) -> ActionAttempt | None:
        """One attempt.

        Args:
            number: Which, from 1. Default: the latest.

        Returns:
            The attempt, or None when there is none of that number.
        """
        attempts = self.pb2.attempts
        if number is None:
            return max(attempts, key=lambda a: a.attempt, default=None)
        return next((a for a in attempts if a.attempt == number), None)

    def phase_transitions(self, attempt: int | None = None) -> list[PhaseTransition]:
        """The phases that an attempt went through, in order.

        Args:
            attempt: Which, from 1. Default: the latest.

        Returns:
            The transitions; none when there is no attempt of that number.
        """
        found = self.attempt(attempt)
        if found is None:
            return []
        return [
            PhaseTransition(
                phase=ActionPhase.from_protobuf(int(t.phase)),
                start_time=None if t.start_time is None else t.start_time.to_datetime(),
                end_time=None if t.end_time is None else t.end_time.to_datetime(),
            )
            for t in found.phase_transitions
        ]

    get_phase_transitions = phase_transitions

    @property
    def phase_durations(self) -> dict[Phase, timedelta]:
        """How long the latest attempt was in each phase, repeated phases added up."""
        out: dict[Phase, timedelta] = {}
        for transition in self.phase_transitions():
            if transition.duration is not None:
                out[transition.phase] = out.get(transition.phase, timedelta(0)) + transition.duration
        return out

    def logs_available(self, attempt: int | None = None) -> bool:
        """Whether an attempt has logs to read.

        Args:
            attempt: Which, from 1. Default: the latest.
        """
        found = self.attempt(attempt)
        return found is not None and found.logs_available

    def raise_for_status(self) -> None:
        """Raise what the action ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            ActionAbortedError: It was aborted.
            TaskTimeoutError: It took longer than it may.
            BaseRuntimeError: It failed; the subclasses say whose fault it is.
        """
        from ._outcome import raise_for_status

        raise_for_status(self)

    @blocking
    async def inputs(self) -> ActionInputs:
        """The inputs, as Python values by name.

        Raises:
            NotFoundError: The server has no inputs of this action.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.GetActionData`.
        """
        from ._io import read_inputs

        return await read_inputs(self)

    @blocking
    async def outputs(self) -> ActionOutputs:
        """The outputs, as a tuple of Python values with names.

        Raises:
            NotDoneError: The action has not ended yet.
            BaseRuntimeError: It ended without outputs: it failed, timed out or was aborted.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.GetActionData`.
        """
        from ._io import read_outputs

        return await read_outputs(self)


class Action(_ActionLike, ActionBase):
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
    async def inputs(self) -> ActionInputs:
        """The inputs, as Python values by name. See `ActionDetails.inputs`."""
        return await (await self._fetch_details()).inputs.aio()

    @blocking
    async def outputs(self) -> ActionOutputs:
        """The outputs, as a tuple of Python values with names. See `ActionDetails.outputs`."""
        return await (await self._fetch_details()).outputs.aio()

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
