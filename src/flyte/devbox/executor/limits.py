"""The limits that a task declares: memory, attempts, delays between attempts, and time."""

from __future__ import annotations

import re

from attrs import frozen

from flyte.devbox import clock
from flyte_api.messages.flyteidl2.core.literals import Backoff, RetryStrategy, TimeoutStrategy
from flyte_api.messages.flyteidl2.core.tasks import Container, ResourcesResourceName, TaskMetadata

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE][+-]?[0-9]+)|([a-zA-Z]*))")
_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18} | {
    f"{prefix}i": 1024**power for power, prefix in enumerate("KMGTPE", 1)
}


@frozen
class Limits:
    """The limits of an action. Zero seconds mean no limit."""

    retries: int = 0
    backoff: Backoff | None = None
    max_runtime: float = 0.0
    """Maximum seconds that one attempt may run."""
    max_queued: float = 0.0
    """Maximum seconds until the action starts."""
    deadline: float = 0.0
    """Maximum seconds from enqueueing to the end of the last attempt."""

    @classmethod
    def of(cls, metadata: TaskMetadata | None) -> Limits:
        """Read the limits of a task template."""
        metadata = metadata or TaskMetadata()
        retries = metadata.retries or RetryStrategy()
        timeouts = metadata.timeouts or TimeoutStrategy()
        return cls(
            retries=retries.retries,
            backoff=retries.backoff,
            max_runtime=clock.to_seconds(metadata.timeout),
            max_queued=clock.to_seconds(timeouts.queued_timeout),
            deadline=clock.to_seconds(timeouts.deadline),
        )

    def delay_before(self, attempt: int) -> float:
        """Return the seconds to wait before an attempt: 0 for the first one, and without a backoff."""
        if attempt < 2 or self.backoff is None:
            return 0.0
        base, cap = clock.to_seconds(self.backoff.base), clock.to_seconds(self.backoff.cap)
        factor = 1.0 if self.backoff.factor is None else self.backoff.factor
        try:
            pause = base * factor ** (attempt - 2)
        except OverflowError:
            pause = cap
        return min(pause, cap) if cap else pause


def memory_limit(container: Container) -> int | None:
    """Return the memory limit of a container in bytes, or None. A memory request is not a limit.

    Raises:
        ValueError: It is not a quantity such as 500Mi.
    """
    if container.resources is None:
        return None
    for entry in container.resources.limits:
        if entry.name == ResourcesResourceName.MEMORY:
            return parse_quantity(entry.value)
    return None


def parse_quantity(text: str) -> int:
    """Convert a Kubernetes quantity, such as 500Mi, 1G or 2e9, to an int. Raises ValueError if it is invalid."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or (match[3] or "") not in _UNITS:
        raise ValueError(f"{text!r} is not a quantity such as 500Mi, 1G or 2000000")
    return int(float(match[1] + (match[2] or "")) * _UNITS[match[3] or ""])
