"""Typed client for the Flyte 2 control plane. Each name is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.remote._start import run, with_runcontext
    from flyte.runtime.client import Client, current_client, use_client

    from . import artifacts, devbox, errors, models, remote, types
    from ._automation import Cron, FixedRate, OnArtifact, TriggeredArtifact, TriggeredPartition, TriggerTime
    from ._context import TaskContext, ctx, custom_context, task, workflow
    from ._init import init
    from ._policies import Backoff, Cache, RetryStrategy, Secret, Timeout
    from ._resources import Device, Resources
    from ._trigger import Trigger
    from .controller import map

_MODULES = {
    "Backoff": "flyte._policies",
    "Cache": "flyte._policies",
    "Client": "flyte.runtime.client",
    "Cron": "flyte._automation",
    "Device": "flyte._resources",
    "FixedRate": "flyte._automation",
    "OnArtifact": "flyte._automation",
    "Resources": "flyte._resources",
    "RetryStrategy": "flyte._policies",
    "Secret": "flyte._policies",
    "TaskContext": "flyte._context",
    "Timeout": "flyte._policies",
    "Trigger": "flyte._trigger",
    "TriggerTime": "flyte._automation",
    "TriggeredArtifact": "flyte._automation",
    "TriggeredPartition": "flyte._automation",
    "ctx": "flyte._context",
    "custom_context": "flyte._context",
    "map": "flyte.controller",
    "task": "flyte._context",
    "workflow": "flyte._context",
    "current_client": "flyte.runtime.client",
    "init": "flyte._init",
    "run": "flyte.remote._start",
    "use_client": "flyte.runtime.client",
    "with_runcontext": "flyte.remote._start",
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
