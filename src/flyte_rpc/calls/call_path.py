"""The code path of every call: deadline, retries, request id, credentials, errors and observers."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from flyte_rpc.errors import (
    ConnectionLostError,
    DeadlineExceededError,
    DecodeError,
    EndpointError,
    RpcCancelledError,
    RpcError,
    UnauthenticatedError,
    UnavailableError,
)
from flyte_rpc.redaction import hidden, redact
from flyte_rpc.transports.transport import Transport

from .client import CallRecord, Client
from .credentials import Headers, authentication_of, beside_blocks
from .metadata import added
from .options import Deadline, deadline_of_call, is_limited, options, unbounded
from .retry import Backoff
from .rpc import Effect, Rpc

if TYPE_CHECKING:
    from .tracing import Span

_log = logging.getLogger("flyte_rpc.calls")

_TRANSPARENT = 30
"""Maximum retries of a call that the server certainly did not act on. They do not count as attempts."""

_IMMEDIATE = 12
"""Number of these retries that are immediate."""

_TOLERANCE = 0.02
"""Seconds before the deadline in which a failure may already be the server's reaction to it."""

_SHORTEST = 0.001
"""Minimum seconds for a request: less time cannot bring an answer, and a transport takes no 0."""

_SECRET = 6
"""Minimum length of a secret to redact. Shorter texts, such as numbers, would match unrelated parts of messages."""

Req = TypeVar("Req")
Res = TypeVar("Res")


async def unary(client: Client, rpc: Rpc[Req, Res], request: Req, *, timeout: float | timedelta | None = None) -> Res:
    """Call a unary method.

    Within the deadline, the call is retried if that is safe. Reads and idempotent calls are retried
    when the server is unavailable or the connection breaks. Any call is retried when the server certainly did not act
    on it; these retries use a new connection and do not count as attempts. If the server rejects credentials that can be
    renewed, the call is sent once more with new ones. The time to get them does not count towards the deadline.

    Args:
        client: The client.
        rpc: The method.
        request: Its request.
        timeout: Total seconds, retries included. Default: what is left of an enclosing deadline, else the timeout of the
            enclosing `call_options` block, else the client's.

    Raises:
        RpcError: The call failed; the class says how.
        InitializationError: The client was closed.
    """
    span = _span(client, rpc)
    if span is None:
        return await _unary(client, rpc, request, timeout, None)
    with span:
        return await _unary(client, rpc, request, timeout, span)


async def _unary(
    client: Client, rpc: Rpc[Req, Res], request: Req, timeout: float | timedelta | None, span: Span | None
) -> Res:
    data = _encode(rpc, request)
    deadline = deadline_of_call(timeout, client.timeout)
    retry = options().retry or client.retry
    attempt = _Attempt(client, rpc, span)
    while True:
        transport = client.transport()
        started = time.monotonic()
        await attempt.begin()
        deadline.add_since(started)
        try:
            reply = await transport.unary(rpc.path, data, attempt.headers, _time_left(deadline))
            result = _decode(rpc, reply)
        except RpcError as cause:
            error = _at_deadline(cause, deadline)
            attempt.failed(error)
            if isinstance(error, UnauthenticatedError):
                started = time.monotonic()
                if await attempt.renew():
                    deadline.add_since(started)
                    continue
            delay = attempt.delay_after(error, retry) if _may_repeat(rpc, error, transport) else None
            if delay is None or time.monotonic() + delay >= deadline.end:
                if error is cause:
                    raise
                raise error from None  # the cause has the server's text unredacted
        else:
            attempt.succeeded()
            return result
        if span is not None:
            span.retry(error, delay)
        await asyncio.sleep(delay)


def stream(
    client: Client, rpc: Rpc[Req, Res], request: Req, *, timeout: float | timedelta | None = None
) -> AsyncGenerator[Res, None]:
    """Call a server-streaming method.

    It is not retried, because a retry would deliver replies twice. If the server rejects the credentials before the first
    reply, they are renewed and the stream is opened again, once.

    Args:
        client: The client.
        rpc: The method.
        request: Its request.
        timeout: Seconds for the whole stream. Default: what is left of an enclosing deadline, else no end; pings detect a
            dead connection.

    Yields:
        The replies as they arrive. Closing the generator cancels the call.

    Raises:
        RpcError: The call failed; the class says how.
        InitializationError: The client was closed.
    """
    if "opentelemetry.trace" not in sys.modules:
        return _stream(client, rpc, request, timeout, None)
    return _traced(client, rpc, request, timeout)


async def _traced(
    client: Client, rpc: Rpc[Req, Res], request: Req, timeout: float | timedelta | None
) -> AsyncGenerator[Res, None]:
    span = _span(client, rpc)
    with span or nullcontext():
        async with aclosing(_stream(client, rpc, request, timeout, span)) as results:
            async for result in results:
                yield result


async def _stream(
    client: Client, rpc: Rpc[Req, Res], request: Req, timeout: float | timedelta | None, span: Span | None
) -> AsyncGenerator[Res, None]:
    data = _encode(rpc, request)
    attempt = _Attempt(client, rpc, span)
    deadline = deadline_of_call(timeout, None)
    received = False
    while True:
        transport = client.transport()
        started = time.monotonic()
        await attempt.begin()
        deadline.add_since(started)
        limit = None if deadline.end == math.inf else max(deadline.left(), _SHORTEST)
        async with aclosing(transport.server_stream(rpc.path, data, attempt.headers, limit)) as replies:
            while True:
                try:
                    result = _decode(rpc, await anext(replies))
                except StopAsyncIteration:
                    attempt.succeeded()
                    return
                except RpcError as cause:
                    error = _at_deadline(cause, deadline)
                    attempt.failed(error)
                    started = time.monotonic()
                    if isinstance(error, UnauthenticatedError) and await attempt.renew():
                        deadline.add_since(started)
                        if not received:
                            break  # the server has refused the call, so nothing is delivered twice
                        error.renewed = True
                    if error is cause:
                        raise
                    raise error from None  # the cause has the server's text unredacted
                received = True
                yield result


class _Attempt:
    """Bookkeeping for the attempts of one call."""

    def __init__(self, client: Client, rpc: Rpc[Any, Any], span: Span | None) -> None:
        self._client = client
        self._span = span
        self._method = rpc.path.lstrip("/")
        self._request_id = os.urandom(16).hex()
        self._started = 0.0
        self._transparent = 0
        """How many attempts do not count, because the server did not act on them."""
        self._refused = False
        """Whether a stream of this call was refused before."""
        self.number = 0
        self.headers: list[tuple[str, str]] = []
        self._secret: frozenset[str] = frozenset()
        self._hidden: tuple[str, ...] = ()
        self._credentials = client.settings.credentials
        self._authentication: Headers | None = None
        """The headers of the credentials; None if a block overrides them, or there are none."""
        self._renewals = 0
        self._anonymous = False
        """Whether the first attempt that was rejected had no credentials."""

    async def begin(self) -> None:
        self.number += 1
        blocks = {name for name, _ in added()}
        if self._credentials is not None and ("authorization" not in blocks or beside_blocks(self._credentials)):
            if is_limited():
                with unbounded():  # a person may have to log in
                    self._authentication = await authentication_of(self._credentials)
            else:
                self._authentication = await authentication_of(self._credentials)
        authentication = self._authentication or ()
        self.headers = self._client.headers(self._request_id, authentication)
        if self._span is not None:
            self.headers += self._span.headers(self._request_id, self.headers)
        # Read them now: a stream may fail after its reader has left the block that added them.
        self._secret = frozenset((*blocks, *(name for name, _ in authentication)))
        self._hidden = hidden()
        self._started = time.monotonic()

    async def renew(self) -> bool:
        """Renew the credentials that the server rejected. Returns whether the call is sent again.

        It is once, and once more if the first attempt was anonymous, since the credentials got then may be old ones.
        """
        if self._credentials is None or self._authentication is None or self._renewals > self._anonymous:
            return False
        if not self._renewals:
            self._anonymous = not self._authentication
        with unbounded():
            renewed = await self._credentials.renew(self._authentication)
        self._renewals += renewed
        self._transparent += renewed
        return renewed

    def delay_after(self, error: RpcError, retry: Backoff) -> float | None:
        """Seconds to wait before the next attempt; None if this was the last."""
        if isinstance(error, ConnectionLostError) and error.refused and not self._refused:
            # Only reads get here. They are sent again at once; a peer that refuses twice is probably broken.
            self._refused = True
            self._transparent += 1
            return 0.0
        if isinstance(error, ConnectionLostError) and error.unprocessed and self._transparent < _TRANSPARENT:
            self._transparent += 1
            # Servers that limit the requests of a connection refuse many calls at once. The first retries are immediate.
            return 0.0 if self._transparent <= _IMMEDIATE else retry.delay(self._transparent - _IMMEDIATE)
        counted = self.number - self._transparent
        return None if counted >= retry.attempts else retry.delay(counted)

    def succeeded(self) -> None:
        self._tell(None)

    def failed(self, error: RpcError) -> None:
        """Add method, endpoint and request id to the error, and redact secrets."""
        error.method = self._method
        error.endpoint = self._client.endpoint
        error.request_id = self._request_id
        error.attempts = self.number
        secrets = [text for text in self._hidden if len(text) >= _SECRET]
        for name, value in self.headers:
            if name == "authorization" or name in self._secret:
                # The whole value, and the value without the scheme.
                secrets += [text for text in (value, value.rpartition(" ")[2]) if len(text) >= _SECRET]
        if secrets:
            error.message = redact(error.message, *secrets)
        if any(secret and secret.encode() in error.details for secret in secrets):
            error.details = b""
        error.args = (error.message,)
        self._tell(error)

    def _tell(self, error: RpcError | None) -> None:
        seconds = time.monotonic() - self._started
        endpoint = self._client.endpoint
        if _log.isEnabledFor(logging.DEBUG):
            outcome = "ok" if error is None else f"{error.status.name} ({error.message})"
            _log.debug(
                "%s at %s: %s after %.1f ms (request id %s, attempt %d)",
                *(self._method, endpoint, outcome, seconds * 1e3, self._request_id, self.number),
            )
        self._client.observe(CallRecord(self._method, endpoint, self._request_id, self.number, seconds, error))


def _span(client: Client, rpc: Rpc[Any, Any]) -> Span | None:
    """Return the span of a call. A process that traces calls has imported OpenTelemetry; others do not pay for it."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from .tracing import span_of

    return span_of(client, rpc)


def _time_left(deadline: Deadline) -> float:
    """Seconds for the next request. A request that cannot be answered in time is not sent, because it may be a write."""
    left = deadline.left()
    if left < _SHORTEST:
        raise DeadlineExceededError.after("no time was left to send the request", deadline.timeout, unprocessed=True)
    return left


def _at_deadline(error: RpcError, deadline: Deadline) -> RpcError:
    """Return the error to raise. At the deadline, the errors of servers and proxies vary, but all mean a timeout."""
    if isinstance(error, DeadlineExceededError):
        error.state_timeout(deadline.timeout)
        return error
    if time.monotonic() < deadline.end - _TOLERANCE or isinstance(error, EndpointError):
        return error
    if not isinstance(error, (UnavailableError, RpcCancelledError)):
        return error
    return DeadlineExceededError(f"no reply before the deadline ({error.message})", details=error.details)


def _may_repeat(rpc: Rpc[Any, Any], error: RpcError, transport: Transport) -> bool:
    """Whether a failed call is safe to retry and the retry could succeed."""
    if isinstance(error, EndpointError):
        return (
            error.unprocessed and transport.connected
        )  # a known server may be restarting; an unknown endpoint is probably wrong
    if isinstance(error, ConnectionLostError) and error.unprocessed:
        return True
    return isinstance(error, UnavailableError) and rpc.effect in (Effect.READ, Effect.IDEMPOTENT)


def _encode(rpc: Rpc[Any, Any], request: Any) -> bytes:
    expected: Any = rpc.request_type
    if not isinstance(request, expected):
        service = rpc.service.rpartition(".")[2]
        other = f"the class {request.__name__}" if isinstance(request, type) else type(request).__name__
        raise TypeError(f"{service}.{rpc.method} takes a {expected.__name__}, not {other}; nothing was sent")
    return bytes(request)


def _decode(rpc: Rpc[Any, Res], data: bytes) -> Res:
    message: Any = rpc.response_type
    try:
        return message.parse(data)  # type: ignore[no-any-return]  # messages are known by their `parse` alone
    except ValueError as error:
        raise DecodeError(f"the reply is not a valid {message.__name__}: {error}") from error
