"""The embedded control plane: projects, tasks and runs in one process, tasks executed as processes of this machine.

    with flyte.devbox.start() as box:
        box.connect()
        task = flyte.devbox.deploy(my_function)

Nothing here starts by itself. `docs/devbox.md` tells how it differs from a Flyte cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .box import Devbox, start
    from .deployment import deploy
    from .home import DevboxError

__all__ = ["Devbox", "DevboxError", "deploy", "start"]

_EXPORTS = {
    "Devbox": "flyte.devbox.box",
    "DevboxError": "flyte.devbox.home",
    "deploy": "flyte.devbox.deployment",
    "start": "flyte.devbox.box",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for: task processes load this package and need none of it."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_EXPORTS[name]), name)
