"""Hashes that clients can see. Hashes of cached outputs are in `flyte._hashing`."""

from __future__ import annotations

import base64

from flyte._hashing import canonical, without_ignored
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata
from flyte_api.messages.flyteidl2.task.common import Inputs

_FNV_32 = (0x811C9DC5, 0x01000193, 2**32 - 1)
_FNV_64 = (0xCBF29CE484222325, 0x100000001B3, 2**64 - 1)
_LONG = 1 << 18
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def fnv32a(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    return _fnv1a(data, *_FNV_32)


def fnv64a(data: bytes) -> int:
    """FNV-1a, 64 bits. Long data takes a quarter of the time where NumPy is installed."""
    if len(data) >= _LONG:
        try:
            from .vectorized_fnv import fnv64a as vectorized
        except ImportError:
            pass  # NumPy is optional; the loop gives the same hash.
        else:
            return vectorized(data, *_FNV_64[:2])
    return _fnv1a(data, *_FNV_64)


def fnv64(data: bytes) -> int:
    """FNV-1, 64 bits, which multiplies before it mixes in a byte."""
    value, prime, mask = _FNV_64
    for byte in data:
        value = (value * prime & mask) ^ byte
    return value


def shard(name: str) -> str:
    """Return two characters, derived from a name, that spread outputs over directories."""
    first, second = divmod(fnv32a(name.encode()) % len(_ALPHABET) ** 2, len(_ALPHABET))
    return _ALPHABET[first] + _ALPHABET[second]


def uploaded_inputs_hash(inputs: Inputs, metadata: TaskMetadata | None) -> str:
    """Return the name of stored inputs: unpadded URL-safe base64 of their FNV-64a.

    The hash includes the context, unless the task ignores some of its inputs.
    """
    counted = without_ignored(inputs, metadata) if metadata and metadata.cache_ignore_input_vars else inputs
    digest = fnv64a(canonical(counted)).to_bytes(8, "big")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _fnv1a(data: bytes, basis: int, prime: int, mask: int) -> int:
    value = basis
    for byte in data:
        value = (value ^ byte) * prime & mask
    return value
