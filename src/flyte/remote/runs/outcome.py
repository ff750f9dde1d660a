"""How an action ended, as an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte._task_errors import task_error
from flyte.errors import ActionAbortedError, NotDoneError, RuntimeUnknownError, TaskTimeoutError
from flyte.models import ActionPhase

if TYPE_CHECKING:
    from .attempts import HasAttempts


def raise_for_status(details: HasAttempts) -> None:
    """Raise what the action ended with, unless it succeeded. See `HasAttempts.raise_for_status`."""
    phase = details.phase
    if phase.is_success:
        return
    what = f"Action {details.name} of run {details.run_name}"
    if not phase.is_terminal:
        raise NotDoneError(f"{what} has not ended yet; it is {phase}. Wait for it with wait().")
    if phase is ActionPhase.ABORTED:
        info = details.abort_info
        reason = f": {info.reason}" if info is not None and info.reason else ""
        raise ActionAbortedError(f"{what} was aborted{reason}")
    error = details.error_info
    if error is not None:
        raise task_error(error.kind.name, error.code, f"{what} failed: {error.message}", worker=_worker(details))
    if phase is ActionPhase.TIMED_OUT:
        raise TaskTimeoutError(f"{what} timed out")
    raise RuntimeUnknownError(f"{what} is {phase}, and the server does not say why")


def _worker(details: HasAttempts) -> str | None:
    attempt = details.attempt()
    return (attempt.cluster or None) if attempt is not None else None
