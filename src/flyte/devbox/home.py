"""The directory of a devbox: its lock, its token and its address."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import IO

from flyte.errors import FlyteError

from .executor.scratch import remove_old

_DATABASE = "devbox.sqlite"
_LOCK = "devbox.lock"
_STATE = "devbox.json"
_TOKEN = "token"


class DevboxError(FlyteError, RuntimeError):
    """The devbox cannot be started or used in this way."""


class Home:
    """A directory that only one devbox at a time can use. A temporary one is removed at the end."""

    def __init__(self, directory: str | os.PathLike[str] | None, *, memory: bool) -> None:
        """Create the directory if necessary, and lock it.

        Args:
            directory: The data directory. Default: a temporary directory.
            memory: Keep the database in memory; the directory contains only files.

        Raises:
            DevboxError: Another devbox uses the directory, or it cannot be written.
        """
        self._temporary = directory is None
        try:
            if directory is None:
                self.path = Path(tempfile.mkdtemp(prefix="flyte-devbox-"))
            else:
                self.path = Path(directory).expanduser().resolve()
                # Other users must not read inputs, environments and logs.
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_private()
            self._lock = self._acquire()
        except OSError as error:
            raise DevboxError(f"the devbox cannot use {directory or tempfile.gettempdir()}: {error}") from error
        self.database = None if memory else self.path / _DATABASE
        # No task is running there any more, so its working directories can be removed.
        remove_old(self.scratch)

    @property
    def blobs(self) -> Path:
        """The directory of inputs, outputs and uploads."""
        return self.path / "blobs"

    @property
    def logs(self) -> Path:
        """The directory of logs."""
        return self.path / "logs"

    @property
    def scratch(self) -> Path:
        """The parent of the working directories of running tasks."""
        return self.path / "scratch"

    @property
    def token_file(self) -> Path:
        """The file with the bearer token, readable by its owner only."""
        return self.path / _TOKEN

    def token(self, wanted: str | None) -> str:
        """Return the requested token, that of the last devbox here, or a new one, and write it to the token file."""
        if wanted is not None and not wanted.strip():
            raise DevboxError("token must not be empty: a devbox executes whatever its clients submit")
        found = wanted
        if found is None and self.token_file.exists():
            found = self.token_file.read_text().strip()
        found = found or secrets.token_urlsafe(32)
        _write_private(self.token_file, found)
        return found

    def announce(self, endpoint: str) -> None:
        """Write the devbox's address to the state file."""
        state = {"endpoint": endpoint, "token_file": str(self.token_file), "pid": os.getpid()}
        _write_private(self.path / _STATE, json.dumps(state, indent=2) + "\n")

    def release(self) -> None:
        """Let another devbox use the directory; remove it if it is temporary."""
        (self.path / _STATE).unlink(missing_ok=True)
        self._lock.close()
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)

    def _make_private(self) -> None:
        """Keep other users from reading inputs, environments and logs, also in a directory that was there before."""
        owner = self.path.stat().st_uid
        if owner not in (os.getuid(), 0):
            raise DevboxError(
                f"{self.path} belongs to the user {owner}, who could change what is in it; choose another directory"
            )
        for directory in (self.blobs, self.logs, self.scratch):
            directory.mkdir(mode=0o700, exist_ok=True)
            directory.chmod(0o700)
        # SQLite gives its other files the mode of this one.
        for file in (*self.path.glob(f"{_DATABASE}*"), self.path / _LOCK):
            if file.exists():
                file.chmod(0o600)
        for file in (self.path / _DATABASE, self.path / _LOCK):
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))

    def _acquire(self) -> IO[str]:
        # Imported here because not every system has it, and `start` reports that with a better message.
        import fcntl

        lock = (self.path / _LOCK).open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "another process"
            lock.close()
            raise DevboxError(
                f"{self.path} is in use by the devbox of process {owner}; connect to it (its address is in {_STATE} in that "
                "directory), stop it, or choose another directory"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        return lock


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, even while it is being written."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    part.replace(path)
