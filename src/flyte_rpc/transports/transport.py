"""What the call path asks of a wire protocol. Bytes go in and come out; failures are `flyte.errors`.

There is one implementation, gRPC over HTTP/2. It is imported when the first connection is opened.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .endpoint import Endpoint

Metadata = Sequence[tuple[str, str]]
"""Request headers: lower-case names, printable ASCII values."""


class Transport(Protocol):
    """A way to one control plane, for the event loop it was opened on. It connects, and reconnects, by itself."""

    @property
    def connected(self) -> bool:
        """Whether it has reached the server at some time: then a refusal is likely to pass."""
        ...

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        """One request, one reply.

        Args:
            path: `/package.Service/Method`.
            request: The encoded request.
            metadata: Request headers.
            timeout: Seconds for everything, connecting included.

        Raises:
            RpcError: It failed; not yet saying which method, endpoint and request id.
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
        """Drop the connection; calls that run fail. Only from the loop it was opened on."""
        ...

    async def aclose(self) -> None:
        """Drop the connection and wait until the socket is closed."""
        ...


def open_transport(endpoint: Endpoint) -> Transport:
    """A transport for the running event loop. Nothing is sent before the first call."""
    from .grpc import GrpcTransport

    return GrpcTransport(endpoint)
