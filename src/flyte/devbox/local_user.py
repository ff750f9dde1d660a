"""Find out which user of this machine opened a connection to the devbox."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

_SOCKETS = Path("/proc/net/tcp")
_ESTABLISHED = "01"


def can_tell() -> bool:
    """Whether the owner of a connection can be determined. This works on Linux only."""
    return _SOCKETS.is_file()


def is_own(peer: str, port: int) -> bool:
    """Whether the user of this process opened a connection.

    Args:
        peer: The client's end of the connection, `127.0.0.1:PORT`.
        port: The port on 127.0.0.1 of the server's end.
    """
    host, _, number = peer.rpartition(":")
    try:
        client = _address(host, int(number))
    except ValueError:  # not IPv4
        return False
    server = _address("127.0.0.1", port)
    return any(uid == os.getuid() for uid in _owners(client, server))


def _owners(client: str, server: str) -> Iterator[int]:
    """Yield the user of the socket with these ends, if it exists. No other socket can have the same ends at the same time."""
    for line in _SOCKETS.read_text("ascii").splitlines()[1:]:
        _, local, remote, state, _, _, _, uid, *_ = line.split()
        if (local, remote, state) == (client, server, _ESTABLISHED):
            yield int(uid)


def _address(host: str, port: int) -> str:
    """Return an address as the kernel prints it: the bytes of a machine word, in hexadecimal digits."""
    (word,) = struct.unpack("=I", IPv4Address(host).packed)
    return f"{word:08X}:{port:04X}"
