"""Files that only their owner can read."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from .state_folder import check_private, private_folder

_log = logging.getLogger("flyte_rpc.auth")

_BYTES = 1 << 20
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Opening a link fails, and opening a named pipe does not wait for a writer."""


class FileStore:
    """Keeps texts in files of a folder."""

    def __init__(self, folder: Path) -> None:
        """Use a folder. It is created when something is written.

        Args:
            folder: The folder.
        """
        self._folder = folder

    def read(self, name: str) -> str | None:
        """Return a text; None if there is none.

        Raises:
            AuthenticationError: Others can read the file, or it is a link.
        """
        path = self._path(name)
        try:
            check_private(path, os.lstat(path), "chmod 600")
            descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            check_private(path, found, "chmod 600")
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            return stream.read(_BYTES).decode("utf-8", "replace")

    def write(self, name: str, text: str) -> None:
        """Replace a text.

        Raises:
            AuthenticationError: Others can use the folder.
            OSError: The file cannot be written.
        """
        private_folder(self._folder)
        part = self._folder / f"{name}.{secrets.token_hex(8)}.part"
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
                stream.write(text)
            part.replace(self._path(name))
        except BaseException:  # an interrupt must not leave a token in a file that nobody reads
            with suppress(OSError):
                part.unlink()
            raise

    def delete(self, name: str) -> bool:
        """Forget a text. Returns whether it is gone."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            _log.debug("The file of tokens cannot be removed: %s", error.strerror or type(error).__name__)
            return not os.path.lexists(self._path(name))
        return True

    def where(self, name: str) -> str:
        """Describe the place of a text for messages."""
        return f"the file {self._path(name)}"

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
