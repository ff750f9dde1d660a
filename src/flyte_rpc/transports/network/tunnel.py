"""A connection through an HTTP proxy: the CONNECT request, and what the proxy may answer."""

from __future__ import annotations

import asyncio
from typing import cast

from flyte_rpc.errors import EndpointError
from flyte_rpc.transports.endpoint import Endpoint

from .proxies import Proxy

_HEAD_BYTES = 2**16
"""How long the headers of the proxy's reply may be, those of informational replies included."""

_NOT_HTTP = "sends something that is not an HTTP reply", "Check that it is an HTTP proxy."


class Handover(asyncio.Protocol):
    """Keeps what arrives on a connection until its protocol takes over."""

    def __init__(self) -> None:
        self.early = bytearray()
        """What has arrived."""
        self._ended = False
        self._lost: tuple[Exception | None] | None = None

    def data_received(self, data: bytes) -> None:
        self.early += data

    def eof_received(self) -> None:
        self._ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = (exc,)

    def hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Attach the protocol of a connection, and pass on what has arrived."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        # The protocol may itself hand over to another one.
        current = cast(asyncio.Protocol, transport.get_protocol())
        if self.early:
            current.data_received(bytes(self.early))
        if self._ended:
            current.eof_received()
        if self._lost is not None:
            current.connection_lost(self._lost[0])


class Tunnel(Handover):
    """Asks a proxy for a connection to an endpoint."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy, endpoint: Endpoint, user_agent: str) -> None:
        super().__init__()
        self._proxy = proxy
        self._endpoint = endpoint
        self._user_agent = user_agent
        self._received = b""
        self._size = 0
        """Bytes that have arrived before the reply was complete."""
        self.established: asyncio.Future[None] = loop.create_future()
        """Done when the proxy has connected."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        where = self._endpoint.address
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", f"User-Agent: {self._user_agent}"]
        if self._proxy.authorization:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization}")
        cast(asyncio.Transport, transport).write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        if self.established.done():
            super().data_received(data)
            return
        self._received += data
        self._size += len(data)
        status, line, rest = "1", "", self._received
        while status.startswith("1"):  # an informational reply, such as 100 Continue, comes before the reply itself
            self._received = rest
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                if self._size > _HEAD_BYTES or not b"HTTP/1.".startswith(self._received[:7]):
                    self._fail(*_NOT_HTTP)
                return
            line = head.split(b"\r\n", 1)[0].decode("utf-8", "replace")
            status = line.split(" ")[1] if line.startswith("HTTP/1.") and " " in line else ""
        self._answered(status, line, rest)

    def _answered(self, status: str, line: str, rest: bytes) -> None:
        if status.startswith("2"):
            self.early += rest
            self.established.set_result(None)
        elif status == "407":
            hint = "Write the user and password into its URL: http://user:password@host:port."
            if self._proxy.authorization:
                hint = "Check the user and password in its URL; special characters have to be percent-encoded."
            self._fail(
                "rejects the credentials (407)" if self._proxy.authorization else "wants credentials (407)", hint
            )
        elif status:
            hint = f"Allow {self._endpoint.address} in the proxy, or add it to NO_PROXY."
            # The reason may repeat the credentials.
            reason = f"HTTP {status[:3]}" if self._proxy.occurs_in(line) else line[:100]
            self._fail(f"does not connect to {self._endpoint.address} ({reason})", hint)
        else:
            self._fail(*_NOT_HTTP)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._fail("closes the connection without a reply", hint="Check host and port of the proxy.")

    def _fail(self, what: str, hint: str) -> None:
        if not self.established.done():
            error = EndpointError(f"the proxy {self._proxy.address} {what}", hint=hint, unprocessed=True)
            self.established.set_exception(error)
