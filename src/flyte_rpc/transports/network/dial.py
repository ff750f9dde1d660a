"""Connecting to one of the addresses of a host, whichever answers first."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from flyte_rpc.transports.endpoint import Endpoint

_STAGGER = 0.25
"""Seconds before the next address is tried beside the ones that have not answered yet."""


class _Closable(Protocol):
    def close(self, reason: str) -> None: ...


C = TypeVar("C", bound=_Closable)


async def dial(endpoint: Endpoint, connect: Callable[[str], Coroutine[Any, Any, C]]) -> C:
    """Connect to a host, trying its addresses beside each other.

    An address that does not answer, or that accepts connections and stays mute, delays the connection by a quarter of a
    second.

    Args:
        endpoint: Where to connect to.
        connect: Connects to one address, and waits until the peer has shown that it is of the right kind.

    Returns:
        The first connection that is made.

    Raises:
        OSError: No address can be connected to.
        EndpointError: The peer is not of the right kind.
    """
    attempts: list[asyncio.Task[C]] = []
    errors: list[Exception] = []
    try:
        addresses = await _addresses(endpoint)
        for number, address in enumerate(addresses, 1):
            attempts.append(asyncio.create_task(connect(address)))
            is_last = number == len(addresses)
            while attempts:
                connection = await _first(attempts, errors, None if is_last else _STAGGER)
                if connection is not None:
                    return connection
                if not is_last:
                    break
    finally:
        await _abandon(attempts)
    # A refusal says least: the error of another address may say what is wrong.
    raise next((error for error in errors if not isinstance(error, ConnectionRefusedError)), errors[0])


async def _addresses(endpoint: Endpoint) -> list[str]:
    """The addresses of the host, alternating between IPv6 and IPv4."""
    if endpoint.socket_path:
        return [endpoint.socket_path]
    with suppress(ValueError):
        return [str(ipaddress.ip_address(endpoint.host))]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    families: dict[int, list[str]] = {}
    for family, _, _, _, place in found:
        families.setdefault(family, []).append(str(place[0]))
    columns = [list(dict.fromkeys(addresses)) for addresses in families.values()]
    return [column[row] for row in range(max(map(len, columns))) for column in columns if row < len(column)]


async def _first(attempts: list[asyncio.Task[C]], errors: list[Exception], seconds: float | None) -> C | None:
    """Wait for an attempt to end. Returns its connection; None if it failed, or if none has ended in time."""
    done, _ = await asyncio.wait(attempts, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for attempt in done:
        error = attempt.exception()
        if error is None:
            attempts.remove(attempt)
            return attempt.result()
        if not isinstance(error, Exception):
            raise error
        attempts.remove(attempt)
        errors.append(error)
    return None


async def _abandon(attempts: list[asyncio.Task[C]]) -> None:
    """Cancel the attempts that are not needed, and close the connections of those that succeed all the same."""
    for attempt in attempts:
        attempt.cancel()
        attempt.add_done_callback(_close)
    if attempts:
        await asyncio.wait(attempts)


def _close(attempt: asyncio.Task[C]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close("another address has answered first")
