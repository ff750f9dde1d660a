"""One HTTP request and its reply, in either version of HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from flyte_rpc.transports.framing import BadFrame

Headers = Iterable[tuple[str, str]]


class Exchange(Protocol):
    """A request that has arrived up to its body, and the reply to it.

    Everything that waits raises `Disconnected` when the client is gone.
    """

    @property
    def http(self) -> Literal["1.1", "2"]:
        """The version of HTTP."""
        ...

    @property
    def method(self) -> str:
        """Such as POST."""
        ...

    @property
    def target(self) -> str:
        """The path, and the query if there is one."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name. Of a header that occurs several times, the last value."""
        ...

    @property
    def peer(self) -> str:
        """Address of the client, `host:port`."""
        ...

    async def read(self) -> bytes:
        """The next piece of the request's body; empty at its end."""
        ...

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole reply. The body is left out of replies to HEAD."""
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a reply whose length is unknown."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, and wait until the client takes it."""
        ...

    async def end(self) -> None:
        """End the reply."""
        ...


def content_type(exchange: Exchange) -> str:
    """The content type without parameters. Empty if there is none, or if it names a charset other than UTF-8."""
    kind, _, parameters = exchange.headers.get("content-type", "").partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            return ""
    return kind.strip().lower()


async def read_body(exchange: Exchange, limit: int) -> bytes:
    """The whole body of a request.

    Raises:
        BadFrame: It has more than `limit` bytes.
    """
    announced = exchange.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BadFrame(f"the message has {int(announced):,} bytes; the limit is {limit:,}", too_large=True)
    parts: list[bytes] = []
    size = 0
    while piece := await exchange.read():
        parts.append(piece)
        size += len(piece)
        if size > limit:
            raise BadFrame(f"the message has more than {limit:,} bytes, which is the limit", too_large=True)
    return parts[0] if len(parts) == 1 else b"".join(parts)
