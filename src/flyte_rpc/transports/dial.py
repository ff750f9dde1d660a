"""Connecting to one of the addresses of a host, whichever answers first as an HTTP/2 server."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from . import diagnosis
from .http2.connection import Http2Connection

if TYPE_CHECKING:
    import ssl

    from .endpoint import Endpoint

_STAGGER = 0.25
"""Seconds that an address has before the next one is tried beside it."""


async def dial(
    endpoint: Endpoint, make_connection: Callable[[], Http2Connection], ssl_context: ssl.SSLContext | None
) -> Http2Connection:
    """Connect, and wait for the server's HTTP/2 settings.

    The addresses of a host are tried beside each other, so that one that does not answer, or that accepts connections and
    stays mute, costs a quarter of a second.

    Args:
        endpoint: Where to connect to.
        make_connection: Makes the protocol of an attempt.
        ssl_context: TLS settings. None for cleartext.

    Raises:
        OSError: No address can be connected to.
        EndpointError: What answers is not an HTTP/2 server.
    """
    attempts: list[asyncio.Task[Http2Connection]] = []
    errors: list[Exception] = []
    try:
        for address in await _addresses(endpoint):
            attempts.append(asyncio.create_task(_attempt(endpoint, address, make_connection, ssl_context)))
            if (winner := await _first(attempts, errors, _STAGGER)) is not None:
                return winner
        while attempts:
            if (winner := await _first(attempts, errors, None)) is not None:
                return winner
    finally:
        for attempt in attempts:
            attempt.cancel()
        if attempts:
            await asyncio.wait(attempts)
    # A refusal says least: another address may tell what is wrong.
    raise next((error for error in errors if not isinstance(error, ConnectionRefusedError)), errors[0])


async def _addresses(endpoint: Endpoint) -> list[str]:
    """The addresses of the host, the families in turn."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(endpoint.host))]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    families: dict[int, list[str]] = {}
    for family, _, _, _, place in found:
        families.setdefault(family, []).append(str(place[0]))
    columns = [list(dict.fromkeys(addresses)) for addresses in families.values()]
    longest = max(map(len, columns), default=0)
    return [column[row] for row in range(longest) for column in columns if row < len(column)]


async def _attempt(
    endpoint: Endpoint,
    address: str,
    make_connection: Callable[[], Http2Connection],
    ssl_context: ssl.SSLContext | None,
) -> Http2Connection:
    name = endpoint.host if ssl_context is not None else None
    create = asyncio.get_running_loop().create_connection
    _, connection = await create(make_connection, address, endpoint.port, ssl=ssl_context, server_hostname=name)
    try:
        await connection.ready
        if not connection.settings_received:
            raise diagnosis.not_http2(endpoint, connection.first_bytes)
    except BaseException:
        connection.close("the handshake failed")
        raise
    return connection


async def _first(
    attempts: list[asyncio.Task[Http2Connection]], errors: list[Exception], seconds: float | None
) -> Http2Connection | None:
    """Wait for an attempt to end. Returns its connection; None if it failed, or if none has ended in time."""
    done, _ = await asyncio.wait(attempts, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    winner: Http2Connection | None = None
    for attempt in done:
        attempts.remove(attempt)
        error = attempt.exception()
        if isinstance(error, Exception):
            errors.append(error)
        elif error is not None:
            raise error
        elif winner is None:
            winner = attempt.result()
        else:
            attempt.result().close("another address has answered first")
    return winner
