"""The fields that actions and their details share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyte.remote._common import ProjectScope, console_url
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionMetadata, ActionStatus
from flyte_rpc.codec.message import which_one_of

from .state import HasPhase

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.common.run import Relation

ROOT_ACTION = "a0"


class ActionFields(HasPhase):
    """Mixin for actions, their details, and conditions."""

    _REPR: ClassVar[tuple[str, ...]] = ("run_name", "name", "phase!s", "task_name", "parent_name", "attempts")
    _CONSOLE_PAGE: ClassVar[str] = "runs"
    """The run's page in the web console."""

    @property
    def action_id(self) -> ActionIdentifier:
        """The identifier of the action."""
        identifier: ActionIdentifier = self.pb2.id or ActionIdentifier()
        return identifier

    @property
    def metadata(self) -> ActionMetadata:
        """The properties that do not change with the state; empty if the server left them out."""
        metadata: ActionMetadata | None = self.pb2.metadata
        return ActionMetadata() if metadata is None else metadata

    @property
    def status(self) -> ActionStatus:
        """The phase, attempts and times; empty if the server left them out."""
        return self._status() or ActionStatus()

    @property
    def relation(self) -> Relation | None:
        """How the action is related to another one, such as the one it repeats; None if the server sends no relation."""
        return self.metadata.relation

    @property
    def parent_name(self) -> str | None:
        """Name of the action that started this one; None for the root."""
        return self.metadata.parent or None

    @property
    def group(self) -> str:
        """The group that the parent assigned; empty for none."""
        return self.metadata.group

    @property
    def is_root(self) -> bool:
        """Whether this is the root action of the run."""
        return self.action_id.name == ROOT_ACTION

    @property
    def kind(self) -> str:
        """`task`, `trace` or `condition`; empty if the server left it out."""
        return which_one_of(self.metadata, "spec")[0]

    @property
    def url(self) -> str:
        """The action's page in the web console."""
        run = self.action_id.run or RunIdentifier()
        return console_url(
            self.client, run.domain, run.project, self._CONSOLE_PAGE, run.name, action=self.action_id.name
        )

    @property
    def _scope(self) -> ProjectScope:
        run = self.action_id.run or RunIdentifier()
        return ProjectScope(project=run.project or None, domain=run.domain or None)
