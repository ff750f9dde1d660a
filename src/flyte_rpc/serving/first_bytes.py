"""A new connection, until its first bytes show which version of HTTP it speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from .connections import Connections

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What clients begin HTTP/2 with. No HTTP/1.1 request begins like this."""


class FirstBytes(asyncio.Protocol):
    """Hands the connection over as soon as it knows to whom."""

    idle = True

    def __init__(
        self,
        connections: Connections,
        http1: Callable[[], asyncio.Protocol],
        http2: Callable[[], asyncio.Protocol],
        patience: float,
    ) -> None:
        """Describe the connection.

        Args:
            connections: Where it is noted while it is open.
            http1: Makes the protocol that takes the connection if it is not HTTP/2.
            http2: Makes the protocol that takes the connection if it is.
            patience: Seconds after which a connection without its first bytes is closed.
        """
        self._connections = connections
        self._http1 = http1
        self._http2 = http2
        self._received = b""
        self._patience = patience
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not of that class
        self._connections.add(self)
        self._late = asyncio.get_running_loop().call_later(self._patience, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.startswith(_PREFACE):
            protocol = self._http2()
        elif _PREFACE.startswith(self._received):
            return
        else:
            protocol = self._http1()
        self._be_patient()
        self._transport.set_protocol(protocol)
        self._connections.hand_over(self)
        protocol.connection_made(self._transport)
        protocol.data_received(self._received)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._be_patient()
        self._connections.discard(self)

    def _be_patient(self) -> None:
        if self._late is not None:
            self._late.cancel()

    async def cancel_calls(self) -> None:
        """There are none."""

    def close(self) -> None:
        """Close the socket."""
        self._transport.close()

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()
