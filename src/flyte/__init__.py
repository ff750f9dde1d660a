"""Typed client for the Flyte 2 control plane. Each name is imported when it is first used."""

from os.path import dirname as _dirname
from os.path import exists as _exists
from typing import TYPE_CHECKING

from flyte_rpc.lazy import lazy_exports
from flyte_rpc.version import VERSION as __version__

if TYPE_CHECKING:
    from flyte_rpc.calls.options import call_options
    from flyte_rpc.transports.network.settings import Network

    from . import artifacts, devbox, errors, io, models, notify, remote, types
    from ._client import Client, current_client, use_client
    from ._context import (
        TaskContext,
        ctx,
        custom_context,
        get_custom_context,
        logger,
        system_logger,
        task,
        version,
        workflow,
    )
    from ._init import (
        current_domain,
        current_project,
        init,
        init_from_api_key,
        init_from_config,
        init_in_cluster,
        init_passthrough,
    )
    from ._launch import rerun, run, with_runcontext
    from ._map import map
    from .definitions.automation import Cron, FixedRate, OnArtifact, TriggeredArtifact, TriggeredPartition, TriggerTime
    from .definitions.devices import AMD_GPU, GPU, HABANA_GAUDI, TPU, Neuron
    from .definitions.policies import Backoff, Cache, RetryStrategy, Secret, Timeout
    from .definitions.resources import Device, Resources
    from .definitions.trigger import Trigger

if _exists(_dirname(__file__) + "/_initialize.py"):  # a single stat; `_package.installation` says what it means
    from ._package.installation import check

    check()

__all__ = [
    "AMD_GPU",
    "GPU",
    "HABANA_GAUDI",
    "TPU",
    "Backoff",
    "Cache",
    "Client",
    "Cron",
    "Device",
    "FixedRate",
    "Network",
    "Neuron",
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
    "__version__",
    "artifacts",
    "call_options",
    "ctx",
    "current_client",
    "current_domain",
    "current_project",
    "custom_context",
    "devbox",
    "errors",
    "get_custom_context",
    "init",
    "init_from_api_key",
    "init_from_config",
    "init_in_cluster",
    "init_passthrough",
    "io",
    "logger",
    "map",
    "models",
    "notify",
    "remote",
    "rerun",
    "run",
    "system_logger",
    "task",
    "types",
    "use_client",
    "version",
    "with_runcontext",
    "workflow",
]


def _advice(name: str) -> str | None:
    from ._package.other_names import ADVICE

    return ADVICE.get(name)


__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "._client": ("Client", "current_client", "use_client"),
        "._context": (
            "TaskContext",
            "ctx",
            "custom_context",
            "get_custom_context",
            "logger",
            "system_logger",
            "task",
            "version",
            "workflow",
        ),
        ".definitions.devices": ("AMD_GPU", "GPU", "HABANA_GAUDI", "TPU", "Neuron"),
        "._init": (
            "current_domain",
            "current_project",
            "init",
            "init_from_api_key",
            "init_from_config",
            "init_in_cluster",
            "init_passthrough",
        ),
        "._launch": ("rerun", "run", "with_runcontext"),
        "._map": ("map",),
        "flyte_rpc.transports.network.settings": ("Network",),
        ".definitions.automation": (
            "Cron",
            "FixedRate",
            "OnArtifact",
            "TriggerTime",
            "TriggeredArtifact",
            "TriggeredPartition",
        ),
        ".definitions.policies": ("Backoff", "Cache", "RetryStrategy", "Secret", "Timeout"),
        ".definitions.resources": ("Device", "Resources"),
        ".definitions.trigger": ("Trigger",),
        "flyte_rpc.calls.options": ("call_options",),
    },
    submodules=("artifacts", "devbox", "errors", "io", "models", "notify", "remote", "types"),
    advice=_advice,
)
