"""The details of a run: its settings, and the details of its root action."""

from __future__ import annotations

from typing import ClassVar

from flyte_api.entities.run_details import RunDetailsBase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage

from .action_details import ActionDetails
from .run_like import HasInputsAndOutputs
from .state import HasRootAction


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


class RunDetails(HasRunSpec, HasInputsAndOutputs, RunDetailsBase):
    """Everything about a run: its settings, and the details of its root action."""

    _REPR: ClassVar[tuple[str, ...]] = (
        "name",
        "phase!s",
        "task_name",
        "task_version",
        "labels",
        "annotations",
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

    async def _fetch_details(self) -> ActionDetails:
        return self.action

    async def _current_details(self) -> ActionDetails:
        action = self.action
        if action.done():
            return action
        run = self._identity() or RunIdentifier()
        return await ActionDetails.get.aio(
            run.name, action.name, project=run.project, domain=run.domain, client=self.client
        )
