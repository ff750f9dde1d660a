"""Whether somebody watches the output."""

from __future__ import annotations

import sys
from typing import Any


def shows_progress() -> bool:
    """Whether progress can be drawn: standard error is a terminal, or the code runs in a notebook."""
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())  # pyright: ignore[reportUnnecessaryComparison]


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
