"""Actions as the watch of a whole run yields them: with the phases of their descendants."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from flyte.models import ActionPhase
from flyte.remote._common import Phase
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_api.messages.flyteidl2.common.phase import ActionPhase as PhaseNumber
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import EnrichedAction
from flyte_rpc.arguments import several, text
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.entity import Entity
from flyte_rpc.entities.filters import Clause, Several, any_of, as_filters

if TYPE_CHECKING:
    from flyte_api.choices import ActionPhaseName


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


def watch_conditions(
    in_phase: Several[PhaseNumber | ActionPhaseName] | None, task_name_contains: str | None, filters: Collection[Filter]
) -> list[Filter]:
    """Return the conditions of `watchall` as messages.

    Raises:
        TypeError: A condition has the wrong type.
        ValueError: A phase is unknown, or a condition is empty.
    """

    def clauses() -> Iterator[Clause]:
        for _, _, phases in any_of("PHASE", "in_phase", in_phase, PhaseNumber):
            yield "VALUE_IN", "PHASE", phases  # servers watch with this function only, even for one phase
        if task_name_contains is not None:
            yield "CONTAINS_CASE_INSENSITIVE", "NAME", [text("task_name_contains", task_name_contains, 1)]

    given = several("filters", filters)
    for each in given:
        if not isinstance(each, Filter):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"filters takes Filter messages, not {type(each).__name__} ({each!r}); for plain values, use in_phase= or "
                "task_name_contains="
            )
    return [*as_filters(Filter, *clauses()), *given]
