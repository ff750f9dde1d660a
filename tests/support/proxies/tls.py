"""A proxy that terminates TLS and passes the bytes on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from .proxy import pump


@asynccontextmanager
async def tls_proxy(target: str, context: ssl.SSLContext) -> AsyncGenerator[str]:
    """Run a proxy in front of `host:port`. Yields its endpoint."""
    host, _, port = target.rpartition(":")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, to_upstream), pump(upstream, writer))

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
