"""The system's keyring, if the package `keyring` is installed and has one that works."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

_log = logging.getLogger("flyte_rpc.auth")


class KeyringStore:
    """Keeps texts in the system's keyring. Whatever fails there is logged at debug level, and counts as absent."""

    def __init__(self, service: str) -> None:
        """Use a keyring. It is opened when something is read or written.

        Args:
            service: The name under which the keyring shows the texts.
        """
        self._service = service

    def read(self, name: str) -> str | None:
        """Return a text; None if there is none, or no keyring."""
        keyring = _keyring()
        if keyring is None:
            return None
        try:
            found = keyring.get_password(self._service, name)
        except Exception as error:  # backends raise what they like
            _failed("read", error)
            return None
        return found if isinstance(found, str) else None

    def write(self, name: str, text: str) -> bool:
        """Keep a text. Returns whether that worked."""
        keyring = _keyring()
        if keyring is None:
            return False
        try:
            keyring.set_password(self._service, name, text)
        except Exception as error:  # as above
            _failed("written", error)
            return False
        return True

    def delete(self, name: str) -> bool:
        """Forget a text. Returns whether it is gone."""
        keyring = _keyring()
        if keyring is None:
            return True
        try:
            if keyring.get_password(self._service, name) is not None:
                keyring.delete_password(self._service, name)
        except Exception as error:  # as above
            _failed("changed", error)
            return False
        return True

    def where(self, name: str) -> str:
        """Describe the place of a text for messages."""
        return f"the keyring entry {name} of {self._service}"


def _keyring() -> Any:
    try:
        keyring: Any = import_module("keyring")
        fail: Any = import_module("keyring.backends.fail")
    except ImportError:
        _log.debug("The package keyring is not installed; tokens are kept in a file")
        return None
    except Exception as error:  # a backend that breaks when it is imported
        _failed("loaded", error)
        return None
    try:
        usable = not isinstance(keyring.get_keyring(), fail.Keyring)
    except Exception as error:  # as above
        _failed("loaded", error)
        return None
    if not usable:
        _log.debug("This system has no keyring; tokens are kept in a file")
    return keyring if usable else None


def _failed(what: str, error: Exception) -> None:
    # Only the kind of the error: its text may repeat what was to be stored.
    _log.debug("The keyring cannot be %s (%s); tokens are kept in a file", what, type(error).__name__)
