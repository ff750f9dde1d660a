"""The folder of the user's state, which nobody else can read."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from flyte_rpc.errors import AuthenticationError


def state_folder(application: str) -> Path:
    """Where an application keeps state of the user on this system. It need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join("~", "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join("~", "Library", "Application Support")
    else:
        base = os.environ.get("XDG_STATE_HOME", "")
        if not os.path.isabs(base):  # the specification says to ignore relative paths
            base = os.path.join("~", ".local", "state")
    return Path(base).expanduser() / application


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner can use, or check one that exists.

    Raises:
        AuthenticationError: The folder belongs to another user, other users have access to it, or it is a symbolic link.
        OSError: It cannot be created.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(path, os.lstat(path), "chmod 700")
    return path


def check_private(path: Path, found: os.stat_result, remedy: str) -> None:
    """Refuse what others can read or change.

    Raises:
        AuthenticationError: The file or folder belongs to another user, other users have access to it, or it is a symbolic link.
    """
    if stat.S_ISLNK(found.st_mode):
        raise AuthenticationError(f"{path} is a symbolic link, so tokens are not kept there. Remove it.")
    if os.name != "posix":
        return
    if found.st_uid != os.getuid():
        raise AuthenticationError(f"{path} belongs to another user, so tokens are not kept there. Remove it.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise AuthenticationError(
            f"Other users have access to {path}, where tokens are stored. Remove it, and log in again; or run {remedy} on it, if "
            "you are sure that no other user has read it."
        )
