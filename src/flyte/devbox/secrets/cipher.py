"""Encryption of secrets at rest, with a key in a file that only its owner can read."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BITS = 256
_NONCE_BYTES = 12


class CipherError(Exception):
    """The key or the encrypted value is unusable. The message never contains either."""


def available() -> bool:
    """Whether the library for encryption is installed."""
    return find_spec("cryptography") is not None


class Cipher:
    """AES-256-GCM. It creates the key file with the first secret."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._aead: AESGCM | None = None

    def encrypt(self, value: bytes, owner: str) -> bytes:
        """Encrypt a value. It can only be decrypted for the same owner, so values cannot be swapped in the database.

        Raises:
            CipherError: The key file cannot be used.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._open().encrypt(nonce, value, owner.encode())

    def decrypt(self, data: bytes, owner: str) -> bytes:
        """Decrypt a value.

        Raises:
            CipherError: The value was encrypted with another key or for another owner, or the key file cannot be used.
        """
        from cryptography.exceptions import InvalidTag

        aead = self._open()
        try:
            return aead.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError):
            message = f"the stored value does not match the key in {self._key_file}; set the secret again"
            raise CipherError(message) from None

    def _open(self) -> AESGCM:
        # Imported with the first secret, because a devbox without secrets should not pay for it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._aead is None:
            self._aead = AESGCM(self._key(AESGCM.generate_key(_KEY_BITS)))
        return self._aead

    def _key(self, fresh: bytes) -> bytes:
        """Return the key in the file. Write the fresh key to it if the file does not exist."""
        try:
            try:
                descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return self._stored_key()
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(fresh)
        except OSError as error:
            raise CipherError(f"the key of the secrets cannot be used: {error}") from error
        return fresh

    def _stored_key(self) -> bytes:
        mode = self._key_file.stat().st_mode
        if mode & 0o077:
            raise CipherError(
                f"{self._key_file} can be read by other users; replace the secrets, or run chmod 600 on the file if nobody "
                "has read it"
            )
        key = self._key_file.read_bytes()
        if len(key) != _KEY_BITS // 8:
            raise CipherError(f"{self._key_file} is not a key; restore it, or delete it and set all secrets again")
        return key
