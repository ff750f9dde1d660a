"""gzip, the compression that requests may have and replies get if the client asks for it."""

from __future__ import annotations

import asyncio
import gzip

from flyte_rpc.serving.service import abort
from flyte_rpc.status import Status
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, gunzip

_SMALLEST = 1024
"""Bytes from which on a reply is compressed. Less gains little, and fits into a packet anyway."""

_LEVEL = 1
"""Fast: clients are near, and messages of text shrink well at any level."""

_SLOW = 2**18
"""Bytes from which on compressing takes long enough to be done in a thread."""


def check_encoding(name: str) -> bool:
    """Whether a header says that messages are compressed.

    Raises:
        Abort: They are, but not with gzip.
    """
    name = name.strip().lower()
    if name in ("", "identity"):
        return False
    if name != "gzip":
        abort(Status.UNIMPLEMENTED, f"the compression {name!r} is not supported; use gzip or none")
    return True


def accepts_gzip(header: str) -> bool:
    """Whether an `accept-encoding` header names gzip, and does not exclude it."""
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        if name.strip() == "gzip":
            quality = parameters.replace(" ", "").partition("q=")[2]
            return not quality or bool(quality.strip("0."))
    return False


async def decompress(data: bytes) -> bytes:
    """Undo gzip.

    Raises:
        BadFrame: The data is broken, or expands to more than a message may have.
    """
    if len(data) < _SLOW // 16:  # a thousandfold expansion is possible, and rare
        return gunzip(data, MAX_MESSAGE_BYTES)
    return await asyncio.to_thread(gunzip, data, MAX_MESSAGE_BYTES)


async def compress(data: bytes) -> bytes | None:
    """The data compressed; None if that is not worth it."""
    if len(data) < _SMALLEST:
        return None
    if len(data) < _SLOW:
        packed = gzip.compress(data, _LEVEL, mtime=0)
    else:
        packed = await asyncio.to_thread(gzip.compress, data, _LEVEL, mtime=0)
    return packed if len(packed) < len(data) else None
