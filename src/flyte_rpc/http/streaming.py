"""Uploads and downloads over HTTP, in threads that may block. Bodies of any size need constant memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

from flyte_rpc.redaction import redact
from flyte_rpc.version import USER_AGENT

from .addresses import origin_and_path, query_values
from .errors import HttpError, HttpStatusError, HttpTimeoutError, HttpUrlError
from .retry_after import retry_after
from .transfer import Transfer

if TYPE_CHECKING:
    import urllib3

    from .network_settings import NetworkSettings

_CONNECT_TIMEOUT = 10.0
_CHUNK = 1 << 18
_EXPLANATION_BYTES = 500
_REDIRECTS = 5
_REDIRECT = frozenset((301, 302, 303, 307, 308))
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_CODES = ("RequestTimeout", "SlowDown", "OperationAborted")
"""Codes in the replies of S3 that ask for another attempt, whatever the status."""

_FRAMING = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers of the connection and of the body, which the headers of a signed link cannot set."""


class _BodyError(Exception):
    """An error of the caller's body, for the way through urllib3, which handles errors of the network itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class StreamedReply:
    """A reply whose body is read in pieces."""

    def __init__(self, url: str, response: urllib3.BaseHTTPResponse, transfer: Transfer) -> None:
        self.where = origin_and_path(url)
        """The address, without its query."""
        self.secrets = query_values(url)
        """The values of its query, such as a signature, which a server may repeat."""
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        """By lower-case name."""
        self._response = response
        self._transfer = transfer

    @property
    def length(self) -> int | None:
        """Bytes of the body; None if the server does not say it."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdecimal() and not self.is_chunked else None

    @property
    def is_chunked(self) -> bool:
        """Whether the body says itself where it ends."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    def chunks(self, size: int = _CHUNK) -> Iterator[bytes]:
        """Read the body, as it is transferred: a compressed body stays compressed.

        Args:
            size: The most bytes of a piece.

        Raises:
            HttpError: The connection broke before the announced end.
            TransferCancelledError: The transfer was cancelled.
        """
        pieces = self._response.stream(size, decode_content=False)
        while True:
            with _errors(self.where, self._transfer):
                piece = next(pieces, b"")
            self._transfer.check()
            if not piece:
                return
            yield piece

    def close(self) -> None:
        """Close the connection, or keep it for the next request if nothing of the reply is left."""
        self._transfer.unwatch()
        if self._response.length_remaining == 0 and not self._transfer.cancelled:
            self._response.release_conn()
        self._response.close()


class StreamingClient:
    """Sends and receives bodies of any size. Threads can share it."""

    def __init__(self, network: NetworkSettings, *, user_agent: str = USER_AGENT, connections: int = 1) -> None:
        """Create a client. It connects at the first request.

        Args:
            network: Trust and proxies.
            user_agent: The `user-agent` header.
            connections: How many connections to a host stay open.
        """
        self._network = network
        self._user_agent = user_agent
        self._connections = connections
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str | None], urllib3.PoolManager] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.clear()

    def put(
        self, url: str, body: Iterable[bytes], size: int, transfer: Transfer, *, headers: Mapping[str, str]
    ) -> None:
        """Upload a body once.

        Args:
            url: Where to.
            body: The content, in pieces. What it raises ends the upload and is raised.
            size: Bytes of the content, which the body must have.
            transfer: Cancels the upload.
            headers: Headers of the request. Those that belong to the connection and the body are ignored, such as
                `Content-Length`.

        Raises:
            HttpStatusError: The server refuses the body.
            HttpError: There is no usable reply.
            TransferCancelledError: The transfer was cancelled.
        """
        sent = 0

        def pieces() -> Iterator[bytes]:
            nonlocal sent
            try:
                for piece in body:
                    transfer.check()
                    yield piece
                    sent += len(piece)
            except Exception as error:
                raise _BodyError(error) from None

        given = {name.lower(): value for name, value in headers.items() if name.lower() not in _FRAMING}
        try:
            with self._request("PUT", url, {**given, "content-length": str(size)}, transfer, pieces()) as reply:
                if not 200 <= reply.status < 300:
                    raise _refusal(reply)
                if sent != size:
                    raise HttpError(f"{reply.where} answers before it has the whole body", transient=True)
                for _ in reply.chunks():
                    pass
        except _BodyError as wrapped:
            raise wrapped.error from None

    @contextmanager
    def get(self, url: str, transfer: Transfer, *, headers: Mapping[str, str] = {}) -> Generator[StreamedReply]:
        """Fetch a URL. Redirects are followed, but not from TLS to cleartext.

        Args:
            url: What to fetch.
            transfer: Cancels the download.
            headers: Headers of the request.

        Raises:
            HttpStatusError: The server refuses.
            HttpError: There is no usable reply.
            TransferCancelledError: The transfer was cancelled.
        """
        reply = self.open(url, transfer, headers=headers)
        try:
            yield reply
        finally:
            reply.close()

    def open(self, url: str, transfer: Transfer, *, headers: Mapping[str, str] = {}) -> StreamedReply:
        """Fetch a URL like `get`. The caller closes the reply.

        Raises:
            HttpStatusError: The server refuses.
            HttpError: There is no usable reply.
            TransferCancelledError: The transfer was cancelled.
        """
        for _ in range(_REDIRECTS):
            reply = self._send("GET", url, {"accept-encoding": "identity", **headers}, transfer, None)
            try:
                target = reply.headers.get("location") if reply.status in _REDIRECT else None
                if target is None and reply.status not in (200, 206):
                    raise _refusal(reply)
            except BaseException:  # the caller gets no reply that it could close
                reply.close()
                raise
            if target is None:
                return reply
            reply.close()
            target = urljoin(url, target)
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise HttpError(f"{origin_and_path(url)} redirects to a URL without TLS")
            url = target
        raise HttpError(f"{origin_and_path(url)} redirects too often")

    @contextmanager
    def _request(
        self, method: str, url: str, headers: Mapping[str, str], transfer: Transfer, body: Iterator[bytes] | None
    ) -> Generator[StreamedReply]:
        reply = self._send(method, url, headers, transfer, body)
        try:
            yield reply
        finally:
            reply.close()

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], transfer: Transfer, body: Iterator[bytes] | None
    ) -> StreamedReply:
        import urllib3

        from .pools import without_logs

        where = _checked(url)
        transfer.check()
        with without_logs(), transfer.active(), _errors(where, transfer):
            response = self._pool(url).request(
                method,
                url,
                body=body,
                headers={"user-agent": self._user_agent, **headers},
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(transfer.idle, _CONNECT_TIMEOUT), read=transfer.idle),
            )
        return StreamedReply(url, response, transfer)

    def _pool(self, url: str) -> urllib3.PoolManager:
        from .pools import open_pool

        key = urlsplit(url).scheme, self._network.proxy_for(url)
        with self._lock:
            found = self._pools.get(key)
            if found is None:
                found = self._pools[key] = open_pool(self._network, url, connections=self._connections)
        return found


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(letter <= " " or letter == "\x7f" for letter in url):
        # Without what follows a question mark, wherever the URL is not well-formed.
        shown = redact(url.partition("?")[0])
        raise HttpUrlError(f"{shown!r} is not an http:// or https:// URL; percent-encode special characters")
    return origin_and_path(url)


@contextmanager
def _errors(where: str, transfer: Transfer) -> Generator[None]:
    """Raise the errors of urllib3 as `HttpError`."""
    import urllib3

    from .pools import describe

    try:
        yield
        return
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        failure = describe(error, transfer.idle)
    # Outside of the handler: the errors of urllib3 have the whole URL in them.
    transfer.check()
    kind = HttpTimeoutError if failure.timed_out else HttpError
    what = " cannot be reached" if failure.unsent else ""
    raise kind(f"{where}{what}: {failure.reason}", unsent=failure.unsent, transient=failure.transient)


def _refusal(reply: StreamedReply) -> HttpStatusError:
    said = b""
    for piece in reply.chunks(_EXPLANATION_BYTES):
        said += piece
        if len(said) >= _EXPLANATION_BYTES:
            break
    text = said[:_EXPLANATION_BYTES].decode(errors="replace").strip()
    name = HTTPStatus(reply.status).phrase if reply.status in {*HTTPStatus} else ""
    message = redact(f"{reply.where} answered {reply.status} {name}: {text}".rstrip(": "), *reply.secrets)
    transient = reply.status in _TRANSIENT or any(f"<Code>{code}</Code>" in text for code in _CODES)
    wait = retry_after(reply.headers.get("retry-after"), longest=math.inf)
    return HttpStatusError(message, reply.status, wait, transient=transient)
