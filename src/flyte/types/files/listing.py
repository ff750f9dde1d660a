"""The files below a local directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def check_file(path: Path) -> None:
    """Refuse what cannot be uploaded.

    Raises:
        ValueError: It is not a regular file, such as a pipe, which may never end, or its name is not UTF-8.
        OSError: There is nothing, or it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is not a regular file, so it cannot be uploaded")
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{os.fsencode(path)!r} has a name that is not UTF-8") from None


def regular_files(root: Path) -> list[str]:
    """Return the names of all files below a directory, sorted and separated by slashes.

    Raises:
        NotADirectoryError: `root` is not a directory.
        ValueError: The directory has no files, or has an entry that cannot be uploaded.
        OSError: A directory cannot be read.
    """
    if not root.is_dir():
        raise NotADirectoryError(
            f"{root} is not a directory" + ("; use File.from_local or upload_file" if root.exists() else "")
        )
    found: list[str] = []

    def unlisted(error: OSError) -> None:
        raise error

    for directory, inner, names in os.walk(root, onerror=unlisted):
        for name in inner:
            if Path(directory, name).is_symlink():
                raise ValueError(f"{Path(directory, name)} is a link to a directory; replace it with a copy")
        for name in names:
            path = Path(directory, name)
            check_file(path)
            found.append(path.relative_to(root).as_posix())
    if not found:
        raise ValueError(f"{root} contains no files to upload")
    return sorted(found)
