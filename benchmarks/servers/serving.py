"""Runs a protocol on a free port of this machine until standard input ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable


async def _serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)  # nothing is ever sent: it is readable when the other side is gone
    await ended.wait()


def serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    """Print the port, then serve until whoever started this closes the pipe or dies."""
    asyncio.run(_serve(protocol))
