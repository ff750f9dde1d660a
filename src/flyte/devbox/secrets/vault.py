"""The secrets of a devbox: names and scopes, and values that only tasks get."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from attrs import evolve, frozen

from flyte.devbox import clock
from flyte.devbox.store.database import Database

from .cipher import Cipher, available
from .table import SecretRow, Secrets

_log = logging.getLogger("flyte.devbox")
_INSTALL = "pip install 'flyte-remote[devbox]'"


@frozen
class SecretName:
    """The name of a secret in its scope: a project and domain, a domain, or everything."""

    project: str
    domain: str
    name: str

    @property
    def object_name(self) -> str:
        """The name of the Kubernetes object that the real backend stores the secret in."""
        text = f"u__org__flyte__domain__{self.domain}__project__{self.project}__key__{self.name}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def candidates(self) -> tuple[SecretName, ...]:
        """Return this name and the same name in wider scopes, the narrowest first."""
        return tuple(dict.fromkeys((self, evolve(self, project=""), evolve(self, project="", domain=""))))


class Vault:
    """Stores secrets. With a cipher, values are encrypted."""

    def __init__(self, table: Secrets, cipher: Cipher | None, database: Database | None = None) -> None:
        """Create a vault.

        Args:
            table: The table of secrets.
            cipher: Encrypts values; None for a table in memory.
            database: A database in memory for the table, because the devbox cannot encrypt. The vault closes it. Default:
                the table belongs to the devbox's database.
        """
        self._table = table
        self._cipher = cipher
        self._volatile = database
        self._warned = False

    def create(self, name: SecretName, value: bytes) -> bool:
        """Store a new secret. Return False if it exists.

        Raises:
            CipherError: The key file cannot be used.
        """
        self._warn()
        now = clock.now()
        return self._table.add(
            SecretRow(
                object_name=name.object_name,
                project=name.project,
                domain=name.domain,
                name=name.name,
                value=self._seal(name, value),
                created_at=now,
                updated_at=now,
            )
        )

    def update(self, name: SecretName, value: bytes) -> bool:
        """Replace the value of a secret. Return False if it does not exist.

        Raises:
            CipherError: The key file cannot be used.
        """
        return self._table.replace(name.object_name, self._seal(name, value), clock.now())

    def delete(self, name: SecretName) -> bool:
        """Delete a secret. Return False if it does not exist."""
        return self._table.remove(name.object_name)

    def get(self, name: SecretName) -> SecretRow | None:
        """Return a secret with its sealed value."""
        return self._table.get(name.object_name)

    def select(self, project: str, domain: str, after: str, limit: int) -> list[SecretRow]:
        """Return secrets with their sealed values; see `Secrets.select`."""
        return self._table.select(project, domain, after, limit)

    def reveal(self, name: SecretName) -> bytes | None:
        """Return the value that a task gets: that of the narrowest scope with a secret of this name.

        Raises:
            CipherError: The value cannot be decrypted.
        """
        for candidate in name.candidates():
            row = self._table.get(candidate.object_name)
            if row is not None:
                return row.value if self._cipher is None else self._cipher.decrypt(row.value, row.object_name)
        return None

    def close(self) -> None:
        """Forget secrets that are only in memory."""
        if self._volatile is not None:
            self._volatile.close()

    def _seal(self, name: SecretName, value: bytes) -> bytes:
        return value if self._cipher is None else self._cipher.encrypt(value, name.object_name)

    def _warn(self) -> None:
        if self._volatile is not None and not self._warned:
            self._warned = True
            _log.warning(
                "the devbox keeps secrets in memory and loses them when it stops, because it cannot encrypt them; run %s to "
                "store them",
                _INSTALL,
            )


def open_vault(database: Database, key_file: Path | None) -> Vault:
    """Open the vault. Values never reach the disk in plain text.

    Args:
        database: The devbox's database.
        key_file: The file with the encryption key; None if the database is in memory.
    """
    table = Secrets(database)
    if key_file is None:
        return Vault(table, None)
    if available():
        return Vault(table, Cipher(key_file))
    if table.count():
        _log.warning("the devbox cannot read its %d stored secrets; run %s", table.count(), _INSTALL)
    memory = Database(None)
    return Vault(Secrets(memory), None, memory)
