"""The directory of a devbox: who uses it, and how clients get in."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import IO

from flyte.errors import FlyteError

_LOCK = "devbox.lock"
_STATE = "devbox.json"
_TOKEN = "token"


class DevboxError(FlyteError, RuntimeError):
    """The devbox cannot be started, or not be used like that."""


class Home:
    """A directory that belongs to one devbox at a time. A temporary one is removed in the end."""

    def __init__(self, directory: str | os.PathLike[str] | None, *, memory: bool) -> None:
        """Create the directory if need be, and lock it.

        Args:
            directory: Where to keep everything. Default: a temporary directory.
            memory: Keep the database in memory; the directory is for files only.

        Raises:
            DevboxError: Another devbox uses the directory, or it cannot be written.
        """
        self._temporary = directory is None
        try:
            if directory is None:
                self.path = Path(tempfile.mkdtemp(prefix="flyte-devbox-"))
            else:
                self.path = Path(directory).expanduser().resolve()
                # Inputs, environments and logs are nobody else's business.
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._acquire()
        except OSError as error:
            raise DevboxError(f"the devbox cannot use {directory or tempfile.gettempdir()}: {error}") from error
        self.database = None if memory else self.path / "devbox.sqlite"
        # What was running there is over, and what it left in its working directories is of no use.
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def blobs(self) -> Path:
        """Where inputs, outputs and uploads are."""
        return self.path / "blobs"

    @property
    def logs(self) -> Path:
        """Where the logs are."""
        return self.path / "logs"

    @property
    def scratch(self) -> Path:
        """Where the working directories of running tasks are."""
        return self.path / "scratch"

    @property
    def token_file(self) -> Path:
        """The file with the bearer token, readable by its owner only."""
        return self.path / _TOKEN

    def token(self, wanted: str | None) -> str:
        """The bearer token: the wanted one, that of the last devbox here, or a new one. It is written to the token file."""
        if wanted is not None and not wanted.strip():
            raise DevboxError("the token of a devbox must not be empty: it executes what it is told")
        found = wanted
        if found is None and self.token_file.exists():
            found = self.token_file.read_text().strip()
        found = found or secrets.token_urlsafe(32)
        _write_private(self.token_file, found)
        return found

    def announce(self, endpoint: str) -> None:
        """Write down where the devbox listens."""
        state = {"endpoint": endpoint, "token_file": str(self.token_file), "pid": os.getpid()}
        _write_private(self.path / _STATE, json.dumps(state, indent=2) + "\n")

    def release(self) -> None:
        """Let another devbox use the directory; remove it if it is temporary."""
        (self.path / _STATE).unlink(missing_ok=True)
        self._lock.close()
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)

    def _acquire(self) -> IO[str]:
        # Not everywhere: the message of `start` about other systems must come before an ImportError.
        import fcntl

        lock = (self.path / _LOCK).open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "another process"
            lock.close()
            raise DevboxError(
                f"{self.path} is in use by the devbox of process {owner}: connect to that one (its address is in {_STATE} "
                "there), stop it, or choose another directory"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        return lock


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, also while it is being written."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    part.replace(path)
