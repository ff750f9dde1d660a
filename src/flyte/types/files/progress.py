"""The progress of uploads and downloads: a bar on a terminal or in a notebook, or the caller's function."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from flyte_rpc.terminal import encodable, shows_progress

if TYPE_CHECKING:
    import rich.progress

ProgressCallback = Callable[[int, int | None, str], object]
"""Called with the bytes done, the total bytes (None if unknown) and the name of the file."""

Progress = bool | ProgressCallback
"""True: a bar on a terminal or in a notebook. False: none. A function: called instead."""

_DELAY = 0.5
"""Seconds before a bar appears, so that small files show none."""


class ProgressReporter:
    """Reports the progress of one upload or download. Threads can share it; it makes one report at a time."""

    def __init__(self, progress: Progress, title: str) -> None:
        """Create a reporter.

        Args:
            progress: What the caller of the public function passed.
            title: What the bar is for.

        Raises:
            TypeError: `progress` is neither a bool nor callable.
        """
        if not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"progress takes a function, True or False, not {type(progress).__name__} ({progress!r})")
        self._callback = None if isinstance(progress, bool) else progress
        self._bar = _Bar(title) if progress is True and shows_progress() else None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def expect(self, total: int) -> None:
        """Set the bytes of all files together."""
        with self._lock:
            if self._bar is not None:
                self._bar.total = total

    def report(self, done: int, total: int | None, name: str) -> None:
        """Report the progress of a file. What the caller's function raises ends the transfer."""
        with self._lock:
            if self._callback is not None:
                self._callback(done, total, name)
            elif self._bar is not None:
                self._bar.update(done, total, name)


class _Bar:
    """One bar for all files of a transfer."""

    def __init__(self, title: str) -> None:
        self.total: int | None = None
        self._title = title
        self._done: dict[str, int] = {}
        self._sum = 0
        self._start = time.monotonic()
        self._task: Any = None

    def update(self, done: int, total: int | None, name: str) -> None:
        self._sum += done - self._done.get(name, 0)
        self._done[name] = done
        if self.total is None:
            self.total = total
        if self._task is not None:
            _display.update(self._task, self._sum, self.total)
        elif time.monotonic() - self._start >= _DELAY:
            self._task = _display.add(self._title, self._sum, self.total)

    def close(self) -> None:
        if self._task is not None:
            _display.remove(self._task)


class _Display:
    """The bars of all transfers of the process, below each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars: rich.progress.Progress | None = None
        self._active = 0

    def add(self, title: str, done: int, total: int | None) -> Any:
        with self._lock:
            if self._bars is None:
                self._bars = _rich_progress()
                self._bars.start()
            self._active += 1
            return self._bars, self._bars.add_task(encodable(title, sys.stderr), completed=done, total=total)

    def update(self, task: Any, done: int, total: int | None) -> None:
        bars, number = task
        bars.update(number, completed=done, total=total)

    def remove(self, task: Any) -> None:
        with self._lock:
            bars, number = task
            bars.stop_task(number)
            self._active -= 1
            if not self._active:
                self._bars = None
                bars.stop()


def _rich_progress() -> rich.progress.Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    return Progress(
        # Names of files may contain square brackets, which are no markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    )


_display = _Display()


def _forget() -> None:
    """Start anew in a forked child, which has no thread that draws, and a lock that another thread may hold."""
    global _display
    _display = _Display()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
