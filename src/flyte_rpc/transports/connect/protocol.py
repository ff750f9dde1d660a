"""The Connect protocol as headers and bytes: requests, replies, errors, envelopes. Nothing here reads or writes a socket."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, cast

from flyte_rpc.errors import DecodeError, EndpointError, RpcError, UnimplementedError, UnknownError, rpc_error
from flyte_rpc.status import Status
from flyte_rpc.transports.diagnosis import ForeignReply
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, BadFrame, gunzip
from flyte_rpc.transports.rpc_status import packed_status

UNARY_TYPE = "application/proto"
STREAM_TYPE = "application/connect+proto"

TIMEOUT_HEADER = "connect-timeout-ms"

PROTOCOL_VERSION = ("connect-protocol-version", "1")

COMPRESSED = 1
"""The flag of a compressed message in a stream."""

END_OF_STREAM = 2
"""The flag of the message that ends a stream."""

UNARY_HEADERS = (("content-type", UNARY_TYPE), ("accept-encoding", "gzip"))
# `accept-encoding: identity` keeps proxies from compressing the stream as a whole, which would hold its messages back.
STREAM_HEADERS = (
    ("content-type", STREAM_TYPE),
    ("accept-encoding", "identity"),
    ("connect-accept-encoding", "gzip"),
)

_MAX_TIMEOUT = 9_999_999_999
"""What fits into the ten digits of `connect-timeout-ms`."""

_PREFIX = struct.Struct(">BL")

CODES: dict[Status, str] = {status: status.name.lower() for status in Status if status is not Status.OK}
"""What Connect calls the statuses."""
CODES[Status.CANCELLED] = "canceled"

_STATUS_OF_CODE = {code: status for status, code in CODES.items()}
_STATUS_OF_CODE["cancelled"] = Status.CANCELLED  # some servers spell it as gRPC does

_STATUS_OF_HTTP = {
    400: Status.INTERNAL,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.UNIMPLEMENTED,
    429: Status.UNAVAILABLE,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.UNAVAILABLE,
}
"""What Connect prescribes for error replies without a Connect error. All others are UNKNOWN."""

_SHOWN_CHARACTERS = 120
"""How much of a plain text is repeated in an error."""

_NOT_CONNECT = frozenset((405, 415))
"""HTTP statuses with which servers refuse the method or content type of Connect before any handler runs."""


def timeout_value(seconds: float | None) -> str:
    """The value of `connect-timeout-ms`; empty for no deadline.

    It is rounded up: a server that gives up before its client makes the failure look like one of the server.
    """
    if seconds is None:
        return ""
    return str(min(math.ceil(max(seconds, 0.0) * 1e3), _MAX_TIMEOUT))


def envelope(message: bytes) -> bytes:
    """A message of a stream with its prefix."""
    return _PREFIX.pack(0, len(message)) + message


def reply_error(status: int, headers: Mapping[str, str], body: bytes, sent: str = UNARY_TYPE) -> RpcError:
    """The error for a reply that is not the expected message or stream.

    If the server does not speak Connect, the cause of the error is a `ForeignReply`.

    Args:
        status: The HTTP status.
        headers: The headers of the reply.
        body: The body, or its beginning.
        sent: The content type of the request.
    """
    if status == 415 and (kind_error := _wrong_kind(headers, sent)) is not None:
        return kind_error
    if status != 200 and content_type(headers) == "application/json":
        try:
            error = json.loads(decompress(headers.get("content-encoding", ""), body))
        except (DecodeError, ValueError, RecursionError):
            error = None
        if isinstance(error, dict) and (found := _connect_error(cast("dict[str, Any]", error))) is not None:
            return found
    return _foreign(status, headers, body)


def _wrong_kind(headers: Mapping[str, str], sent: str) -> RpcError | None:
    """The error for a method that streams and was not called so, or the reverse; None if the server does not say so."""
    accepted = {part.partition(";")[0].strip().lower() for part in headers.get("accept-post", "").split(",")}
    if sent == STREAM_TYPE and UNARY_TYPE in accepted and STREAM_TYPE not in accepted:
        what, hint = "the method does not stream, but was called as one that does", "Call it with unary()."
    elif sent == UNARY_TYPE and STREAM_TYPE in accepted and UNARY_TYPE not in accepted:
        what, hint = (
            "the method streams, but was called as one that does not",
            "Call it with server_stream() or open().",
        )
    else:
        return None
    hint = f"{hint} gRPC makes no difference between the two; Connect does."
    return UnimplementedError(f"{what} (HTTP 415)", hint=hint, unprocessed=True)


def content_type(headers: Mapping[str, str]) -> str:
    """The content type without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


class EnvelopeReader:
    """Splits the body of a stream into messages, and keeps how it ended."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Describe the stream.

        Args:
            headers: The headers of the reply, which name the compression of its messages.
        """
        self._encoding = headers.get("connect-content-encoding", "")
        self._partial = bytearray()
        self.ended = False
        """Whether the server has sent the message that ends the stream."""
        self.error: RpcError | None = None
        """The error with which the stream ended."""

    @property
    def cut(self) -> bool:
        """Whether a message is incomplete."""
        return bool(self._partial)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add a piece of the body.

        Yields:
            The messages that are complete now.

        Raises:
            DecodeError: The bytes are no envelopes, or a message is too large.
        """
        partial = self._partial
        partial += data
        while not self.ended and len(partial) >= _PREFIX.size:
            flags, size = cast("tuple[int, int]", _PREFIX.unpack_from(partial))
            if size > MAX_MESSAGE_BYTES:
                raise DecodeError(f"the message has {size:,} bytes; the limit is {MAX_MESSAGE_BYTES:,}")
            if flags & ~(COMPRESSED | END_OF_STREAM):
                raise DecodeError(f"a message of the stream has the unknown flags {flags:#x}")
            end = _PREFIX.size + size
            if len(partial) < end:
                return
            message = bytes(partial[_PREFIX.size : end])
            del partial[:end]
            if flags & COMPRESSED:
                if not self._encoding:
                    raise DecodeError("a message of the stream is compressed, but the reply does not say how")
                message = decompress(self._encoding, message)
            if flags & END_OF_STREAM:
                partial.clear()
                self.ended = True
                self.error = _end_error(message)
            else:
                yield message


def _end_error(message: bytes) -> RpcError | None:
    """The error in the message that ends a stream."""
    try:
        end: Any = json.loads(message)
    except (ValueError, RecursionError):
        return DecodeError("the message that ends the stream is not JSON")
    if not isinstance(end, dict):
        return DecodeError("the message that ends the stream is not a JSON object")
    error = cast("dict[str, Any]", end).get("error")
    if error is None:
        return None
    if isinstance(error, dict) and (found := _connect_error(cast("dict[str, Any]", error))) is not None:
        return found
    return UnknownError("the server ended the stream with an error that has no valid code")


def _connect_error(error: Mapping[str, Any]) -> RpcError | None:
    """The exception for the JSON of an error; None if it has no code of Connect."""
    code, message = error.get("code"), error.get("message")
    status = _STATUS_OF_CODE.get(code) if isinstance(code, str) else None
    if status is None:
        return None
    text = message if isinstance(message, str) else ""
    return rpc_error(status, text, details=_packed_details(status, text, error.get("details")))


def _packed_details(status: int, message: str, details: object) -> bytes:
    """The `google.rpc.Status` that a gRPC server would attach. Empty without details."""
    unpacked: list[tuple[str, bytes]] = []
    for detail in cast("list[object]", details) if isinstance(details, list) else []:
        if isinstance(detail, dict) and (found := _detail(cast("dict[str, Any]", detail))) is not None:
            unpacked.append(found)
    return packed_status(status, message, unpacked) if unpacked else b""


def _detail(detail: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Type and data of a detail. None if it is malformed: it must not hide the error that it belongs to."""
    name, value = detail.get("type"), detail.get("value", "")
    if not isinstance(name, str) or not isinstance(value, str):
        return None
    try:
        return name, b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), validate=True)
    except ValueError:
        return None


def _foreign(status: int, headers: Mapping[str, str], body: bytes) -> RpcError:
    """The error for a reply without a Connect error."""
    kind = content_type(headers)
    answered = f"HTTP {status}" + (f" of type {kind}" if kind else "")
    cause = ForeignReply(answered, status=status, html=kind == "text/html")
    if kind == "text/plain" and not headers.get("content-encoding") and (line := _first_line(body)):
        answered += f", {line!r}"  # such as that the server expects TLS
    target = headers.get("location")
    error: RpcError
    if (status == 404 and kind == "text/html") or status in _NOT_CONNECT or status < 400:
        redirect = f", which redirects to {target}" if target and status >= 300 else ""
        hint = "Check that the endpoint is the API of the control plane, not a web page or another service."
        if status in _NOT_CONNECT:
            hint = "If the server speaks gRPC only, use transport='grpc'."
        error = EndpointError(f"what answers is not a Connect server ({answered}{redirect})", hint=hint)
    elif status == 404:
        error = rpc_error(Status.UNIMPLEMENTED, f"it answered with {answered}, so the method is not there")
    else:
        mapped = _STATUS_OF_HTTP.get(status, Status.UNKNOWN)
        error = rpc_error(mapped, f"a proxy or web server answered with {answered} instead of a Connect reply")
    error.__cause__ = cause
    return error


def _first_line(text: bytes) -> str:
    return text[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip().partition("\n")[0].strip()


def decompress(encoding: str, data: bytes) -> bytes:
    """Undo the compression of a message or body.

    Raises:
        DecodeError: The compression was not offered, the data is broken, or it would be too large.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not data:
        return data
    if encoding != "gzip":
        raise DecodeError(f"the reply is compressed with {encoding!r}, which was not offered")
    try:
        return gunzip(data, MAX_MESSAGE_BYTES)
    except BadFrame as error:
        raise DecodeError(str(error)) from None
