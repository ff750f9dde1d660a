"""The details of a run: its settings, and the details of its root action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte_api.entities.run_details import RunDetailsBase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.sync.decorators import blocking

from .action_details import ActionDetails
from .state import HasRootAction

if TYPE_CHECKING:
    from .inputs_outputs import ActionInputs, ActionOutputs


class HasRunSpec(HasRootAction):
    """Mixin for the details of runs."""

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
        """The environment variables that the run was started with, in addition to those of its task."""
        spec = self.pb2.run_spec
        return {} if spec is None or spec.envs is None else {pair.key: pair.value for pair in spec.envs.values}


class RunDetails(HasRunSpec, RunDetailsBase):
    """Everything about a run: its settings, and the details of its root action."""

    _REPR = (
        "name",
        "phase!s",
        "task_name",
        "task_version",
        "labels",
        "annotations",
        "env_vars",
        "attempts",
        "error=action.error_message",
    )

    @property
    def action(self) -> ActionDetails:
        """The details of the root action."""
        return ActionDetails(self.pb2.action or ActionDetailsMessage(), self._client)

    @property
    def action_details(self) -> ActionDetails:
        """The same as `action`; the name that the official SDK has for it."""
        return self.action

    @property
    def action_id(self) -> ActionIdentifier:
        """The identifier of the root action."""
        return self.action.action_id

    @blocking
    @within_timeout
    async def inputs(
        self,
        *,
        as_types: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        timeout: float | timedelta | None = None,
    ) -> ActionInputs:
        """Fetch the inputs as Python values by name. See `ActionDetails.inputs`.

        Args:
            as_types: Classes to read values as, by name. Default: classes generated from the definition.
            allow_pickle: Load pickled values. Loading a pickle runs the code inside it, so do this only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Calls `DataProxyService.GetActionData`.
        """
        return await self.action.inputs.aio(as_types=as_types, allow_pickle=allow_pickle)

    @blocking
    @within_timeout
    async def outputs(
        self,
        *,
        as_types: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        timeout: float | timedelta | None = None,
    ) -> ActionOutputs:
        """Fetch the outputs as a tuple of named Python values. See `ActionDetails.outputs`.

        Args:
            as_types: Classes to read values as, by name. Default: classes generated from the definition.
            allow_pickle: Load pickled values. Loading a pickle runs the code inside it, so do this only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Calls `DataProxyService.GetActionData`.
        """
        return await self.action.outputs.aio(as_types=as_types, allow_pickle=allow_pickle)
