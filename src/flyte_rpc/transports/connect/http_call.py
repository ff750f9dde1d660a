"""What the Connect transport needs of HTTP, in either version: calls, and the connections that they are sent over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """A POST request."""

    path: str
    headers: Headers
    timeout: str
    """Value of `connect-timeout-ms`; empty for none."""
    body: bytes


class Reply(NamedTuple):
    """The beginning of a reply."""

    status: int
    headers: Mapping[str, str]


class HttpCall(Protocol):
    """One request and its reply, on a connection that is ready for it. Failures are errors of `flyte_rpc.errors`."""

    async def send(self, request: Request) -> Reply:
        """Send the request, and wait for the headers of the reply."""
        ...

    def begin(self, request: Request) -> None:
        """Send the headers of a request. Its body follows with `write`."""
        ...

    async def write(self, data: bytes) -> bool:
        """Send a piece of the body. Returns whether the call still takes any; if not, the reply says why."""
        ...

    def end(self) -> None:
        """End the body."""
        ...

    async def reply(self) -> Reply:
        """Wait for the headers of the reply."""
        ...

    async def read(self) -> bytes:
        """The next piece of the reply's body; empty at its end."""
        ...

    def deadline_passed(self) -> None:
        """Note that no reply came in time, so that a dead connection is not used again."""
        ...

    def release(self) -> None:
        """End the call. A reply that is not complete is cancelled."""
        ...


class HttpPool(Protocol):
    """The connections to one endpoint."""

    async def open(self, *, streaming: bool) -> HttpCall:
        """Wait for a connection that takes another call. Nothing is sent yet."""
        ...

    def close(self, reason: str) -> None:
        """Close all connections; running calls fail."""
        ...

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the sockets are closed. After so many seconds, close them by force."""
        ...
