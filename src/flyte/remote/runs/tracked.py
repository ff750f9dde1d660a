"""Runs that execute elsewhere and report to the control plane, which stores and shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Self

from flyte._client import resolve_client
from flyte.remote._common import ActionPhase, Phase, ProjectScoped, console_url
from flyte_api.entities.run import run_summary
from flyte_api.entities.tracked_action import TrackedActionBase
from flyte_api.entities.tracked_action_details import TrackedActionDetailsBase
from flyte_api.entities.tracked_run import TrackedRunBase
from flyte_api.entities.tracked_run_details import TrackedRunDetailsBase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_api.messages.flyteidl2.common.phase import ActionPhase as PhaseNumber
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.task.common import OutputReferences
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionEvent, ErrorInfo, ErrorInfoKind
from flyte_api.messages.flyteidl2.workflow.run_definition import RunDetails as RunDetailsMessage
from flyte_api.messages.flyteidl2.workflow.tracked_run_service import TrackedActionUpdate
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.arguments import text, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import Several
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .action_fields import ROOT_ACTION, ActionFields
from .attempt_history import AttemptHistory
from .run_details import HasRunSpec
from .state import ActionState, RunState
from .watched_action import WatchedAction, watch_conditions

if TYPE_CHECKING:
    from flyte_api.choices import ActionPhaseName

_PAGE = "tracked-runs"


class TrackedActionDetails(AttemptHistory, TrackedActionDetailsBase):
    """The reported details of an action."""

    _CONSOLE_PAGE = _PAGE

    async def _fetch_details(self) -> TrackedActionDetails:
        return await TrackedActionDetails.get.aio(self.run_name, self.name, **self._scope, client=self.client)


class TrackedAction(WatchedAction, ActionState, ActionFields, TrackedActionBase):
    """One action of a tracked run."""

    _CONSOLE_PAGE = _PAGE

    @streaming
    @classmethod
    def watchall(  # pyright: ignore[reportIncompatibleVariableOverride]  # it accepts more
        cls,
        for_run_name: str,
        *,
        in_phase: Several[PhaseNumber | ActionPhaseName] | None = None,
        task_name_contains: str | None = None,
        filters: Collection[Filter] = (),
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Watch[TrackedAction]:
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

        Calls `TrackedRunService.WatchActions`.
        """
        return super().watchall(
            for_run_name,
            filters=watch_conditions(in_phase, task_name_contains, filters),
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> TrackedActionDetails:
        """Fetch the reported details of the action, and update the action.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The action no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `TrackedRunService.GetActionDetails`.
        """
        details = await TrackedActionDetails.get.aio(self.run_name, self.name, **self._scope, client=self.client)
        self._shared_state().update(details.pb2)
        return details

    @streaming
    def watch(self, *, timeout: float | timedelta | None = None) -> Watch[TrackedActionDetails]:
        """Watch the action until it ends: its current details, then the details after each change.

        Args:
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.

        Returns:
            A watch for `for` or `async for`. It reconnects when the connection breaks.

        Raises:
            NotFoundError: The action does not exist.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `TrackedRunService.WatchActionDetails`.
        """
        return TrackedActionDetails(ActionDetailsMessage(id=self.action_id), self._client).watch(timeout=timeout)


class TrackedRunDetails(HasRunSpec, TrackedRunDetailsBase):
    """The reported details of a run."""

    @property
    def action(self) -> TrackedActionDetails:
        """The details of the root action."""
        return TrackedActionDetails(self.pb2.action or ActionDetailsMessage(), self._client)

    async def _fetch_details(self) -> TrackedRunDetails:
        run = self._identity() or RunIdentifier()
        return await TrackedRunDetails.get.aio(run.name, project=run.project, domain=run.domain, client=self.client)

    _REPR = ("name", "phase!s", "task_name", "labels", "error=action.error_message")


class TrackedRun(RunState, TrackedRunBase, ProjectScoped):
    """A tracked run, which executes elsewhere and reports to the control plane.

    `create` registers it, `report` updates its actions. Users can list, read and watch it like any run.
    """

    @fetching
    @classmethod
    @within_timeout
    async def get(
        cls,
        name: str,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch a run.

        Args:
            name: Name of the run, at most 30 characters.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The run does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `TrackedRunService.GetRunDetails`.
        """
        details = await TrackedRunDetails.get.aio(name, project=project, domain=domain, client=client)
        return cls(run_summary(details.pb2, labels=details.labels), details.client)

    @fetching
    @classmethod
    @within_timeout
    async def create(  # pyright: ignore[reportIncompatibleVariableOverride]  # it accepts more
        cls,
        name: str,
        task_id: TaskIdentifier | str | None = None,
        task_spec: TaskSpec | None = None,
        offloaded_input_data: OffloadedInputData | None = None,
        run_spec: RunSpec | None = None,
        labels: Mapping[str, str] | None = None,
        run_start_time: datetime | None = None,
        *,
        task_version: str | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Create a tracked run.

        Args:
            name: Name of the run, at most 30 characters: lower-case letters, digits and dashes, starting with a
                letter.
            task_id: Full name of the task, with `task_version`, or its identifier. The task belongs to the project and
                domain of the run.
            task_spec: The task, if it is not deployed.
            offloaded_input_data: Inputs that were uploaded beforehand.
            run_spec: Settings of the run.
            labels: Labels of the run.
            run_start_time: When it began. Default: now.
            task_version: Version of the task, if `task_id` is a name.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            TypeError: The version is given without a name of the task, or the name without a version; nothing was sent.
            ValueError: An argument is invalid; nothing was sent.
            AlreadyExistsError: The name is taken.
            RpcError: The call failed; the subclass says how.

        Calls `TrackedRunService.CreateRun`.
        """
        caller = resolve_client(client)
        if isinstance(task_id, str) and task_version is None:
            raise TypeError(
                f"task_id={task_id!r} needs the version of the task: pass task_version=, or a TaskIdentifier"
            )
        if task_version is not None and not isinstance(task_id, str):
            raise TypeError(
                "task_version goes with the name of the task: pass task_id='name', or a TaskIdentifier alone"
            )
        if isinstance(task_id, str):
            scope = caller.scope(project, domain)
            task_id = TaskIdentifier(
                org=scope.org,
                project=scope.project,
                domain=scope.domain,
                name=text("task_id", task_id, 1, 255),
                version=text("task_version", task_version, 1, 63),
            )
        return await super().create.aio(
            name,
            task_id,
            task_spec,
            offloaded_input_data,
            run_spec,
            labels,
            run_start_time,
            project=project,
            domain=domain,
            client=caller,
        )

    def action_update(
        self,
        name: str,
        phase: Phase | str,
        *,
        attempt: int = 1,
        parent: str | None = None,
        group: str = "",
        error: str | None = None,
        output_uri: str | None = None,
        at: datetime | None = None,
    ) -> TrackedActionUpdate:
        """Describe the progress of an action, for `report`.

        Args:
            name: Name of the action; "a0" is the root action, which stands for the run.
            phase: The phase that it reached, such as "succeeded".
            attempt: Number of the attempt, from 1. Default: 1.
            parent: The action that started it. Default: the root action; none for the root action itself.
            group: Name of a group of actions. Default: none.
            error: What went wrong, for failed actions.
            output_uri: Where its outputs are stored.
            at: When it happened, with a time zone. Default: now.

        Raises:
            ValueError: An argument is invalid, or the phase does not exist.

        Calls nothing.
        """
        moment = Timestamp.of(datetime.now(UTC) if at is None else at)
        known = str(phase).lower()
        if known not in set(ActionPhase):
            raise ValueError(f"phase is {phase!r}; the phases are {', '.join(ActionPhase)}")
        event = ActionEvent(
            id=ActionIdentifier(run=self._identity(), name=text("name", name, 1, 30)),
            attempt=whole("attempt", attempt, 1),
            phase=PhaseNumber(ActionPhase(known).to_protobuf_value()),
            updated_time=moment,
            reported_time=moment,
            error_info=None if error is None else ErrorInfo(message=error, kind=ErrorInfoKind.USER),
            outputs=None if output_uri is None else OutputReferences(output_uri=output_uri),
        )
        above = parent if parent is not None else "" if name == ROOT_ACTION else ROOT_ACTION
        return TrackedActionUpdate(event=event, parent_name=above, group=group)

    @property
    def url(self) -> str:
        """The run's page in the web console."""
        return console_url(self.client, self.domain, self.project, _PAGE, self.name)

    _REPR: ClassVar[tuple[str, ...]] = ("name", "phase!s", "task_name", "task_version", "start_time", "labels")

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> TrackedRunDetails:
        """Fetch the reported details of the run, and update the run.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The run no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `TrackedRunService.GetRunDetails`.
        """
        details = await TrackedRunDetails.get.aio(self.name, **self._scope, client=self.client)
        self.pb2 = run_summary(details.pb2, labels=details.labels or self.labels)
        return details

    @streaming
    def watch(self, *, timeout: float | timedelta | None = None) -> Watch[TrackedRunDetails]:
        """Watch the run until it ends: its current details, then the details after each change.

        Args:
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.

        Returns:
            A watch for `for` or `async for`. It reconnects when the connection breaks.

        Raises:
            NotFoundError: The run does not exist.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `TrackedRunService.WatchRunDetails`.
        """
        run = self._identity()
        root = ActionDetailsMessage(id=ActionIdentifier(run=run, name=ROOT_ACTION))
        return TrackedRunDetails(RunDetailsMessage(action=root), self._client).watch(timeout=timeout)
