"""What generated server bases stand on. Light: the client imports it along with the descriptions of RPCs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from attrs import field, frozen

from flyte_rpc.calls.rpc import Rpc
from flyte_rpc.status import Status

if TYPE_CHECKING:
    from flyte_rpc.codec.message import Message


class Abort(Exception):
    """Ends a call with a status other than OK. Raise it with `abort`."""

    def __init__(self, status: Status, message: str, details: Iterable[Message] = ()) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.details = tuple((detail.FULL_NAME, bytes(detail)) for detail in details)
        """Full names and encoded messages of the details."""


def abort(status: Status, message: str, details: Iterable[Message] = ()) -> NoReturn:
    """End the call that is being handled.

    Args:
        status: What the client sees; not OK.
        message: One sentence for the person at the other end.
        details: Messages that programs can read, such as `google.protobuf.Duration`. Default: none.

    Raises:
        Abort: Always.
    """
    raise Abort(status, message, details)


@frozen
class ServerCall:
    """What a handler may know about the call besides its request."""

    path: str
    """`/package.Service/Method`."""
    metadata: Mapping[str, str] = field(repr=False)
    """Request headers, without those of the protocol. Carries credentials, so it is left out of the repr."""
    peer: str
    """Address of the client, `host:port`."""
    deadline: float | None
    """Seconds that the client gave the call when it arrived; None when it waits for ever."""

    @property
    def request_id(self) -> str:
        """The client's `x-request-id`, or an empty string."""
        return self.metadata.get("x-request-id", "")


class ServiceBase:
    """What generated server bases derive from.

    A unary handler is `async def name(self, request, call) -> reply`; a server stream is an async generator with the same
    parameters. Where the client streams, the first parameter is an async iterator of requests.
    """

    RPCS: ClassVar[tuple[tuple[str, Rpc[Any, Any]], ...]] = ()


def unimplemented(rpc: Rpc[Any, Any]) -> Abort:
    """What a generated handler raises until a subclass overrides it."""
    return Abort(Status.UNIMPLEMENTED, f"{rpc.service}.{rpc.method} is not implemented by this server")
