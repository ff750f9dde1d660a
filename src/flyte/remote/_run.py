"""Runs: executions of a task, seen through their root action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from flyte_api.entities.run import RunBase, run_summary
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.codec.paths import Reads, path
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching

from ._action import Action
from ._common import ActionPhase, Phase, ProjectScoped, console_url
from .runs.action_details import ActionDetails
from .runs.run_details import RunDetails
from .runs.run_like import RunLike
from .runs.state import RunState

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.common.run import Relation

    from .runs.downloads.code_bundle import CodeBundle

_PHASE: Reads[Phase] = path(RunMessage, "action.status.phase", ActionPhase.from_protobuf)


class Run(RunState, RunLike, RunBase, ProjectScoped):
    """One execution of a task, with its actions."""

    @property
    def phase(self) -> Phase:
        """The phase when the run was fetched. An unknown phase is shown as `unknown(42)`."""
        return _PHASE(self.pb2)

    _REPR: ClassVar[tuple[str, ...]] = (
        "name",
        "phase!s",
        "task_name",
        "task_version",
        "start_time",
        "labels",
        "url=_url_of_client",
    )

    def _action_id(self) -> ActionIdentifier:
        return self.action.action_id

    def _watch_action(self, timeout: float | timedelta | None = None) -> Watch[ActionDetails]:
        return self.action.watch(timeout=timeout)

    async def _fetch_details(self) -> ActionDetails:
        return await self.action.details.aio()

    def _title(self) -> str:
        return f"Run {self.name}"

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

        Calls `RunService.GetRunDetails`.
        """
        details = await RunDetails.get.aio(name, project=project, domain=domain, client=client)
        return cls(run_summary(details.pb2, labels=details.labels), details.client)

    @property
    def action(self) -> Action:
        """The root action of the run. Run and root action share the newest state that either has fetched."""
        state = self._shared_state()
        action = Action(state.message, self._client)
        action._latest = state  # pyright: ignore[reportPrivateUsage]  # both share one state
        return action

    @property
    def url(self) -> str:
        """The run's page in the web console."""
        return console_url(self.client, self.domain, self.project, "runs", self.name)

    @property
    def _url_of_client(self) -> str | None:
        return self.url if self._client is not None else None

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> RunDetails:
        """Fetch the details of the run, and update the run.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The run no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetRunDetails`.
        """
        details = await RunDetails.get.aio(self.name, **self._scope, client=self.client)
        self.pb2 = run_summary(details.pb2, labels=details.labels or self.pb2.labels)
        return details

    @blocking
    @within_timeout
    async def sync(self, *, timeout: float | timedelta | None = None) -> Run:
        """Fetch the newest state of the run.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Returns:
            This run.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The run no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetRunDetails`.
        """
        await self.details.aio()
        return self

    @property
    def relation(self) -> Relation | None:
        """How the run is related to another one, such as the one it repeats; None if the server sends no relation."""
        return self.action.relation

    @blocking
    @within_timeout
    async def code_bundle(self, *, timeout: float | timedelta | None = None) -> CodeBundle | None:
        """Find the code that was uploaded beside the image of the task.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Returns:
            The versions and URIs; None if the code is part of the image. `download_code` downloads it.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The run no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        return (await self._fetch_details()).code_bundle

    @blocking
    @within_timeout
    async def first_failure(self, *, timeout: float | timedelta | None = None) -> ActionDetails | None:
        """Find the action whose failure came first: usually the cause of the failure of the run.

        An action that failed or timed out without a failed child comes before its parents. Aborted actions count only
        if no action failed, because a failure aborts the rest of the run.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The details of the action, with its error; None if no action failed or was aborted so far.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.ListActions` and `RunService.GetActionDetails`.
        """
        from .runs.queries.failures import first_failed

        phases = (ActionPhase.FAILED, ActionPhase.TIMED_OUT, ActionPhase.ABORTED)
        listed = Action.listall(self.name, phases, brief=True, **self._scope, client=self.client)
        name = first_failed(await listed.collect.aio())
        if name is None:
            return None
        return await ActionDetails.get.aio(self.name, name, **self._scope, client=self.client)

    @blocking
    async def rerun(
        self,
        /,
        *,
        name: str | None = None,
        on_existing: Literal["reuse", "error"] | None = None,
        recover: bool = False,
        action_name: str = "a0",
        force_rerun_action: str | Sequence[str] | None = None,
        allow_missing_outputs: bool = False,
        env_vars: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> Run:
        """Start a new run with the same task definition, settings and inputs, except for the changes.

        Args:
            name: Name of the new run. Default: a random one.
            on_existing: What to do if a run of that name exists: "reuse" returns it, "error" raises an
                `AlreadyExistsError`. Default: return it if it has the same task and inputs, else raise the error.
            recover: Whether to keep the results of actions that succeeded, and run only the others. Default: False.
                Servers that cannot recover run all actions.
            action_name: The action whose task and inputs to use. Default: "a0", the root action.
            force_rerun_action: With `recover`, names of actions to run although they succeeded.
            allow_missing_outputs: Whether to start even if the outputs of this run were deleted. Then the client cannot
                check that its inputs still exist. Default: False.
            env_vars: Environment variables to add or change.
            labels: Labels to add or change.
            changes: New values of inputs, by name. If an input has the name of an argument, use `flyte.run`.

        Returns:
            The new run.

        Raises:
            RemoteTaskUsageError: The input does not exist; nothing was started.
            TypeError: An input has the wrong type; nothing was started.
            ValueError: The name or `on_existing` is invalid, or arguments conflict; nothing was started.
            AlreadyExistsError: The name is taken by a run with another task or other inputs.
            NotFoundError: The run, the action or its inputs no longer exist.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetRunDetails`, `DataProxyService.GetActionData` and `UploadInputs`, and `RunService.CreateRun`;
        with an action `RunService.GetActionDetails`, and for missing outputs `RunService.GetActionDataURIs`.
        """
        from .launch.rerun import Rerun, rerun
        from .launch.run_context import RunContext

        what = Rerun(action_name, recover, force_rerun_action, allow_missing_outputs)
        context = RunContext(name=name, on_existing=on_existing, env_vars=env_vars, labels=labels).named()
        details = await self.details.aio()
        scope = self.client.scope(**self._scope)
        return Run(await rerun(details, scope, context, what, changes), self.client)
