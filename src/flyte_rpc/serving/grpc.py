"""gRPC calls over grpclib's HTTP/2 server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from grpclib import GRPCError
from grpclib.const import Cardinality as WireCardinality
from grpclib.const import Handler as Route
from grpclib.const import Status as WireStatus
from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase
from grpclib.server import Stream

from flyte_rpc.calls.rpc import Cardinality, Rpc
from flyte_rpc.transports.rpc_status import packed_status

from .dispatch import NOT_METADATA, Dispatcher, Method
from .grpclib_compat import read_message
from .service import Abort, ServerCall

_WIRE_CARDINALITY = {
    Cardinality.UNARY: WireCardinality.UNARY_UNARY,
    Cardinality.SERVER_STREAM: WireCardinality.UNARY_STREAM,
    Cardinality.CLIENT_STREAM: WireCardinality.STREAM_UNARY,
    Cardinality.BIDI: WireCardinality.STREAM_STREAM,
}


class GrpcRoutes:
    """The methods of a dispatcher in the shape that grpclib routes by."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def __mapping__(self) -> dict[str, Route]:
        return {
            path: Route(_handler(self._dispatcher, method), _WIRE_CARDINALITY[method.rpc.cardinality], None, None)
            for path, method in self._dispatcher.methods.items()
        }


class Codec(CodecBase):
    """Handlers read requests themselves, with a size limit; grpclib is left to encode the replies."""

    @property
    def __content_subtype__(self) -> str:
        return "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return message_type.parse(data)


class DetailsCodec(StatusDetailsCodecBase):
    """Sends the details of an `Abort` as the trailer `grpc-status-details-bin`."""

    def encode(self, status: WireStatus, message: str | None, details: Any) -> bytes:
        return packed_status(status.value, message or "", details)

    def decode(self, status: WireStatus, message: str | None, data: bytes) -> Any:
        raise NotImplementedError("servers receive no details")


class _GrpcWire:
    __slots__ = ("_rpc", "_stream")

    def __init__(self, rpc: Rpc[Any, Any], stream: Stream[Any, Any]) -> None:
        self._rpc = rpc
        self._stream = stream

    async def read(self) -> Any:
        # grpclib's own reader has no limit and fails with assertions; the HTTP/2 stream has no public name.
        data = await read_message(self._stream._stream)  # pyright: ignore[reportPrivateUsage]
        return None if data is None else self._rpc.request_type.parse(data)

    async def write(self, reply: Any) -> None:
        await self._stream.send_message(reply)


def _handler(dispatcher: Dispatcher, method: Method) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
    """The coroutine function that grpclib calls for one method."""

    async def handle(stream: Stream[Any, Any]) -> None:
        try:
            await dispatcher.run(method, _call(method.rpc, stream), _GrpcWire(method.rpc, stream))
        except Abort as error:
            raise GRPCError(WireStatus(error.status.value), error.message, error.details or None) from None

    return handle


def _call(rpc: Rpc[Any, Any], stream: Stream[Any, Any]) -> ServerCall:
    metadata: dict[str, str] = {}
    if stream.metadata is not None:
        for name, value in stream.metadata.items():
            if isinstance(value, str) and name not in NOT_METADATA:
                metadata[name] = value
    address = stream.peer.addr()
    return ServerCall(
        path=rpc.path,
        metadata=metadata,
        peer=f"{address[0]}:{address[1]}" if address else "",
        deadline=stream.deadline.time_remaining() if stream.deadline is not None else None,
    )
