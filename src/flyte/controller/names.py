"""Names of child actions. The same call of the same parent has the same name in every attempt."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH = 25


class Names:
    """Generates the names of one parent's children. Equal calls are distinguished by their order."""

    def __init__(self, parent: str) -> None:
        self._parent = parent
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next(self, task: str, inputs: str, group: str = "") -> str:
        """Return the name of the next call.

        Args:
            task: The task's identity: name, interface and cache version.
            inputs: Hash of the inputs.
            group: The child's group.
        """
        call = f"{self._parent}-{inputs}-{task}-{group}"
        with self._lock:
            self._seen[call] += 1
            number = self._seen[call]
        digest = hashlib.sha256(f"{call}-{number}".encode()).digest()
        return "c" + _base36(int.from_bytes(digest[:16], "big"))[: _LENGTH - 1]


def _base36(value: int) -> str:
    out = ""
    while value:
        value, digit = divmod(value, 36)
        out = _DIGITS[digit] + out
    return out or "0"
