"""The interface of transports: bytes go in and come out, and failures are errors of `flyte_rpc.errors`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

Metadata = Sequence[tuple[str, str]]
"""Request headers: lower-case names, printable ASCII values."""


class Transport(Protocol):
    """A connection to one server, for the event loop on which it was opened. It connects and reconnects by itself."""

    @property
    def connected(self) -> bool:
        """Whether it has ever reached the server. If so, a refused connection is probably temporary."""
        ...

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        """One request, one reply.

        Args:
            path: `/package.Service/Method`.
            request: The encoded request.
            metadata: Request headers.
            timeout: Seconds for everything, connecting included.

        Raises:
            RpcError: The call failed. The call path adds method, endpoint and request id.
        """
        ...

    def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        """One request, many replies. Closing the generator cancels the call.

        Args:
            path: `/package.Service/Method`.
            request: The encoded request.
            metadata: Request headers.
            timeout: Seconds for the whole stream; None for no end.

        Raises:
            RpcError: As `unary`.
        """
        ...

    def close(self) -> None:
        """Drop the connection; running calls fail. Call it on the event loop of the transport."""
        ...

    async def aclose(self) -> None:
        """Drop the connection and wait until the socket is closed."""
        ...
