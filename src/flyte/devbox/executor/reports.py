"""Reports on attempts: an event in the log and, in the same transaction, the action's status."""

from __future__ import annotations

from flyte.devbox import clock, phases
from flyte.devbox.keys import ActionKey
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.core.execution import (
    ContainerContext,
    ContainerContextProcessContext,
    LogContext,
    PodLogContext,
)
from flyte_api.messages.flyteidl2.task.common import OutputReferences
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionEvent, ClusterEvent

from .failures import OUTPUTS, REPORT, Failure

NAMESPACE = "devbox"
CONTAINER = "main"


class Reporter:
    """Reports on one attempt of an action."""

    def __init__(self, store: Store, key: ActionKey, attempt: int, output_directory: str) -> None:
        self._store = store
        self._key = key
        self._attempt = attempt
        self._directory = output_directory
        self._started: int | None = None
        self.cache_status = CatalogCacheStatus.CACHE_DISABLED

    def started(self, at: int | None = None) -> None:
        """Record that the attempt has logs, since now or the given time."""
        self._started = clock.now() if at is None else at

    def report(self, phase: ActionPhase, reason: str = "", failure: Failure | None = None) -> None:
        """Record that the attempt entered a phase.

        Args:
            phase: The phase. Waiting for resources shows in the event log only.
            reason: The reason, shown as a cluster event.
            failure: The failure, if the attempt failed.
        """
        now = clock.now()
        stamp = clock.to_timestamp(now)
        ended = phases.is_terminal(phase)
        event = ActionEvent(
            id=self._key.identifier(),
            attempt=self._attempt,
            phase=phase,
            updated_time=stamp,
            reported_time=stamp,
            error_info=None if failure is None else failure.error_info(),
            log_context=self._log_context(now if ended else None),
            outputs=OutputReferences(
                output_uri=f"{self._directory}/{OUTPUTS}", report_uri=f"{self._directory}/{REPORT}"
            ),
            cache_status=self.cache_status,
            cluster_events=[ClusterEvent(occurred_at=stamp, message=reason)] if reason else [],
        )
        with self._store.database.transaction():
            self._store.events.add(event)
            if phase != ActionPhase.WAITING_FOR_RESOURCES:
                self._store.actions.update_status(
                    self._key,
                    phase,
                    attempts=self._attempt,
                    cache_status=self.cache_status,
                    ended_at=now if ended else None,
                )
            if ended:
                self._store.jobs.remove(self._key)

    def _log_context(self, ended: int | None) -> LogContext | None:
        if self._started is None:
            return None
        name = f"{self._key.run}-{self._key.name}-{self._attempt - 1}"
        process = ContainerContextProcessContext(container_start_time=clock.to_timestamp(self._started))
        if ended is not None:
            process.container_end_time = clock.to_timestamp(ended)
        pod = PodLogContext(
            namespace=NAMESPACE,
            pod_name=name,
            primary_container_name=CONTAINER,
            containers=[ContainerContext(container_name=CONTAINER, process=process)],
        )
        return LogContext(pods=[pod], primary_pod_name=name)


def started_at(event: ActionEvent) -> int | None:
    """Return since when the attempt of an event has logs; None if it had not started."""
    pods = [] if event.log_context is None else event.log_context.pods
    processes = [container.process for pod in pods for container in pod.containers]
    times = [p.container_start_time for p in processes if p is not None and p.container_start_time is not None]
    return clock.from_timestamp(times[0]) if times else None
