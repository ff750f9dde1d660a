"""The store of a session's tokens."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.errors import AuthenticationError

from .files import FileStore
from .keyrings import KeyringStore
from .locking import process_lock
from .state_folder import private_folder, state_folder

_log = logging.getLogger("flyte_rpc.auth")


class Identity(NamedTuple):
    """Whose tokens they are. Tokens of two identities never mix."""

    endpoint: str
    flow: str
    client_id: str
    scopes: tuple[str, ...]
    audience: str
    subject: str
    server: tuple[tuple[str, str], ...] = ()
    """What the settings say of the authorization server: names and values."""

    @property
    def name(self) -> str:
        """A name for files and keyrings that says nothing about the identity."""
        fields: list[object] = [
            self.endpoint,
            self.flow,
            self.client_id,
            sorted(self.scopes),
            self.audience,
            self.subject,
        ]
        fields.append(sorted(self.server))
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:40]


class TokenStore:
    """Keeps tokens in the keyring, or in a file, under a lock that all processes of the user share."""

    def __init__(
        self,
        identity: Identity,
        application: str,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Describe the store. Nothing is read.

        Args:
            identity: Whose tokens to keep.
            application: The name of the SDK in the keyring, and of its folder.
            folder: The folder of files and locks. Default: `tokens` in the user's state folder.
            clock: The monotonic clock.
            wall: The wall clock.
        """
        self._name = identity.name
        self._application = application
        self._folder = folder
        self._clock = clock
        self._wall = wall

    @contextmanager
    def locked(self, seconds: float) -> Generator[None]:
        """Keep other processes from renewing the same tokens. Without a folder that can be written, there is no lock.

        Raises:
            AuthenticationError: Another process takes longer than `seconds`, or others can use the folder.
        """
        with ExitStack() as stack:
            try:
                folder = private_folder(self._where())
                stack.enter_context(process_lock(folder / f"{self._name}.lock", seconds))
            except OSError as error:
                _log.debug("No lock between processes: %s", error.strerror or type(error).__name__)
            yield

    def read(self) -> Tokens | None:
        """Return the tokens; None if there are none.

        Raises:
            AuthenticationError: Others can read their file.
        """
        # The file first: writing to the keyring removes the file, so a file that exists is newer than the keyring's entry.
        for place in (FileStore(self._where()), KeyringStore(self._application)):
            text = None
            try:
                text = place.read(self._name)
            except OSError as error:
                _log.debug("The file of tokens cannot be read: %s", error.strerror or type(error).__name__)
            if text is None:
                continue
            tokens = Tokens.from_json(text, self._clock(), self._wall())
            if tokens is not None:
                return tokens
            _log.warning("Stored tokens are damaged and ignored: %s", place.where(self._name))
        return None

    def write(self, tokens: Tokens) -> None:
        """Replace the tokens. If they cannot be kept anywhere, this process alone has them.

        Raises:
            AuthenticationError: Others can use the folder.
        """
        text = tokens.to_json(self._clock(), self._wall())
        file = FileStore(self._where())
        if KeyringStore(self._application).write(self._name, text):
            file.delete(self._name)
            return
        try:
            file.write(self._name, text)
        except OSError as error:
            _log.warning("Tokens cannot be kept for later programs: %s", error.strerror or type(error).__name__)

    def delete(self) -> None:
        """Forget the tokens. The next log-in replaces what cannot be removed."""
        forget(self._name, self._application, self._where())

    def log_out(self) -> None:
        """Forget the tokens for good.

        Raises:
            AuthenticationError: They cannot be removed. The message says from where.
        """
        _require(forget(self._name, self._application, self._where()))

    def _where(self) -> Path:
        return self._folder or state_folder(self._application) / "tokens"


def forget(name: str, application: str, folder: Path) -> list[str]:
    """Forget the tokens of one identity. Returns the places from which they cannot be removed."""
    places = (KeyringStore(application), FileStore(folder))
    return [place.where(name) for place in places if not place.delete(name)]


def forget_all(application: str, folder: Path | None = None) -> None:
    """Forget the tokens of all identities.

    Their names are those of the lock files, which stay in the folder after each log-in.

    Args:
        application: The name of the SDK in the keyring, and of its folder.
        folder: The folder of files and locks. Default: `tokens` in the user's state folder.

    Raises:
        AuthenticationError: Some cannot be removed. The message says from where.
    """
    where = folder or state_folder(application) / "tokens"
    names = sorted({path.stem for path in where.glob("*") if path.suffix in (".json", ".lock")})
    _require([place for name in names for place in forget(name, application, where)])


def _require(left: list[str]) -> None:
    if left:
        raise AuthenticationError(f"Tokens cannot be removed from {' and '.join(left)}. Remove them by hand.")
