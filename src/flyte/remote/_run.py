"""Runs: executions of a task, seen through their root action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from flyte.runtime.client import Client
from flyte.runtime.stream import Stream
from flyte.runtime.watch import Watch
from flyte.syncify import blocking, fetching, streaming
from flyte_api.entities.run import RunBase
from flyte_api.entities.run_details import RunDetailsBase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage

from ._action import Action
from ._action_common import Place, WaitFor
from ._action_details import ActionDetails
from ._common import HasPhase, Phase, console_url

if TYPE_CHECKING:
    from ._io import ActionInputs, ActionOutputs


class RunDetails(HasPhase, RunDetailsBase):
    """Everything about a run: what it was started with, and the details of its root action."""

    def _status(self) -> ActionStatus | None:
        return None if self.pb2.action is None else self.pb2.action.status

    @property
    def action(self) -> ActionDetails:
        """The details of the root action."""
        return ActionDetails(self.pb2.action or ActionDetailsMessage(), self._client)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the run was started with."""
        spec = self.pb2.run_spec
        return {} if spec is None or spec.labels is None else dict(spec.labels.values)

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations that the run was started with."""
        spec = self.pb2.run_spec
        return {} if spec is None or spec.annotations is None else dict(spec.annotations.values)

    @property
    def env_vars(self) -> dict[str, str]:
        """The environment variables that the run was started with, beside those of its task."""
        spec = self.pb2.run_spec
        return {} if spec is None or spec.envs is None else {pair.key: pair.value for pair in spec.envs.values}

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("phase", str(self.phase)), ("task_name", self.task_name))
        yield from (("task_version", self.task_version), ("labels", self.labels), ("annotations", self.annotations))
        yield from (("env_vars", self.env_vars), ("attempts", self.attempts), ("error", self.action.error_message))


class Run(HasPhase, RunBase):
    """One execution of a task, with all the actions it is made of."""

    def _status(self) -> ActionStatus | None:
        return None if self.pb2.action is None else self.pb2.action.status

    @fetching
    @classmethod
    async def get(
        cls,
        name: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch a run.

        Args:
            name: Name of the run, at most 30 characters.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is no such run.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetRunDetails`.
        """
        details = await RunDetails.get.aio(name, project=project, domain=domain, client=client)
        return cls(_message_of(details), details.client)

    @property
    def action(self) -> Action:
        """The root action, which stands for the run. What is learnt through it shows in the run."""
        return Action(self.pb2.action or ActionMessage(), self._client).reporting_to(self._learn)

    @property
    def url(self) -> str:
        """Where the web console shows the run."""
        return console_url(self.client, self.domain, self.project, "runs", self.name)

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("phase", str(self.phase)), ("task_name", self.task_name))
        yield from (("task_version", self.task_version), ("start_time", self.start_time))
        yield from (("labels", self.labels), ("url", self.url if self._client is not None else None))

    @property
    def place(self) -> Place:
        """The project and domain it is in, as keyword arguments of a call."""
        return Place(project=self.project or None, domain=self.domain or None)

    def _learn(self, action: Action) -> None:
        self.pb2 = RunMessage(action=action.pb2, labels=self.pb2.labels)

    @blocking
    async def details(self) -> RunDetails:
        """Everything about the run as it is now; it brings the run up to date too.

        Raises:
            NotFoundError: There is no such run any more.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetRunDetails`.
        """
        found = await RunDetails.get.aio(self.name, **self.place, client=self.client)
        self.pb2 = _message_of(found, self.pb2)
        return found

    @blocking
    async def sync(self) -> Run:
        """Bring the run up to date.

        Returns:
            This run.

        Raises:
            NotFoundError: There is no such run any more.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetRunDetails`.
        """
        await self.details.aio()
        return self

    @streaming
    def watch(self, *, timeout: float | None = None) -> Watch[ActionDetails]:
        """Follow the run until it ends: the details of its root action now, and again after each change.

        The run itself is brought up to date with each of them.

        Args:
            timeout: Seconds after which the watch gives up. Default: never.

        Returns:
            A watch, to be used with `for` or `async for`; it reconnects when the connection is lost.

        Raises:
            NotFoundError: There is no such run.
            WaitTimeoutError: `timeout` is over. The run goes on.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.WatchActionDetails`.
        """
        return self.action.watch(timeout=timeout)

    @blocking
    async def wait(self, *, timeout: float | None = None, wait_for: WaitFor = "terminal", quiet: bool = False) -> Phase:
        """Wait for the run, and show how it gets on.

        Args:
            timeout: Seconds to wait at most. Default: as long as it takes. The run itself is never touched.
            wait_for: "terminal" for its end, "running" for its start, "logs-ready" for its first logs. The end of the
                run ends each of them.
            quiet: Whether nothing is shown. Default: a panel on a terminal or in a notebook, a line for each phase
                elsewhere.

        Returns:
            The phase it is in. A failed run is no error here: see `raise_for_status`.

        Raises:
            ValueError: `wait_for` is none of the above.
            WaitTimeoutError: `timeout` is over.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.WatchActionDetails`.
        """
        from ._wait import wait

        return await wait(self.action, timeout=timeout, wait_for=wait_for, quiet=quiet, title=f"Run {self.name}")

    @blocking
    async def raise_for_status(self) -> None:
        """Raise what the run ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            BaseRuntimeError: It failed, timed out or was aborted; the subclasses say which.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        await self.action.raise_for_status.aio()

    @blocking
    async def inputs(self, *, as_types: Mapping[str, Any] | None = None) -> ActionInputs:
        """The inputs, as Python values by name. See `ActionDetails.inputs`.

        Calls `RunService.GetActionDetails` and `DataProxyService.GetActionData`.
        """
        return await self.action.inputs.aio(as_types=as_types)

    @blocking
    async def outputs(self, *, as_types: Mapping[str, Any] | None = None) -> ActionOutputs:
        """The outputs, as a tuple of Python values with names. See `ActionDetails.outputs`.

        Calls `RunService.GetActionDetails` and `DataProxyService.GetActionData`.
        """
        return await self.action.outputs.aio(as_types=as_types)

    @blocking
    async def rerun(self, /, *, name: str | None = None, **changes: Any) -> Run:
        """Start the run again: the same definition of the task, with the same inputs but for the changes.

        Args:
            name: Name of the new run. Default: the server makes one up.
            changes: Inputs that are to differ, by name.

        Returns:
            The new run.

        Raises:
            RemoteTaskUsageError: There is no such input; nothing was started.
            TypeError: An input has the wrong type; nothing was started.
            NotFoundError: The server has lost the run or its inputs.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetRunDetails`, `DataProxyService.GetActionData` and `UploadInputs`, and `RunService.CreateRun`.
        """
        from ._rerun import rerun

        return await rerun(self, name, changes)

    @streaming
    def get_logs(
        self, attempt: int | None = None, *, filter_system: bool = False, show_ts: bool = False
    ) -> Stream[str]:
        """Follow the logs of the root action, line by line, until its attempt has ended. See `Action.get_logs`.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
            show_ts: Whether each line starts with its time in UTC. Default: False.
        """
        return self.action.get_logs(attempt, filter_system=filter_system, show_ts=show_ts)

    @blocking
    async def show_logs(
        self,
        attempt: int | None = None,
        *,
        max_lines: int | None = None,
        show_ts: bool = False,
        filter_system: bool = False,
    ) -> None:
        """Print the logs of the root action as they come, until its attempt has ended. See `Action.show_logs`.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            max_lines: Stop after this many. Default: never.
            show_ts: Whether each line starts with its time in UTC. Default: False.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
        """
        await self.action.show_logs.aio(attempt, max_lines=max_lines, show_ts=show_ts, filter_system=filter_system)


def _message_of(details: RunDetails, known: RunMessage | None = None) -> RunMessage:
    """The short form of a run's details, labels included, as a listing would give it."""
    inner = details.pb2.action
    action = None if inner is None else ActionMessage(id=inner.id, metadata=inner.metadata, status=inner.status)
    return RunMessage(action=action, labels=details.labels or ({} if known is None else known.labels))
