"""`bytes` on the wire: as the pickle of a bytes object, which is how the reference SDK writes and reads them.

It is read here without the pickle machinery. Of all pickles only those are taken that consist of one bytes object, told
by their few opcodes; nothing else in them is looked at, and nothing is run.
"""

_PROTOCOL, _FRAME, _MEMOIZE, _STOP = b"\x80", b"\x95", b"\x94", b"."
# Size of the length that follows the opcode.
_OPCODES = {b"C": 1, b"B": 4, b"\x8e": 8}


def pickled(value: bytes) -> bytes:
    """The pickle of a bytes object."""
    opcode, size = next((opcode, size) for opcode, size in _OPCODES.items() if len(value) < 1 << 8 * size)
    return b"".join((_PROTOCOL, b"\x04", opcode, len(value).to_bytes(size, "little"), value, _MEMOIZE, _STOP))


def bytes_of(pickle: bytes) -> bytes | None:
    """The bytes object that a pickle consists of; None if it is anything else."""
    # Protocol 3 is the first with bytes of their own; before that they were made by a call.
    if pickle[:1] != _PROTOCOL or pickle[1:2] not in (b"\x03", b"\x04", b"\x05"):
        return None
    start = _unframed(pickle, 2)
    size = _OPCODES.get(pickle[start : start + 1])
    if size is None:
        return None
    start += 1 + size
    end = start + int.from_bytes(pickle[start - size : start], "little")
    rest = pickle[_unframed(pickle, end) :] if end <= len(pickle) else b""
    # What follows remembers the object, in either of two ways, or does not.
    if rest in (_STOP, _MEMOIZE + _STOP) or (rest[:1] == b"q" and rest[2:] == _STOP):
        return pickle[start:end]
    return None


def _unframed(pickle: bytes, start: int) -> int:
    """Where the opcode is, behind the size of a frame if there is one."""
    return start + 9 if pickle[start : start + 1] == _FRAME else start
