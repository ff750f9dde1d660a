"""What actions and their details have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from flyte.remote._common import HasPhase, Place, console_url
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionMetadata, ActionStatus
from flyte_rpc.codec.message import which_one_of

if TYPE_CHECKING:
    from flyte_rpc.calls.client import Client


ROOT_ACTION = "a0"
WaitFor = Literal["terminal", "running", "logs-ready"]


class ActionLike(HasPhase):
    """What an action and its details have in common."""

    _KIND_OF_PAGE = "runs"
    """What the web console shows its run among."""

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
        return console_url(
            self.client,
            place["domain"] or "",
            place["project"] or "",
            self._KIND_OF_PAGE,
            self.run_name,
            action=self.name,
        )

    @property
    def place(self) -> Place:
        """The project and domain it is in, as keyword arguments of a call."""
        run = self.action_id.run
        return Place(
            project=None if run is None else run.project or None, domain=None if run is None else run.domain or None
        )

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("run_name", self.run_name), ("name", self.name), ("phase", str(self.phase)))
        yield from (("task_name", self.task_name), ("parent_name", self.parent_name), ("attempts", self.attempts))
