"""Remove the working directories of attempts, except those with files that the outputs refer to."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

_KEPT = ".kept"


async def release(directory: Path, outputs: Path | None = None) -> None:
    """Remove a directory of an attempt that has ended, unless the attempt's outputs contain the directory's path.

    The official SDK returns a local file as a path in the working directory, because the storage is on the same machine. The
    devbox keeps such a directory together with the outputs, and marks it with an empty file beside it. It always
    removes an empty directory.
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
    """Remove the working directories of earlier attempts, except marked ones. The marks stay, too. No task may be running."""
    for directory in parent.iterdir() if parent.is_dir() else ():
        if directory.suffix != _KEPT and not _mark(directory).exists():
            shutil.rmtree(directory, ignore_errors=True)


def _release(directory: Path, outputs: Path | None) -> None:
    if outputs and outputs.is_file() and bytes(directory) in outputs.read_bytes():
        _mark(directory).touch()
    else:
        shutil.rmtree(directory, ignore_errors=True)


def _mark(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}{_KEPT}")
