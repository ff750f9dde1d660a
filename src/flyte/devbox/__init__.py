"""The embedded control plane: a server in this process that executes tasks as processes on this machine.

    with flyte.devbox.start() as box:
        box.connect()
        task = flyte.devbox.deploy(my_function)

Nothing here starts by itself. `docs/devbox.md` lists the differences from a Flyte cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte._package.installation import check as _check_installation
from flyte_rpc.lazy import lazy_exports

if TYPE_CHECKING:
    from .box import Devbox, start
    from .deployment import deploy
    from .home import DevboxError

# The official SDK has no devbox: if it overwrites `flyte/__init__.py`, this file is still ours.
_check_installation()

__all__ = ["Devbox", "DevboxError", "deploy", "start"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        ".box": ("Devbox", "start"),
        ".deployment": ("deploy",),
        ".home": ("DevboxError",),
    },
)
