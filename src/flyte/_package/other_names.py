"""Names in the official SDK's `flyte` that this package lacks, and what to use instead."""

from __future__ import annotations

__all__ = ["ADVICE"]

_AUTHORING = (
    "tasks are written and deployed with the official SDK (the distribution `flyte`, in a virtual environment of its own); "
    "here, flyte.remote.Task.get finds deployed tasks, and flyte.devbox.deploy deploys functions to a devbox"
)
_RUNNING = "it works only inside tasks of the official SDK; this package manages runs from outside"

ADVICE = {
    **dict.fromkeys(
        (
            "AppEnvironment",
            "AppHandle",
            "AsyncFunctionTaskTemplate",
            "CachePolicy",
            "CacheRequest",
            "Environment",
            "Image",
            "ImageBuild",
            "PodTemplate",
            "ReusePolicy",
            "TaskEnvironment",
            "TaskTemplate",
            "build",
            "build_images",
            "deploy",
            "extend",
            "load_interactive_ctx",
            "load_plugin_config",
            "prefetch",
            "run_python_script",
            "serve",
            "with_servecontext",
        ),
        _AUTHORING,
    ),
    **dict.fromkeys(
        (
            "BaseCheckpoint",
            "Checkpoint",
            "ConditionWebhook",
            "Link",
            "group",
            "report",
            "latest_checkpoint",
            "new_condition",
            "trace",
        ),
        _RUNNING,
    ),
    "app": "use flyte.remote.App to start, stop and follow deployed apps",
    "config": "use flyte.init_from_config(path), or flyte.init(endpoint, ...)",
    "DeviceClass": "the class of a device is text: flyte.Device(1, device_class='TPU')",
    "SecretRequest": "write str | flyte.Secret",
    "TimeoutType": "write float | timedelta | flyte.Timeout",
    "is_control_plane_available": "use flyte.current_client(), which raises InitializationError if there is none",
    "storage": "File and Dir of flyte.types read and write files; flyte.remote.upload_file uploads one",
}
