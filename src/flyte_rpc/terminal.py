"""Output for people: whether somebody watches it, and text that any stream can print."""

from __future__ import annotations

import sys
from typing import Any, TextIO

_NEVER_FAIL = frozenset({"backslashreplace", "ignore", "namereplace", "replace", "xmlcharrefreplace"})
"""Error handlers of streams that can print any text."""


def print_line(text: str, stream: TextIO | None) -> None:
    """Print a line at once. Characters that the stream cannot encode become question marks, instead of an error.

    Args:
        text: The line, without a line break at the end.
        stream: `sys.stdout` or `sys.stderr`, which are None in programs without a console.
    """
    if stream is not None:
        if getattr(stream, "errors", None) not in _NEVER_FAIL:
            text = encodable(text, stream)
        print(text, file=stream, flush=True)


def encodable(text: str, stream: TextIO | None) -> str:
    """Return a text with a question mark for each character that a stream cannot encode."""
    encoding: str | None = getattr(stream, "encoding", None)  # None in memory, where any text can be written
    return text.encode(encoding, "replace").decode(encoding) if encoding and not text.isascii() else text


def shows_progress() -> bool:
    """Whether progress can be drawn: standard error is a terminal, or the code runs in a notebook."""
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())  # pyright: ignore[reportUnnecessaryComparison]


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
