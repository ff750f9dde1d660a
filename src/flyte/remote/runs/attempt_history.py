"""The attempts of an action: their phases, errors and logs, and how the action ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from flyte.errors import ActionAbortedError, NotDoneError, RuntimeUnknownError, TaskTimeoutError
from flyte.models import ActionPhase
from flyte.remote._common import Phase
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import AbortInfo, ActionAttempt, ErrorInfo, SignalInfo

from .action_fields import ActionFields

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus


@attrs.frozen
class PhaseTransition:
    """One phase that an attempt went through."""

    phase: Phase
    start_time: datetime | None
    end_time: datetime | None

    @property
    def duration(self) -> timedelta | None:
        """How long the phase lasted; None while it lasts."""
        if self.start_time is None or self.end_time is None:
            return None
        return self.end_time - self.start_time


class AttemptHistory(ActionFields):
    """Mixin for the details of actions: their attempts, and how they ended."""

    @property
    def is_running(self) -> bool:
        """Whether the action was running when this was read."""
        return self.phase is ActionPhase.RUNNING

    @property
    def error_info(self) -> ErrorInfo | None:
        """The error; None unless the action failed."""
        found: ErrorInfo | None = self.pb2.error_info
        return found

    @property
    def error_message(self) -> str:
        """The error message; empty unless the action failed."""
        return "" if self.error_info is None else self.error_info.message

    @property
    def abort_info(self) -> AbortInfo | None:
        """The reason of the abort; None unless the action was aborted."""
        found: AbortInfo | None = self.pb2.abort_info
        return found

    @property
    def signal_info(self) -> SignalInfo | None:
        """Who signalled the value of a condition, and the value; None for other actions, and before the signal."""
        found: SignalInfo | None = self.pb2.signal_info
        return found

    @property
    def attempt_details(self) -> list[ActionAttempt]:
        """All attempts in order, with phases, errors and cluster events."""
        return list(self.pb2.attempts)

    def attempt(self, number: int | None = None) -> ActionAttempt | None:
        """One attempt.

        Args:
            number: Number of the attempt, from 1. Default: the latest.

        Returns:
            The attempt, or None if it does not exist.
        """
        attempts = self.pb2.attempts
        if number is None:
            return max(attempts, key=lambda a: a.attempt, default=None)
        return next((a for a in attempts if a.attempt == number), None)

    def phase_transitions(self, attempt: int | None = None) -> list[PhaseTransition]:
        """Return the phases that an attempt went through, in order.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.

        Returns:
            The transitions; an empty list if the attempt does not exist.
        """
        found = self.attempt(attempt)
        if found is None:
            return []
        return [
            PhaseTransition(
                phase=ActionPhase.from_protobuf(int(t.phase)),
                start_time=None if t.start_time is None else t.start_time.to_datetime(),
                end_time=None if t.end_time is None else t.end_time.to_datetime(),
            )
            for t in found.phase_transitions
        ]

    get_phase_transitions = phase_transitions

    @property
    def phase_durations(self) -> dict[Phase, timedelta]:
        """Total time that the latest attempt spent in each phase."""
        out: dict[Phase, timedelta] = {}
        for transition in self.phase_transitions():
            if transition.duration is not None:
                out[transition.phase] = out.get(transition.phase, timedelta(0)) + transition.duration
        return out

    @property
    def queued_time(self) -> timedelta | None:
        """Time that the latest attempt was queued; None before the end of that phase."""
        return self.phase_durations.get(ActionPhase.QUEUED)

    @property
    def waiting_for_resources_time(self) -> timedelta | None:
        """Time that the latest attempt waited for resources; None before the end of that phase."""
        return self.phase_durations.get(ActionPhase.WAITING_FOR_RESOURCES)

    @property
    def initializing_time(self) -> timedelta | None:
        """Time that the latest attempt was initializing; None before the end of that phase."""
        return self.phase_durations.get(ActionPhase.INITIALIZING)

    @property
    def running_time(self) -> timedelta | None:
        """Time that the latest attempt ran; None before the end of that phase."""
        return self.phase_durations.get(ActionPhase.RUNNING)

    def logs_available(self, attempt: int | None = None) -> bool:
        """Whether an attempt has logs to read.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.
        """
        found = self.attempt(attempt)
        return found is not None and found.logs_available

    def cluster(self, attempt: int | None = None) -> str:
        """Return the name of the cluster that an attempt ran on.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.

        Returns:
            The name; empty if the attempt does not exist or the server left it out.
        """
        found = self.attempt(attempt)
        return "" if found is None else found.cluster

    def cache_status(self, attempt: int | None = None) -> CatalogCacheStatus:
        """Return what the cache of outputs did for an attempt.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.

        Returns:
            The status, such as `CACHE_HIT`; `CACHE_DISABLED` if the attempt does not exist or has no cache.
        """
        from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus

        found = self.attempt(attempt)
        return CatalogCacheStatus(0) if found is None else found.cache_status

    def raise_for_status(self) -> None:
        """Raise the error that the action ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            ActionAbortedError: It was aborted.
            TaskTimeoutError: It exceeded its timeout.
            BaseRuntimeError: It failed; the subclass says whether user code or the system is at fault.
        """
        phase = self.phase
        if phase.is_success:
            return
        what = f"Action {self.action_id.name} of run {(self.action_id.run or RunIdentifier()).name}"
        if not phase.is_terminal:
            raise NotDoneError(f"{what} has not ended yet; it is {phase}. Wait for it with wait().")
        if phase is ActionPhase.ABORTED:
            info = self.abort_info
            reason = f": {info.reason}" if info is not None and info.reason else ""
            raise ActionAbortedError(f"{what} was aborted{reason}")
        error = self.error_info
        if error is not None:
            from flyte._task_errors import task_error

            latest = self.attempt()
            worker = None if latest is None else latest.cluster or None
            message = f"{what} failed: {error.message}"
            raise task_error(error.kind.name, error.code, message, worker=worker, fault=error.gpu_fault)
        if phase is ActionPhase.TIMED_OUT:
            raise TaskTimeoutError(f"{what} timed out")
        raise RuntimeUnknownError(f"{what} is {phase}; the server sent no reason")
