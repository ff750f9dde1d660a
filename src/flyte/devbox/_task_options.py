"""Options of a deployed task as its template carries them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from flyte._policies import Backoff, Cache, CacheBehavior, RetryStrategy, Timeout
from flyte._resources import Resources
from flyte_api.messages.flyteidl2.core import literals as wire
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair, TimeoutStrategy
from flyte_api.messages.flyteidl2.core.tasks import Resources as ResourcesMessage
from flyte_api.messages.flyteidl2.core.tasks import ResourcesResourceEntry, ResourcesResourceName, TaskMetadata
from flyte_api.messages.google.protobuf.duration import Duration

_RESOURCES = {
    "cpu": ResourcesResourceName.CPU,
    "memory": ResourcesResourceName.MEMORY,
    "disk": ResourcesResourceName.EPHEMERAL_STORAGE,
}

T = TypeVar("T")


def resources_message(resources: Resources | None) -> ResourcesMessage | None:
    """Requests and limits; accelerators are left out, as nothing here could give them."""
    if resources is None:
        return None
    message = ResourcesMessage()
    for name, (request, limit) in resources.quantities().items():
        message.requests.append(ResourcesResourceEntry(name=_RESOURCES[name], value=request))
        if limit is not None:
            message.limits.append(ResourcesResourceEntry(name=_RESOURCES[name], value=limit))
    return message


def environment(env_vars: Mapping[str, str] | None) -> list[KeyValuePair]:
    """Environment variables; TypeError for a value that is not text."""
    pairs: list[KeyValuePair] = []
    for name, value in (env_vars or {}).items():
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"env_vars[{name!r}] takes text, not {type(value).__name__}")
        pairs.append(KeyValuePair(key=name, value=value))
    return pairs


def add_retries(metadata: TaskMetadata, retries: RetryStrategy | int) -> None:
    """Set how often the task is tried again."""
    strategy = retries if isinstance(retries, RetryStrategy) else RetryStrategy(retries)
    metadata.retries = wire.RetryStrategy(retries=strategy.retries, backoff=_backoff(strategy.backoff))


def add_timeout(metadata: TaskMetadata, timeout: Timeout | timedelta | float | None) -> None:
    """Set how long the task may take."""
    limits = Timeout.of(timeout)
    metadata.timeout = _duration(limits.max_runtime)
    if limits.max_queued_time or limits.deadline:
        metadata.timeouts = TimeoutStrategy(
            queued_timeout=_duration(limits.max_queued_time), deadline=_duration(limits.deadline)
        )


def add_cache(metadata: TaskMetadata, cache: Cache | CacheBehavior | None, source: str) -> None:
    """Set whether outputs are taken from earlier actions; the automatic version is that of the source."""
    if cache is None:
        return
    settings = cache if isinstance(cache, Cache) else Cache(cache)
    if settings.behavior == "disable":
        return
    if settings.behavior == "override" and not settings.version_override:
        raise ValueError('Cache("override") needs version_override, the version that outputs are stored under')
    metadata.discoverable = True
    metadata.discovery_version = source if settings.behavior == "auto" else settings.version_override or ""
    metadata.cache_serializable = settings.serialize
    metadata.cache_ignore_input_vars = list(settings.ignored_inputs)
    metadata.cache_max_age = _duration(settings.max_age)


def _backoff(backoff: Backoff | None) -> wire.Backoff | None:
    if backoff is None:
        return None
    return wire.Backoff(base=_duration(backoff.base), factor=backoff.factor, cap=_duration(backoff.cap))


def _duration(span: timedelta | None) -> Duration | None:
    return Duration.of(span) if span else None
