"""The check for the distribution `flyte`, the official SDK, which installs a package of the same name."""

from __future__ import annotations

import sys
from os.path import dirname

from flyte_rpc.installation import conflict

__all__ = ["check"]

_MARKER = "_initialize.py"
"""A file that every release of the official SDK has in its folder `flyte`, and that we never have."""


def check() -> None:
    """Refuse to run from a folder that two distributions have overwritten.

    Raises:
        ImportError: The folder contains files of the official SDK, or its removal has removed some of our files.
    """
    # Without an `__init__.py`, Python makes a namespace package, which has no file.
    whole = getattr(sys.modules["flyte"], "__file__", None) is not None
    problem = conflict(
        "flyte", dirname(dirname(__file__)), whole=whole, marker=_MARKER, ours="flyte-remote", theirs="flyte"
    )
    if problem is not None:
        raise ImportError(problem, name="flyte")
