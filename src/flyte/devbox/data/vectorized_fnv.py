"""FNV-1a over blocks of bytes with NumPy. Importing it raises ImportError where NumPy is not installed.

A step is `h = (h ^ byte) * prime`. The exclusive or changes only the low byte of `h`, by `d = (low ^ byte) - low`, so a step is
also `h = (h + d) * prime`. A block of steps is then a polynomial in the prime, which needs only the low bytes. Bit `j` of the
next low byte is its former value, combined with bit `j` of the byte and a function of lower bits. So each bit of all low bytes
is a running exclusive or, once the lower bits are known.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# NumPy is optional, so type checkers may not find it.
_numpy: Any = import_module("numpy")

_BLOCK = 1 << 16


def fnv64a(data: bytes, basis: int, prime: int) -> int:
    """Return the 64-bit FNV-1a of data.

    Args:
        data: The data.
        basis: The hash of no data.
        prime: The odd multiplier.
    """
    np = _numpy
    # powers[k] is what the change by the byte at k of a block is multiplied with.
    powers = np.multiply.accumulate(np.full(_BLOCK, prime, dtype=np.uint64))[::-1]
    value = np.array([basis], dtype=np.uint64)
    everything = np.frombuffer(data, dtype=np.uint8)
    for start in range(0, len(data), _BLOCK):
        block = everything[start : start + _BLOCK]
        factors = powers[_BLOCK - len(block) :]
        low = int(value[0]) & 0xFF
        changed = _low_bytes(block, low, prime & 0xFF)
        before = np.empty_like(changed)
        before[0] = low
        before[1:] = changed[:-1] * np.uint8(prime & 0xFF)
        changes = changed.astype(np.int64) - before
        # Arithmetic of uint64 arrays is modulo 2**64.
        value = value * factors[:1] + (changes.astype(np.uint64) * factors).sum(dtype=np.uint64)
    return int(value[0])


def _low_bytes(block: Any, low: int, factor: int) -> Any:
    """Return the low bytes of the hash after each exclusive or, before each multiplication.

    Args:
        block: The data.
        low: The low byte of the hash before the block.
        factor: The low byte of the prime.
    """
    np = _numpy
    found = np.zeros_like(block)
    for bit in range(8):
        # Lower bits of `found` are known; multiplied, they carry into this bit.
        carried = ((found * np.uint8(factor)) >> bit) & 1
        given = (block >> bit) & 1
        following = np.bitwise_xor.accumulate(given ^ carried) ^ ((low >> bit) & 1)
        current = np.empty_like(following)
        current[0] = (low >> bit) & 1
        current[1:] = following[:-1]
        found |= (current ^ given) << bit
    return found
