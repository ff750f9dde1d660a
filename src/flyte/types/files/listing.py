"""The files below a local directory."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_log = logging.getLogger("flyte")


class Entry(NamedTuple):
    """A file below a directory, or an entry that cannot be used as one."""

    path: Path
    """Below the listed directory, through followed links."""
    problem: str = ""
    """Why it cannot be used; empty for a regular file."""
    error: Exception | None = None
    """The error to raise where leaving out the entry would lose data."""

    def __str__(self) -> str:
        """The path for messages; characters that are not UTF-8 are replaced, because logs could not be written."""
        return str(self.path).encode(errors="replace").decode()


def walk(
    root: Path,
    *,
    enters: Callable[[str], bool] = lambda name: True,
    takes: Callable[[str], bool] = lambda name: True,
) -> Iterator[Entry]:
    """Yield the entries below a directory that are not directories themselves, in order.

    Links to files are followed, and so are links to directories inside the directory.

    Args:
        root: The directory.
        enters: Whether to list a subdirectory of that name. Default: all.
        takes: Whether to yield an entry of that name. Default: all.
    """
    top = Path(os.path.realpath(root))

    def below(directory: Path, parents: tuple[Path, ...]) -> Iterator[Entry]:
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            yield Entry(directory, f"it cannot be read ({error.strerror})", error)
            return
        for name in names:
            path = directory / name
            mode, problem = _inspect(path)
            if not stat.S_ISDIR(mode):
                if takes(name):
                    yield Entry(path, problem) if problem else _named(path)
            elif enters(name):
                real = Path(os.path.realpath(path))
                if not path.is_symlink():
                    yield from below(path, (*parents, real))
                elif not real.is_relative_to(top):
                    refused = ValueError(f"{path} is a link to a directory elsewhere; replace it with a copy")
                    yield Entry(path, "it is a link to a directory elsewhere", refused)
                elif real in parents:
                    yield Entry(path, "it is a link to a directory that contains it")
                else:
                    yield from below(path, (*parents, real))

    return below(root, (top,))


def _inspect(path: Path) -> tuple[int, str]:
    """Return the mode of what a path leads to, and why that is not a regular file. Never opens it: a pipe would block."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return 0, "it is a link to nothing" if path.is_symlink() else "it has disappeared"
    except OSError as error:
        return 0, f"it cannot be found ({error.strerror})"
    if not stat.S_ISREG(mode):
        return mode, "it is a pipe, a socket or a device"
    return mode, ""


def _named(path: Path) -> Entry:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path)
        return Entry(path, "its name is not UTF-8", ValueError(f"{shown!r} has a name that is not UTF-8"))
    return Entry(path)


def check_file(path: Path) -> None:
    """Refuse what cannot be uploaded.

    Raises:
        ValueError: It is not a regular file, such as a pipe, which may never end, or its name is not UTF-8.
        OSError: There is nothing, or it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is a pipe, a socket or a device; only regular files can be uploaded")
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{os.fsencode(path)!r} has a name that is not UTF-8") from None


def regular_files(root: Path) -> list[str]:
    """Return the names of all files below a directory, sorted and separated by slashes.

    Other entries are left out, and a warning names each of them.

    Raises:
        NotADirectoryError: `root` is not a directory.
        ValueError: The directory has no files, a file with a name that is not UTF-8, or a link to a directory elsewhere.
        OSError: A directory cannot be read.
    """
    if not root.is_dir():
        raise NotADirectoryError(
            f"{root} is not a directory" + ("; use File.from_local or upload_file" if root.exists() else "")
        )
    found: list[str] = []
    for entry in walk(root):
        if entry.error is not None:
            raise entry.error
        if entry.problem:
            _log.warning("%s is not uploaded: %s", entry, entry.problem)
        else:
            found.append(entry.path.relative_to(root).as_posix())
    if not found:
        raise ValueError(f"{root} contains no files to upload")
    return sorted(found)
