"""Actions as the watch of a whole run yields them: with the phases of their descendants."""

from __future__ import annotations

from typing import Any

from flyte.models import ActionPhase
from flyte.remote._common import Phase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import EnrichedAction
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.entity import Entity


class WatchedAction(Entity[Any]):
    """Mixin for actions that `watchall` yields."""

    _seen: EnrichedAction | None = None
    """What the watch sent; None for an action from elsewhere."""

    @property
    def descendant_phases(self) -> dict[Phase, int]:
        """How many descendants were in each phase when `watchall` yielded this; empty for an action from elsewhere."""
        counts = {} if self._seen is None else self._seen.children_phase_counts
        return {ActionPhase.from_protobuf(phase): count for phase, count in sorted(counts.items()) if count}

    @property
    def meets_filter(self) -> bool:
        """Whether the action met the filters of `watchall`; True for an action from elsewhere.

        A watch also sends the parents of actions that meet them, and actions that do so no longer.
        """
        return self._seen is None or self._seen.meets_filter

    @classmethod
    def _watched(cls, item: EnrichedAction, client: Client) -> Any:
        action = cls(item.action or ActionMessage(), client)
        action._seen = item
        return action
