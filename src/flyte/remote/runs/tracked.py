"""Runs that execute elsewhere and report to the control plane, which stores and shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Self

from flyte.remote._common import ProjectScoped, console_url
from flyte_api.entities.run import run_summary
from flyte_api.entities.tracked_action import TrackedActionBase
from flyte_api.entities.tracked_action_details import TrackedActionDetailsBase
from flyte_api.entities.tracked_run import TrackedRunBase
from flyte_api.entities.tracked_run_details import TrackedRunDetailsBase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import RunDetails as RunDetailsMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .action_fields import ROOT_ACTION, ActionFields
from .attempt_history import AttemptHistory
from .run_details import HasRunSpec
from .state import ActionState, RunState
from .watched_action import WatchedAction

_PAGE = "tracked-runs"


class TrackedActionDetails(AttemptHistory, TrackedActionDetailsBase):
    """The reported details of an action."""

    _CONSOLE_PAGE = _PAGE

    async def _fetch_details(self) -> TrackedActionDetails:
        return await TrackedActionDetails.get.aio(self.run_name, self.name, **self._scope, client=self.client)


class TrackedAction(WatchedAction, ActionState, ActionFields, TrackedActionBase):
    """One action of a tracked run."""

    _CONSOLE_PAGE = _PAGE

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
