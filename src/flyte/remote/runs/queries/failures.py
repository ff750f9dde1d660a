"""Which action of a run failed first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from flyte.models import ActionPhase
from flyte.remote._common import Phase

_LAST = datetime.max.replace(tzinfo=UTC)


class ListedAction(Protocol):
    """What the choice needs to know of an action."""

    @property
    def name(self) -> str: ...
    @property
    def parent_name(self) -> str | None: ...
    @property
    def phase(self) -> Phase: ...
    @property
    def start_time(self) -> datetime | None: ...
    @property
    def end_time(self) -> datetime | None: ...


def first_failed(actions: Sequence[ListedAction]) -> str | None:
    """Return the name of the action whose failure came first.

    When an action fails, its parents usually fail after it, and the others are aborted. So an action with a failed child is
    not the first, and aborted actions count only if no other action failed.

    Args:
        actions: The actions that failed, timed out or were aborted, in the order of their creation.
    """
    failed = [action for action in actions if action.phase is not ActionPhase.ABORTED] or [*actions]
    parents = {action.parent_name for action in failed}
    # Names of parents that are no cycle leave at least one action.
    leaves = [action for action in failed if action.name not in parents] or failed
    earliest = min(leaves, key=lambda action: action.end_time or action.start_time or _LAST, default=None)
    return None if earliest is None else earliest.name
