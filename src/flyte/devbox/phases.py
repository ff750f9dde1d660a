"""The phases of an action: which are final, and which may follow which."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.common.phase import ActionPhase

TERMINAL = frozenset(
    (
        ActionPhase.SUCCEEDED,
        ActionPhase.FAILED,
        ActionPhase.ABORTED,
        ActionPhase.TIMED_OUT,
        ActionPhase.RECOVERED,
    )
)
"""An action in one of these has ended."""

WITH_OUTPUTS = frozenset((ActionPhase.SUCCEEDED, ActionPhase.RECOVERED))
"""Only in these are an action's outputs offered."""


def is_terminal(phase: int) -> bool:
    """Whether an action in this phase has ended."""
    return phase in TERMINAL


def may_follow(current: int, new: int) -> bool:
    """Whether an action in phase `current` accepts a report of phase `new`.

    Phases only move forward, in the order of their numbers, so that late and repeated reports do no harm. Two exceptions:
    a failed action may be tried again, and a paused one, whose number lies behind the terminal ones, may end.
    """
    if current <= new or current in (ActionPhase.FAILED, ActionPhase.TIMED_OUT):
        return True
    return current == ActionPhase.PAUSED and is_terminal(new)
