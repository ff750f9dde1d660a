"""One HTTP/1.1 connection, which carries one call at a time."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from typing import cast

import h11

from flyte_rpc.errors import ConnectionLostError, EndpointError, InternalError, RpcError
from flyte_rpc.transports.diagnosis import ForeignReply, NoReply, closed_at_once, no_tunnel
from flyte_rpc.transports.endpoint import Endpoint

from .http_call import Reply, Request
from .protocol import PROTOCOL_VERSION, TIMEOUT_HEADER

_HEADER_BYTES = 2**16
"""Most bytes that the headers of a reply may have."""

_BUFFERED_BYTES = 2**20
"""How much of a reply waits for its reader before the socket is not read any more."""

_FIRST_BYTES = 64
_HTTP = b"HTTP/1."
_SETTINGS = b"\x04"
"""The type of the frame with which HTTP/2 begins."""


class Http1Connection(asyncio.Protocol):
    """A connection, and the reply that is arriving on it. One task waits for it, and another may wait to send."""

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint, user_agent: str, proxy: str = "") -> None:
        """Describe a connection.

        Args:
            loop: The running event loop.
            endpoint: The peer.
            user_agent: The `user-agent` header.
            proxy: Address of the proxy to it, if there is one.
        """
        self._loop = loop
        self._endpoint = endpoint
        self._proxy = proxy
        self._used = False
        """Whether a request was sent."""
        self._fixed = [("host", endpoint.authority), ("user-agent", user_agent), PROTOCOL_VERSION]
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        self._waiter: asyncio.Future[None] | None = None
        self._sender: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self._failure: RpcError | None = None
        self._active = False
        """Whether a call is under way."""
        self._first_bytes: bytes | None = None
        """The first bytes on this connection; None once they have proved to be HTTP/1.1."""
        self._paused = False
        self._full = False
        """Whether the buffer of the socket is full."""
        self._end_seen = False
        self._begin_call()

    def _begin_call(self) -> None:
        self._reply: Reply | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._complete = False
        self._delimited = True
        """Whether the complete reply told its length. One that ends with the connection may have been cut off."""

    # The connection's life.

    @property
    def usable(self) -> bool:
        """Whether an idle connection takes another call. The server may have closed it without the event loop knowing yet."""
        if self._failure is not None or self._active or self._transport.is_closing():
            return False
        handle = self._transport.get_extra_info("socket")
        return handle is None or not _readable(handle.fileno())

    @property
    def idle_limit(self) -> float | None:
        """Seconds for which the server says that it keeps the connection; None if it does not say."""
        value = self._reply.headers.get("keep-alive", "") if self._reply else ""
        for part in value.split(","):
            name, _, seconds = part.strip().partition("=")
            if name.lower() == "timeout" and seconds.isdecimal() and len(seconds) < 6:
                return float(seconds)
        return None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._first_bytes = b""

    def data_received(self, data: bytes) -> None:
        if not self._used:
            # A server that speaks HTTP/2 only sends its settings whatever it is sent, and may do so before the request.
            # Others say nothing that early, unless they do not speak HTTP at all.
            self._fail(self._not_http1(data[:_FIRST_BYTES]))
            self._transport.close()
            return
        if not self._active:
            # Nobody asked: a farewell such as 408, or a broken server. Its bytes must not become the next call's reply.
            self.close("the server sent a reply without a request")
            return
        if self._first_bytes is not None:
            self._first_bytes = (self._first_bytes + data)[:_FIRST_BYTES]
            if not self._first_bytes.startswith(_HTTP[: len(self._first_bytes)]):
                # h11 would wait for the end of a line, which other protocols may never send.
                self._fail(self._not_http1(self._first_bytes))
                self._transport.close()
                return
        self._receive(data)
        if self._buffered > _BUFFERED_BYTES and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._end_seen = True
        if self._active and not self._complete:
            self._receive(b"")

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is None and not self._end_seen:
            self.eof_received()
        self._fail(self._lost(f"the connection broke ({exc})" if exc else self._closed_reason()))
        self._transport.close()
        if not self.closed.done():
            self.closed.set_result(None)

    def _lost(self, reason: str) -> ConnectionLostError:
        """The error for a connection that the server or the network ended."""
        hint = ""
        if self._first_bytes == b"" and not self._endpoint.tls:
            hint = (
                f"{ConnectionLostError.default_hint} If the server expects TLS, use https://{self._endpoint.address}; "
                "if it speaks HTTP/2 only, use transport='grpc'."
            )
        error = ConnectionLostError(reason, hint=hint)
        if self._used and self._first_bytes == b"":
            error.__cause__ = NoReply("the connection ended without a byte")
        return error

    def _closed_reason(self) -> str:
        if self._reply is None:
            return "the server closed the connection without a reply"
        return "the server closed the connection in the middle of the reply"

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    def close(self, reason: str) -> None:
        """Close the socket; a call under way fails."""
        self._fail(ConnectionLostError(reason))
        self._transport.close()

    def abort(self) -> None:
        """Close the socket at once, without sending what is still to be sent."""
        self._fail(ConnectionLostError("the connection was closed"))
        self._transport.abort()

    def _fail(self, error: RpcError) -> None:
        if self._failure is None:
            self._failure = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._sender is not None and not self._sender.done():
            self._sender.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What calls do.

    async def send(self, request: Request) -> Reply:
        """Send a request, and wait for the headers of the reply.

        Raises:
            RpcError: No reply arrives. The error is unprocessed only if not a byte was given to the socket.
        """
        head = self._head(request, ("content-length", str(len(request.body))))
        body = self._http.send(h11.Data(data=request.body)) or b""
        body += self._http.send(h11.EndOfMessage()) or b""
        self._transport.write(head + body)
        return await self.reply()

    async def refuses_http1(self) -> bool:
        """Whether the server closes a new connection without a byte, whatever it is asked over HTTP/1.1.

        The request of this test, `OPTIONS *`, changes nothing. A server that speaks HTTP/1.1 answers it, be it with an error.
        """
        head = self._head(Request("*", (), "", b""), ("content-length", "0"), method="OPTIONS")
        self._transport.write(head + (self._http.send(h11.EndOfMessage()) or b""))
        try:
            await self.reply()
        except RpcError as error:
            return isinstance(error.__cause__, NoReply)
        return False

    def begin(self, request: Request) -> None:
        """Send the headers of a request whose body follows with `write`.

        Raises:
            RpcError: The connection has ended. The request was not sent.
        """
        self._transport.write(self._head(request, ("transfer-encoding", "chunked")))

    def _head(self, request: Request, length: tuple[str, str], *, method: str = "POST") -> bytes:
        """The headers of a request, which is under way from now on."""
        if self._failure is not None and isinstance(self._failure.__cause__, ForeignReply):
            raise self._failure
        if (self._failure is not None or self._transport.is_closing()) and not self._used:
            raise closed_at_once(self._endpoint)
        if self._failure is not None or self._transport.is_closing():
            raise ConnectionLostError("the connection was closed before the request was sent", unprocessed=True)
        headers = [*self._fixed, *((name, value.strip()) for name, value in request.headers)]
        if request.timeout:
            headers.append((TIMEOUT_HEADER, request.timeout))
        headers.append(length)
        try:
            head = self._http.send(h11.Request(method=method, target=request.path, headers=headers)) or b""
        except h11.LocalProtocolError as error:
            self.abort()
            raise InternalError(f"the request cannot be sent as HTTP/1.1: {error}", unprocessed=True) from None
        self._active = self._used = True
        return head

    async def write(self, data: bytes) -> bool:
        """Send a piece of the body. Returns whether the call still takes any; if not, the reply says why."""
        while self._takes_body() and self._full:
            self._sender = self._loop.create_future()
            try:
                await self._sender
            finally:
                self._sender = None
        if not self._takes_body():
            return False
        self._transport.write(self._http.send(h11.Data(data=data)) or b"")
        return True

    def end(self) -> None:
        """End the body."""
        if self._takes_body():
            self._transport.write(self._http.send(h11.EndOfMessage()) or b"")

    def _takes_body(self) -> bool:
        return self._failure is None and not self._complete and self._http.our_state is h11.SEND_BODY

    async def reply(self) -> Reply:
        """Wait for the headers of the reply.

        Raises:
            RpcError: No reply arrives.
        """
        while self._reply is None:
            if self._failure is not None:
                raise self._failure
            await self._wait()
        return self._reply

    async def read(self) -> bytes:
        """The next piece of the reply's body; empty at its end."""
        while not self._chunks:
            if self._complete:
                if not self._delimited and self._reply is not None and self._reply.status == 200:
                    raise ConnectionLostError("the reply has no length, so that it may have been cut off")
                return b""
            if self._failure is not None:
                raise self._failure
            await self._wait()
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._paused and self._buffered <= _BUFFERED_BYTES // 2:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return chunk

    def finish_call(self) -> bool:
        """End the call. Returns whether the connection takes another one; if not, it is closed."""
        http = self._http
        reusable = (
            self._complete
            and not self._chunks
            and self._failure is None
            and not self._end_seen
            and http.our_state is h11.DONE
            and http.their_state is h11.DONE
            and not http.trailing_data[0]
            # A server that answers before it has read a large request may never read the rest.
            and not self._transport.get_write_buffer_size()
        )
        if not reusable:
            self.abort()
            return False
        http.start_next_cycle()
        self._active = False
        return True

    def prepare(self) -> None:
        """Forget the reply of the call before."""
        self._begin_call()

    # What the server sends.

    def _receive(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError as error:
            self._fail(self._protocol_error(error, ended=not data))
            self._transport.close()

    def _read_events(self) -> None:
        while True:
            event = self._http.next_event()
            match event:
                case h11.Response():
                    headers = {_text(name): _text(value) for name, value in event.headers}
                    self._reply = Reply(event.status_code, headers)
                    self._first_bytes = None
                case h11.Data():
                    chunk = bytes(event.data)
                    if chunk:
                        self._chunks.append(chunk)
                        self._buffered += len(chunk)
                case h11.EndOfMessage():
                    self._complete, self._delimited = True, not self._end_seen
                case h11.InformationalResponse():
                    continue
                case h11.ConnectionClosed():
                    self._fail(self._lost(self._closed_reason()))
                    break
                case _:  # more data is needed, or the next reply has to wait
                    break
        self._wake()

    def _protocol_error(self, error: h11.RemoteProtocolError, *, ended: bool) -> RpcError:
        if ended:
            return self._lost(self._closed_reason())
        if self._first_bytes is None:
            return ConnectionLostError(f"the server broke the rules of HTTP/1.1 ({error})")
        return self._not_http1(self._first_bytes)

    def _not_http1(self, head: bytes) -> EndpointError:
        """The error for a peer whose first bytes are not the HTTP/1.1 reply to a request."""
        where = self._endpoint.address
        http2 = head[3:4] == _SETTINGS
        hint = "Check host and port of the endpoint."
        if head.startswith(b"\x15\x03"):
            what = f"what answers on {where} expects TLS"
            hint = f"Use https://{where}."
        elif head.startswith(_HTTP) and not self._used:
            what = f"what answers on {where} sends a reply before it gets a request"
        elif head.startswith(_HTTP):
            what = f"what answers on {where} sends headers that are not valid HTTP/1.1"
        elif self._proxy and not http2:
            tunnel = no_tunnel(self._endpoint, self._proxy, "HTTP/1.1")
            what, hint = tunnel.message, tunnel.hint
        else:
            what = f"what answers on {where} does not speak HTTP/1.1 (it sends {head[:40]!r})"
        error = EndpointError(what, hint=hint, unprocessed=http2 or not self._used)
        error.__cause__ = ForeignReply("the first bytes are not HTTP/1.1", http2=http2)
        return error


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _readable(descriptor: int) -> bool:
    """Whether something, such as the end, has arrived on a socket that the event loop has not read yet."""
    if descriptor < 0:
        return True
    if hasattr(select, "poll"):  # Windows has none; `select` fails there for no descriptor
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])
