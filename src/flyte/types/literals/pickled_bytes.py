"""`bytes` in literals: the pickle of a bytes object, as in the reference SDK.

This module reads them without `pickle`. It accepts only pickles that consist of a single bytes object, which it
recognizes by their few opcodes. No code is run.
"""

_PROTOCOL, _FRAME, _MEMOIZE, _STOP = b"\x80", b"\x95", b"\x94", b"."
# Bytes of the length after each opcode.
_OPCODES = {b"C": 1, b"B": 4, b"\x8e": 8}


def pickled(value: bytes) -> bytes:
    """Return the pickle of a bytes object."""
    opcode, size = next((opcode, size) for opcode, size in _OPCODES.items() if len(value) < 1 << 8 * size)
    return b"".join((_PROTOCOL, b"\x04", opcode, len(value).to_bytes(size, "little"), value, _MEMOIZE, _STOP))


def bytes_of(pickle: bytes) -> bytes | None:
    """Return the bytes object that a pickle consists of; None for any other pickle."""
    # Protocol 3 is the first with opcodes for bytes; earlier ones create bytes with a call.
    if pickle[:1] != _PROTOCOL or pickle[1:2] not in (b"\x03", b"\x04", b"\x05"):
        return None
    start = _unframed(pickle, 2)
    size = _OPCODES.get(pickle[start : start + 1])
    if size is None:
        return None
    start += 1 + size
    end = start + int.from_bytes(pickle[start - size : start], "little")
    rest = pickle[_unframed(pickle, end) :] if end <= len(pickle) else b""
    # An optional opcode memoizes the object, in either of two ways.
    if rest in (_STOP, _MEMOIZE + _STOP) or (rest[:1] == b"q" and rest[2:] == _STOP):
        return pickle[start:end]
    return None


def _unframed(pickle: bytes, start: int) -> int:
    """Return the position of the opcode, after the frame size if there is one; the end if the frame does not fit."""
    if pickle[start : start + 1] != _FRAME:
        return start
    size = int.from_bytes(pickle[start + 1 : start + 9], "little")
    return start + 9 if size <= len(pickle) - start - 9 else len(pickle)
