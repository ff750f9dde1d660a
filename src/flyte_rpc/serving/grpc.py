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

from .connect.call import end_time, parse_grpc_timeout
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
        raise AssertionError("a server sends details, and receives none")


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


def take_timeout(stream: Any, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Note the deadline of a new call, and return its headers without it.

    grpclib answers UNKNOWN when a deadline passes before the task of the call has begun.
    """
    for at, (name, text) in enumerate(headers):
        if name == "grpc-timeout" and (timeout := parse_grpc_timeout(text)) is not None:
            stream.flyte_rpc_timeout = timeout
            stream.flyte_rpc_end = end_time(timeout)
            return [*headers[:at], *headers[at + 1 :]]
    return headers


def _handler(dispatcher: Dispatcher, method: Method) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
    """The coroutine function that grpclib calls for one method."""

    async def handle(stream: Stream[Any, Any]) -> None:
        try:
            http2: Any = stream._stream  # pyright: ignore[reportPrivateUsage]
            timeout, end = getattr(http2, "flyte_rpc_timeout", None), getattr(http2, "flyte_rpc_end", None)
            wire = _GrpcWire(method.rpc, stream)
            await dispatcher.run_until(end, method, _call(method.rpc, stream, timeout), wire)
        except Abort as error:
            raise GRPCError(WireStatus(error.status.value), error.message, error.details or None) from None

    return handle


def _call(rpc: Rpc[Any, Any], stream: Stream[Any, Any], timeout: float | None) -> ServerCall:
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
        deadline=timeout,
    )
