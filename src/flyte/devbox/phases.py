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
"""Phases of actions that have ended."""

WITH_OUTPUTS = frozenset((ActionPhase.SUCCEEDED, ActionPhase.RECOVERED))
"""Phases in which an action's outputs are available."""


def is_terminal(phase: int) -> bool:
    """Whether an action in this phase has ended."""
    return phase in TERMINAL


def may_follow(current: int, new: int) -> bool:
    """Whether an action in phase `current` accepts a report of phase `new`.

    Phases only move forward, in the order of their numbers, so that late and repeated reports do no harm. Two exceptions:
    a failed action may be retried, and a paused action may end, although PAUSED has a higher number than the final phases.
    """
    if current <= new or current in (ActionPhase.FAILED, ActionPhase.TIMED_OUT):
        return True
    return current == ActionPhase.PAUSED and is_terminal(new)
