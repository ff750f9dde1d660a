"""What the headers of a request say about its call: deadline and metadata."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from flyte_rpc.serving.dispatch import NOT_METADATA, Method
from flyte_rpc.serving.service import ServerCall, abort
from flyte_rpc.status import Status
from flyte_rpc.transports.connect.protocol import PROTOCOL_VERSION, TIMEOUT_HEADER

from .exchange import Exchange

_PROTOCOL_PREFIXES = (":", "connect-", "grpc-")

_CONNECT_DIGITS = 10

_GRPC_DIGITS = 8
_GRPC_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def connect_timeout(exchange: Exchange) -> float | None:
    """The seconds that a client gives a call; None if it sets no deadline.

    Raises:
        Abort: The header is malformed, or the version of the protocol is unknown.
    """
    name, version = PROTOCOL_VERSION
    if (given := exchange.headers.get(name, version)) != version:
        abort(Status.INVALID_ARGUMENT, f"{name} is {given!r}, but must be {version!r}")
    text = exchange.headers.get(TIMEOUT_HEADER)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _CONNECT_DIGITS):
        abort(Status.INVALID_ARGUMENT, f"{TIMEOUT_HEADER} is {text!r}; it must be up to {_CONNECT_DIGITS} digits")
    return int(text) / 1e3


def grpc_timeout(exchange: Exchange) -> float | None:
    """The seconds that a client of gRPC-Web gives a call; None if it sets no deadline.

    Raises:
        Abort: The header is malformed.
    """
    text = exchange.headers.get("grpc-timeout")
    if text is None:
        return None
    if (timeout := parse_grpc_timeout(text)) is None:
        abort(Status.INVALID_ARGUMENT, f"grpc-timeout is {text!r}; it must be digits and one of {'HMSmun'!r}")
    return timeout


def parse_grpc_timeout(text: str) -> float | None:
    """The seconds in a `grpc-timeout` header; None if it is malformed."""
    digits, unit = text[:-1], text[-1:]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _GRPC_DIGITS and unit in _GRPC_UNITS):
        return None
    return int(digits) * _GRPC_UNITS[unit]


def end_time(timeout: float | None) -> float | None:
    """The time of the event loop in so many seconds."""
    return None if timeout is None else asyncio.get_running_loop().time() + timeout


def server_call(method: Method, exchange: Exchange, timeout: float | None) -> ServerCall:
    """What the handler may know about a call."""
    return ServerCall(path=method.rpc.path, metadata=_metadata(exchange.headers), peer=exchange.peer, deadline=timeout)


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a handler sees: the same as of a gRPC call."""
    return {
        name: value
        for name, value in headers.items()
        if name not in NOT_METADATA and not name.startswith(_PROTOCOL_PREFIXES) and not name.endswith("-bin")
    }
