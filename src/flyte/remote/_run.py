"""Runs: executions of a task, seen through their root action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from flyte_api.entities.run import RunBase
from flyte_api.entities.run_details import RunDetailsBase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import RunDetails as RunDetailsMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.paths import Reads, path
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from ._action import Action
from ._common import ActionPhase, Phase, Placed, console_url
from .runs.action_details import ActionDetails
from .runs.attempts import HasRunSpec, Rooted
from .runs.lifecycle import Followed

_PHASE: Reads[Phase] = path(RunMessage, "action.status.phase", ActionPhase.from_protobuf)


class RunDetails(HasRunSpec, RunDetailsBase):
    """Everything about a run: what it was started with, and the details of its root action."""

    @property
    def action(self) -> ActionDetails:
        """The details of the root action."""
        return ActionDetails(self.pb2.action or ActionDetailsMessage(), self._client)

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("phase", str(self.phase)), ("task_name", self.task_name))
        yield from (("task_version", self.task_version), ("labels", self.labels), ("annotations", self.annotations))
        yield from (("env_vars", self.env_vars), ("attempts", self.attempts), ("error", self.action.error_message))


class Run(Placed, Followed, Rooted, RunBase):
    """One execution of a task, with all the actions it is made of."""

    @property
    def phase(self) -> Phase:
        """The phase when this was read. One that this release does not know reads `unknown(42)`."""
        return _PHASE(self.pb2)

    def _followed(self) -> Action:
        return self.action

    def _title(self) -> str:
        return f"Run {self.name}"

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
        return cls(message_of(details.pb2, details.labels), details.client)

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
        self.pb2 = message_of(found.pb2, found.labels or self.pb2.labels)
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
        from .launch.rerun import rerun

        return await rerun(self, name, changes)


def message_of(details: RunDetailsMessage, labels: Mapping[str, str]) -> RunMessage:
    """The short form of a run's details, as a listing would give it; the labels are not in the same place."""
    inner = details.action
    action = None if inner is None else ActionMessage(id=inner.id, metadata=inner.metadata, status=inner.status)
    return RunMessage(action=action, labels=dict(labels))
