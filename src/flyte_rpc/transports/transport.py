"""The interface of transports: bytes go in and come out, and failures are errors of `flyte_rpc.errors`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, get_args

from .endpoint import Endpoint

Metadata = Sequence[tuple[str, str]]
"""Request headers: lower-case names, printable ASCII values."""


class StreamingCall(Protocol):
    """A call in which the client sends any number of messages. One task may send while another one receives."""

    async def send(self, message: bytes) -> bool:
        """Send a message. Waits while the server or the network takes no more.

        Returns:
            Whether the call still takes messages. If not, `receive` returns or raises what the server answered.

        Raises:
            RuntimeError: `end` was called before, the block of the call was left, or another task is sending.
        """
        ...

    async def end(self) -> None:
        """Tell the server that no more messages follow. Ending twice does nothing.

        Raises:
            RuntimeError: The block of the call was left, or another task is sending.
        """
        ...

    async def receive(self) -> bytes | None:
        """Wait for the next reply. None means that the call has ended successfully.

        Raises:
            RpcError: The call failed. Replies that arrived before are returned first.
            RuntimeError: The block of the call was left, or another task is receiving.
        """
        ...


class Transport(Protocol):
    """A connection to one server, for the event loop on which it was opened. It connects and reconnects by itself.

    Calls from another event loop raise a RuntimeError. A path that is not one, and a timeout that is not a positive, finite
    number of seconds, raise a ValueError before anything is sent.
    """

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

    def open(
        self, path: str, metadata: Metadata, timeout: float | None, *, bidirectional: bool = True
    ) -> AbstractAsyncContextManager[StreamingCall]:
        """A call in which the client streams. Leaving the block cancels the call unless it has ended.

        Args:
            path: `/package.Service/Method`.
            metadata: Request headers.
            timeout: Seconds for the whole call, connecting included; None for no end.
            bidirectional: Whether replies are read before the last message is sent. Pass False for a client stream: it
                also works over HTTP/1.1.

        Raises:
            RpcError: No call can be started.
        """
        ...

    def close(self) -> None:
        """Drop the connection; running calls fail. Call it on the event loop of the transport."""
        ...

    async def aclose(self) -> None:
        """Drop the connection and wait until the socket is closed."""
        ...


TransportName = Literal["auto", "grpc", "connect", "grpclib"]
"""`"grpc"`, `"connect"`, `"grpclib"`, or `"auto"` for gRPC where it works and Connect elsewhere."""

TransportFactory = Callable[[Endpoint], Transport]
"""Makes a transport for the running event loop. It sends nothing before the first call."""


def check_transport(transport: TransportName | TransportFactory) -> TransportName | TransportFactory:
    """Make sure that an argument chooses a transport.

    Raises:
        ValueError: It is a text that names none.
        TypeError: It is neither text nor a function.
    """
    if callable(transport):
        return transport
    if not isinstance(transport, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"transport takes a name or a function, not {type(transport).__name__}")
    if transport not in get_args(TransportName):
        choices = ", ".join(f'"{choice}"' for choice in get_args(TransportName))
        raise ValueError(f"transport={transport!r}: choose one of {choices}")
    return transport
