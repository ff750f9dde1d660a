"""A connection that speaks HTTP/1.1: it carries one request at a time, and keeps its end for the next."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from http import HTTPStatus
from typing import Literal, cast

import h11

from flyte_rpc.serving.connections import Connections
from flyte_rpc.serving.dispatch import Disconnected

from .exchange import Headers
from .router import Router

_log = logging.getLogger("flyte_rpc.server")

_HEADER_BYTES = 2**16
"""Most bytes that the headers of a request may have."""

_BUFFERED_BYTES = 2**18
"""How much of a body waits for its reader before the socket is not read any more."""

_PIPELINED_BYTES = 2**16
"""How much of later requests waits for the reply to the first before the socket is not read any more."""

_DISCARDED_BYTES = 2**20
"""How much of a body that nobody reads is skipped to keep the connection."""

_LINGER_SECONDS = 2.0
"""How long a client may go on sending a request that has been answered. Closing earlier could lose the reply."""


class Http1Connection(asyncio.Protocol):
    """One connection. h11 keeps the state of both sides."""

    def __init__(self, router: Router, connections: Connections) -> None:
        """Describe the connection.

        Args:
            router: Answers the requests.
            connections: Where the connection is noted while it is open.
        """
        self._router = router
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADER_BYTES)
        self._exchange: Http1Exchange | None = None
        """The request that is being answered."""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._waiting_bytes = 0
        """How much has arrived of later requests."""
        self._discarded = 0
        """How much of an answered request's body was skipped."""
        self._lingering: asyncio.TimerHandle | None = None
        """Set once nothing more is sent."""
        self._reading = True
        self._malformed = False
        """Whether the client has broken the rules of HTTP/1.1."""
        self.lost = False

    # The connection's life.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not of that class
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if address else ""
        self._connections.add(self)

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self._task is None

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None or self._malformed:
            return
        if self._http.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._waiting_bytes += len(data)
        self._http.receive_data(data)
        self._advance()

    def eof_received(self) -> None:
        # The transport closes. A client that only closes its sending side cannot be told from one that is gone.
        if self._task is not None:
            self._task.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True
        self._connections.discard(self)
        self._writable.set()
        if self._lingering is not None:
            self._lingering.cancel()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def cancel_calls(self) -> None:
        """Cancel the handler, and wait until it is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def close(self) -> None:
        """Close the socket after sending what is written."""
        self._transport.close()

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    # What arrives.

    def _advance(self) -> None:
        """Handle what has arrived, up to the end of the current request."""
        try:
            while self._lingering is None:
                event = self._http.next_event()
                match event:
                    case h11.Request():
                        self._begin(event)
                    case h11.Data():
                        self._take(bytes(event.data))
                    case h11.EndOfMessage() if self._exchange is not None:
                        self._exchange.feed_end()
                    case h11.EndOfMessage():
                        pass
                    case _:  # more data is needed, or the next request has to wait
                        break
                if self._exchange is None and self._http.their_state is h11.DONE:
                    self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            self._refuse(error)
        self._regulate()

    def _begin(self, request: h11.Request) -> None:
        if not request.http_version.startswith(b"1."):
            version = request.http_version.decode("ascii")
            raise h11.RemoteProtocolError(f"HTTP/{version} is not supported", error_status_hint=505)
        self._exchange = Http1Exchange(self, request)
        self._task = self._loop.create_task(self._answer(self._exchange))

    def _take(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.feed(data)
            return
        self._discarded += len(data)
        if self._discarded > _DISCARDED_BYTES:
            self._linger()

    def _regulate(self) -> None:
        """Read from the socket only as long as there is room for what arrives."""
        if self._lingering is not None:
            return
        body = self._exchange.buffered if self._exchange is not None else 0
        reading = body <= _BUFFERED_BYTES and self._waiting_bytes <= _PIPELINED_BYTES
        if reading != self._reading and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def body_read(self) -> None:
        """Note that the handler has read some of the body."""
        if not self._reading:
            self._regulate()

    def continue_body(self) -> None:
        """Ask for the body, if the client waits to be asked."""
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))

    # What is sent.

    async def _answer(self, exchange: Http1Exchange) -> None:
        answered = False
        try:
            answered = await self._router.answer(exchange)
        finally:
            self._exchange = self._task = None
            if not answered:
                self._transport.abort()  # which tells the client that there is no reply, or that it is cut off
        self._finish()

    def _finish(self) -> None:
        """Go on with the next request after a reply."""
        http = self._http
        if self._transport.is_closing():
            return
        if http.our_state is not h11.DONE or http.their_state not in (h11.DONE, h11.SEND_BODY):
            self._linger()
            return
        self._discarded = self._waiting_bytes = 0
        if http.their_state is h11.DONE:
            http.start_next_cycle()
        self._advance()

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Answer bytes that are no HTTP/1.1."""
        self._malformed = True
        if self._task is not None:
            self._task.cancel()  # aborts the connection
        elif self._http.our_state is h11.IDLE or self._http.our_state is h11.SEND_RESPONSE:
            status = error.error_status_hint
            text = f"this is not a valid HTTP/1.1 request: {error}\n".encode()
            headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
            headers.append(("content-length", str(len(text))))
            self._write(h11.Response(status_code=status, headers=headers, reason=_reason(status)))
            self._write(h11.Data(data=text))
            self._write(h11.EndOfMessage())
            self._linger()
        else:
            self._linger()

    def _linger(self) -> None:
        """Send no more, and close as soon as the client has read everything and closes, or after a while."""
        if self._transport.is_closing() or self._lingering is not None:
            return
        self._lingering = self._loop.call_later(_LINGER_SECONDS, self._transport.abort)
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        self._transport.write_eof()

    def must_close(self) -> bool:
        """Whether the connection cannot be kept after the reply that is about to begin."""
        # The client may or may not send the body that it has not been asked for.
        return self._http.they_are_waiting_for_100_continue

    async def send(self, *events: h11.Event) -> None:
        """Send parts of a reply, and wait until the client takes more."""
        for event in events:
            self._write(event)
        if not self._writable.is_set():
            await self._writable.wait()
        if self.lost:
            raise Disconnected

    def _write(self, event: h11.Event) -> None:
        try:
            data = self._http.send(event)
        except h11.LocalProtocolError as error:
            if self.lost or self._transport.is_closing():
                raise Disconnected from None
            raise error
        if data and not self._transport.is_closing():  # uvloop's transport raises an error then
            self._transport.write(data)


class Http1Exchange:
    """A request on a connection."""

    def __init__(self, connection: Http1Connection, request: h11.Request) -> None:
        self._connection = connection
        self.http: Literal["1.1", "2"] = "1.1"
        self.method = request.method.decode("ascii")
        self.target = request.target.decode("ascii")
        self.headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        self.peer = connection.peer
        self._pieces: deque[bytes] = deque()
        self.buffered = 0
        """Bytes of the body that wait to be read."""
        self._ended = False
        self._changed = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Add a piece of the body."""
        if data:
            self._pieces.append(data)
            self.buffered += len(data)
            self._changed.set()

    def feed_end(self) -> None:
        """Note the end of the body."""
        self._ended = True
        self._changed.set()

    async def read(self) -> bytes:
        if not self._pieces and not self._ended:
            self._connection.continue_body()
        while not self._pieces:
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        piece = self._pieces.popleft()
        self.buffered -= len(piece)
        self._connection.body_read()
        return piece

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        response = self._response(status, (*headers, ("content-length", str(len(body)))))
        if self.method == "HEAD":
            await self._connection.send(response, h11.EndOfMessage())
        else:
            await self._connection.send(response, h11.Data(data=body), h11.EndOfMessage())

    async def start(self, status: int, headers: Headers) -> None:
        await self._connection.send(self._response(status, headers))

    async def write(self, data: bytes) -> None:
        await self._connection.send(h11.Data(data=data))

    async def end(self) -> None:
        await self._connection.send(h11.EndOfMessage())

    def _response(self, status: int, headers: Headers) -> h11.Response:
        closing = [("connection", "close")] if self._connection.must_close() else []
        return h11.Response(status_code=status, headers=[*headers, *closing], reason=_reason(status))


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:  # 499 is only a convention
        return b"Client Closed Request"
