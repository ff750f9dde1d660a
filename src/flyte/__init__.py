"""Typed client for the Flyte 2 control plane. Each name is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import artifacts, devbox, errors, models, remote, types
    from ._client import Client, current_client, init, use_client
    from ._context import TaskContext, ctx, custom_context, task, workflow
    from .controller import map
    from .definitions.automation import Cron, FixedRate, OnArtifact, TriggeredArtifact, TriggeredPartition, TriggerTime
    from .definitions.policies import Backoff, Cache, RetryStrategy, Secret, Timeout
    from .definitions.resources import Device, Resources
    from .definitions.trigger import Trigger
    from .remote.launch.starting import run, with_runcontext

_MODULES = {
    "Backoff": "flyte.definitions.policies",
    "Cache": "flyte.definitions.policies",
    "Client": "flyte._client",
    "Cron": "flyte.definitions.automation",
    "Device": "flyte.definitions.resources",
    "FixedRate": "flyte.definitions.automation",
    "OnArtifact": "flyte.definitions.automation",
    "Resources": "flyte.definitions.resources",
    "RetryStrategy": "flyte.definitions.policies",
    "Secret": "flyte.definitions.policies",
    "TaskContext": "flyte._context",
    "Timeout": "flyte.definitions.policies",
    "Trigger": "flyte.definitions.trigger",
    "TriggerTime": "flyte.definitions.automation",
    "TriggeredArtifact": "flyte.definitions.automation",
    "TriggeredPartition": "flyte.definitions.automation",
    "ctx": "flyte._context",
    "custom_context": "flyte._context",
    "map": "flyte.controller",
    "task": "flyte._context",
    "workflow": "flyte._context",
    "current_client": "flyte._client",
    "init": "flyte._client",
    "run": "flyte.remote.launch.starting",
    "use_client": "flyte._client",
    "with_runcontext": "flyte.remote.launch.starting",
}
_SUBMODULES = frozenset({"artifacts", "devbox", "errors", "models", "remote", "types"})

__all__ = [
    "Backoff",
    "Cache",
    "Client",
    "Cron",
    "Device",
    "FixedRate",
    "OnArtifact",
    "Resources",
    "RetryStrategy",
    "Secret",
    "TaskContext",
    "Timeout",
    "Trigger",
    "TriggerTime",
    "TriggeredArtifact",
    "TriggeredPartition",
    "artifacts",
    "ctx",
    "current_client",
    "custom_context",
    "devbox",
    "errors",
    "init",
    "map",
    "models",
    "remote",
    "run",
    "task",
    "types",
    "use_client",
    "with_runcontext",
    "workflow",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"flyte.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
