"""Builds the attempts of an action from its event log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from flyte.devbox import clock, phases
from flyte_api.messages.flyteidl2.core.execution import TaskLog
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionAttempt, ActionEvent, PhaseTransition
from flyte_api.messages.google.protobuf.timestamp import Timestamp


def merge(events: Iterable[ActionEvent]) -> list[ActionAttempt]:
    """Return the attempts in the events, in ascending order."""
    numbered = sorted(events, key=lambda event: event.attempt)
    return [_attempt(number, list(group)) for number, group in groupby(numbered, key=lambda event: event.attempt)]


def _attempt(number: int, events: Sequence[ActionEvent]) -> ActionAttempt:
    reported = all(event.reported_time is not None for event in events)
    events = sorted(events, key=lambda event: _micros(event.reported_time if reported else event.updated_time))
    # Events after the end are late reports about the time before it.
    last = next((event for event in events if phases.is_terminal(event.phase)), events[-1])
    start = _micros(events[0].updated_time)
    attempt = ActionAttempt(
        attempt=number,
        phase=last.phase,
        start_time=clock.to_timestamp(start),
        error_info=last.error_info,
        outputs=last.outputs,
        cache_status=last.cache_status,
        cluster=last.cluster,
        log_info=_log_info(events),
        cluster_events=[entry for event in events for entry in event.cluster_events],
        phase_transitions=_transitions(events),
    )
    if phases.is_terminal(last.phase):
        attempt.end_time = clock.to_timestamp(max(start, _micros(last.updated_time)))
    contexts = [event.log_context for event in events if event.log_context is not None]
    if contexts:
        attempt.log_context = contexts[-1]
        attempt.logs_available = True
    reports = [event.outputs.report_uri for event in events if event.outputs is not None and event.outputs.report_uri]
    if reports and attempt.outputs is not None:
        attempt.outputs.report_uri = reports[-1]
    return attempt


def _log_info(events: Sequence[ActionEvent]) -> list[TaskLog]:
    newest = {log.name: log for event in events for log in event.log_info}
    return [newest[name] for name in sorted(newest)]


def _transitions(events: Sequence[ActionEvent]) -> list[PhaseTransition]:
    """Return when each phase began and ended."""
    found: list[PhaseTransition] = []
    seen: set[int] = set()
    for event in events:
        if event.phase in seen:
            continue
        seen.add(event.phase)
        entered = clock.to_timestamp(_micros(event.updated_time))
        if found:
            found[-1].end_time = entered
        found.append(PhaseTransition(phase=event.phase, start_time=entered))
        if phases.is_terminal(event.phase):
            found[-1].end_time = entered
            break
    return found


def _micros(time: Timestamp | None) -> int:
    return 0 if time is None else clock.from_timestamp(time)
