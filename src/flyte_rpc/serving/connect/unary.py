"""Unary calls of Connect: a message is the body of a request, and a reply or an error that of the response."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from attrs import frozen

from flyte_rpc.calls.rpc import Rpc
from flyte_rpc.serving.dispatch import Dispatcher, Method
from flyte_rpc.serving.service import Abort, abort
from flyte_rpc.status import Status
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, BadFrame

from .call import connect_timeout, end_time, server_call
from .codecs import JSON, PROTO, MessageCodec
from .compression import accepts_gzip, check_encoding, compress, decompress
from .errors import HTTP_STATUS, error_body
from .exchange import Exchange, read_body


@frozen
class _Request:
    """Where the message of a request is, and how it is written."""

    codec: MessageCodec
    compression: str
    read: Callable[[], Awaitable[bytes]]


class _UnaryWire:
    """Reads the request, and keeps the reply until the handler is done."""

    def __init__(self, rpc: Rpc[Any, Any], request: _Request) -> None:
        self._rpc = rpc
        self._request = request
        self._compressed = check_encoding(request.compression)
        self.reply = b""

    async def read(self) -> Any:
        data = await self._request.read()
        if self._compressed and data:
            data = await decompress(data)
        return self._request.codec.decode(self._rpc, data)

    async def write(self, reply: Any) -> None:
        self.reply = self._request.codec.encode(reply)


async def serve_post(dispatcher: Dispatcher, method: Method, exchange: Exchange, codec: MessageCodec) -> None:
    """Answer a POST request, whose body is the message."""
    compression = exchange.headers.get("content-encoding", "")
    request = _Request(codec, compression, lambda: read_body(exchange, MAX_MESSAGE_BYTES))
    await _serve(dispatcher, method, exchange, request)


async def serve_get(dispatcher: Dispatcher, method: Method, exchange: Exchange, query: str) -> None:
    """Answer a GET request, with which clients call methods that only read. Its query has the message."""
    try:
        request = _request_of_query(query, method.rpc)
    except Abort as error:
        await respond_error(exchange, error)
        return
    await _serve(dispatcher, method, exchange, request)


async def _serve(dispatcher: Dispatcher, method: Method, exchange: Exchange, request: _Request) -> None:
    try:
        timeout = connect_timeout(exchange)
        wire = _UnaryWire(method.rpc, request)
        await dispatcher.run_until(end_time(timeout), method, server_call(method, exchange, timeout), wire)
    except Abort as error:
        await respond_error(exchange, error)
        return
    reply = wire.reply
    headers = [("content-type", f"application/{request.codec.name}"), ("accept-encoding", "gzip")]
    if accepts_gzip(exchange.headers.get("accept-encoding", "")) and (packed := await compress(reply)) is not None:
        headers.append(("content-encoding", "gzip"))
        reply = packed
    await exchange.respond(200, headers, reply)


async def respond_error(exchange: Exchange, error: Abort, status: int | None = None) -> None:
    """Send an error.

    Args:
        exchange: The request.
        error: What failed.
        status: Of HTTP. Default: that of the error.
    """
    headers = [("content-type", "application/json"), ("accept-encoding", "gzip")]
    await exchange.respond(HTTP_STATUS[error.status] if status is None else status, headers, error_body(error))


def _request_of_query(query: str, rpc: Rpc[Any, Any]) -> _Request:
    # Latin-1 keeps every byte of an encoded message.
    values = {name: every[-1] for name, every in parse_qs(query, keep_blank_values=True, encoding="latin-1").items()}
    codec = {"proto": PROTO, "json": JSON}.get(values.get("encoding", ""))
    if codec is None or "message" not in values or not codec.fits(rpc):
        abort(
            Status.INVALID_ARGUMENT,
            "the query needs message=..., and encoding=proto, or encoding=json if the method has JSON messages",
        )
    if (version := values.get("connect", "v1")) != "v1":
        abort(Status.INVALID_ARGUMENT, f"the query has connect={version!r}, but must have 'v1'")

    async def read() -> bytes:
        data = values["message"].encode("latin-1")
        return _unquoted(data) if values.get("base64") == "1" else data

    return _Request(codec, values.get("compression", ""), read)


def _unquoted(data: bytes) -> bytes:
    """Decode base64, in its form for URLs or the usual one."""
    data = data.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError as error:
        raise BadFrame(f"the message in the query is not base64: {error}") from None
