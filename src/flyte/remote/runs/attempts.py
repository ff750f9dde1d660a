"""What messages of runs and actions tell, wherever those execute: phases, attempts, settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from flyte.models import ActionPhase
from flyte.remote._common import HasPhase, Phase
from flyte_api.messages.flyteidl2.workflow.run_definition import AbortInfo, ActionAttempt, ActionStatus, ErrorInfo


@attrs.frozen
class PhaseTransition:
    """One phase that an attempt went through."""

    phase: Phase
    start_time: datetime | None
    end_time: datetime | None

    @property
    def duration(self) -> timedelta | None:
        """How long it lasted; None while it does."""
        if self.start_time is None or self.end_time is None:
            return None
        return self.end_time - self.start_time


class HasAttempts(HasPhase):
    """The details of an action, as they are in its message."""

    if TYPE_CHECKING:
        pb2: Any

        @property
        def name(self) -> str: ...
        @property
        def run_name(self) -> str: ...

    @property
    def error_info(self) -> ErrorInfo | None:
        """Why it failed; None unless it did."""
        found: ErrorInfo | None = self.pb2.error_info
        return found

    @property
    def error_message(self) -> str:
        """Why it failed, in words; empty unless it did."""
        return "" if self.error_info is None else self.error_info.message

    @property
    def abort_info(self) -> AbortInfo | None:
        """Why it was aborted; None unless it was."""
        found: AbortInfo | None = self.pb2.abort_info
        return found

    @property
    def attempt_details(self) -> list[ActionAttempt]:
        """Every attempt, the first one first, with phases, errors and cluster events."""
        return list(self.pb2.attempts)

    def attempt(self, number: int | None = None) -> ActionAttempt | None:
        """One attempt.

        Args:
            number: Which, from 1. Default: the latest.

        Returns:
            The attempt, or None when there is none of that number.
        """
        attempts = self.pb2.attempts
        if number is None:
            return max(attempts, key=lambda a: a.attempt, default=None)
        return next((a for a in attempts if a.attempt == number), None)

    def phase_transitions(self, attempt: int | None = None) -> list[PhaseTransition]:
        """The phases that an attempt went through, in order.

        Args:
            attempt: Which, from 1. Default: the latest.

        Returns:
            The transitions; none when there is no attempt of that number.
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
        """How long the latest attempt was in each phase, repeated phases added up."""
        out: dict[Phase, timedelta] = {}
        for transition in self.phase_transitions():
            if transition.duration is not None:
                out[transition.phase] = out.get(transition.phase, timedelta(0)) + transition.duration
        return out

    def logs_available(self, attempt: int | None = None) -> bool:
        """Whether an attempt has logs to read.

        Args:
            attempt: Which, from 1. Default: the latest.
        """
        found = self.attempt(attempt)
        return found is not None and found.logs_available

    def raise_for_status(self) -> None:
        """Raise what the action ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            ActionAbortedError: It was aborted.
            TaskTimeoutError: It took longer than it may.
            BaseRuntimeError: It failed; the subclasses say whose fault it is.
        """
        from .outcome import raise_for_status

        raise_for_status(self)


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
