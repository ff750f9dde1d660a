"""Reaching the person at the terminal: text on standard error, and a browser."""

from __future__ import annotations

import os
import sys

from flyte_rpc.terminal import print_line


def show(text: str) -> None:
    """Write to standard error at once, since a person has to act on it."""
    print_line(text, sys.stderr)


def open_browser(link: str) -> bool:
    """Open a link in a browser. Returns whether there is one to open it."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False  # only a browser in the terminal could be found, which would take it over
    import webbrowser

    try:
        return webbrowser.open(link)
    except (webbrowser.Error, OSError):
        return False
