"""What runs have in common, wherever they execute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyte_api.messages.flyteidl2.workflow.run_definition import ActionStatus

from ._common import HasPhase


class Rooted(HasPhase):
    """Something whose phase is that of its root action."""

    if TYPE_CHECKING:
        pb2: Any

    def _status(self) -> ActionStatus | None:
        status: ActionStatus | None = None if self.pb2.action is None else self.pb2.action.status
        return status


class HasRunSpec(Rooted):
    """The details of a run, as they are in its message."""

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
