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
            "AsyncFunctionTaskTemplate",
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
            "run_python_script",
            "serve",
            "with_servecontext",
        ),
        _AUTHORING,
    ),
    **dict.fromkeys(
        ("Checkpoint", "get_custom_context", "group", "latest_checkpoint", "new_condition", "trace"), _RUNNING
    ),
    "app": "use flyte.remote.App to start, stop and follow deployed apps",
    "config": "use flyte.init_from_config(path), or flyte.init(endpoint, ...)",
    "is_control_plane_available": "use flyte.current_client(), which raises InitializationError if there is none",
    "logger": "use logging.getLogger('flyte')",
    "storage": "File and Dir of flyte.types read and write files; flyte.remote.upload_file uploads one",
    "version": "use flyte.__version__",
}
