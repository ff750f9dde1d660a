"""The working directories of attempts: removed at their end, unless the outputs name a file in one."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

_KEPT = ".kept"


async def release(directory: Path, outputs: Path) -> None:
    """Remove a working directory with its contents.

    A task may return a file of its directory by its path, because the storage is on the same machine: the official SDK does
    so. Then the directory stays, like the outputs.
    """
    try:
        directory.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        try:
            await asyncio.to_thread(_release, directory, outputs)
        except RuntimeError:
            # The interpreter is shutting down and starts no more threads.
            _release(directory, outputs)


def remove_old(parent: Path) -> None:
    """Remove what earlier attempts have left, except directories that outputs name. No task may be running."""
    for directory in parent.iterdir() if parent.is_dir() else ():
        if directory.suffix != _KEPT and not _mark(directory).exists():
            shutil.rmtree(directory, ignore_errors=True)


def _release(directory: Path, outputs: Path) -> None:
    if outputs.is_file() and bytes(directory) in outputs.read_bytes():
        _mark(directory).touch()
    else:
        shutil.rmtree(directory, ignore_errors=True)


def _mark(directory: Path) -> Path:
    return directory.with_suffix(_KEPT)
