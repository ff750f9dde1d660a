"""Connection pools of urllib3: trust, proxies, logs, and what the errors say. Imported with the first request."""

from __future__ import annotations

import http.client
import logging
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from .transfer import current_transfer

if TYPE_CHECKING:
    from .network_settings import NetworkSettings

_quiet: ContextVar[bool] = ContextVar("http_quiet", default=False)


class Failure(NamedTuple):
    """Why a request failed."""

    reason: str
    """Without the URL."""
    unsent: bool
    """Whether it is certain that the server did not read the request."""
    transient: bool
    """Whether the same request may succeed later."""
    timed_out: bool = False


class _HeaderLines:
    """Reads header lines, and notes when the connection ends within them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.cut = False

    def readline(self, limit: int = -1) -> bytes:
        line = self.stream.readline(limit)
        self.cut = not line.endswith(b"\n") and len(line) != limit
        return line

    def close(self) -> None:
        self.stream.close()


class _Response(http.client.HTTPResponse):
    """A reply with all of its headers. `http.client` takes a connection that ends within the headers for their end."""

    def begin(self) -> None:
        """Read status and headers.

        Raises:
            RemoteDisconnected: The connection ended before.
        """
        lines = _HeaderLines(cast(IO[bytes], self.fp))
        self.fp = cast(Any, lines)
        try:
            super().begin()
        finally:
            if self.fp is cast(Any, lines):
                self.fp = cast(Any, lines.stream)
        if lines.cut:
            self.close()
            raise http.client.RemoteDisconnected("the reply ends within its headers")


class _Watched(HTTPConnection):
    """A connection whose socket belongs to the transfer of its thread."""

    response_class = _Response

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        if self.sock is None:
            self.connect()
        transfer = current_transfer()
        if transfer is not None and self.sock is not None:
            transfer.watch(self.sock)
            # Until now it has the time limit for connecting.
            self.sock.settimeout(transfer.idle)
        super().request(*args, **kwargs)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = cast(Any, _Watched)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = cast(Any, _WatchedTls)


_POOLS: dict[str, type[HTTPConnectionPool] | type[HTTPSConnectionPool]] = {"http": _Pool, "https": _TlsPool}


def open_pool(network: NetworkSettings, url: str, *, connections: int = 1) -> PoolManager:
    """Create a pool for a URL, with the trust and the proxy of the network settings.

    Args:
        network: The settings.
        url: Where requests go. Others of the same scheme that need the same proxy can share the pool.
        connections: How many connections to a host stay open.
    """
    proxy = network.proxy_for(url)
    context = network.ssl_context("http/1.1") if urlsplit(url).scheme == "https" else None
    if proxy is None:
        pool = PoolManager(ssl_context=context, maxsize=connections)
    else:
        parts = urlsplit(proxy)
        headers: dict[str, str] = {}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["proxy-authorization"] = "Basic " + b64encode(pair.encode()).decode()
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        tls = network.ssl_context("http/1.1") if parts.scheme == "https" else None
        pool = ProxyManager(
            address, proxy_headers=headers, proxy_ssl_context=tls, ssl_context=context, maxsize=connections
        )
    pool.pool_classes_by_scheme = _POOLS
    return pool


def describe(error: Exception, timeout: float) -> Failure:
    """Describe an error of urllib3, which has the whole URL in its own message."""
    if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, exceptions.ProxyError):
        text = _plain(error.original_error)
        refused = text.startswith("Tunnel connection failed: 4")
        return Failure(f"the proxy refuses or cannot be reached ({text})", True, not refused)
    if isinstance(error, exceptions.NameResolutionError):
        return Failure("the host name cannot be resolved", True, True)
    if isinstance(error, exceptions.NewConnectionError):
        return Failure(f"no connection ({_plain(error.__cause__)})", True, True)
    if isinstance(error, exceptions.ConnectTimeoutError):
        return Failure("nothing answers at this address", True, True, True)
    shown = str(error).upper()
    if isinstance(error, (exceptions.SSLError, OSError, exceptions.ProtocolError)) and "CERTIFICATE" in shown:
        if "ALERT" in shown:
            return Failure("the server asks for a client certificate that it accepts", True, False)
        return Failure(f"its TLS certificate is not accepted ({_plain(error)})", True, False)
    if isinstance(error, exceptions.TimeoutError):
        return Failure(f"no reply within {f'{timeout:.1f}'.removesuffix('.0')} s", False, True, True)
    invalid = isinstance(error, (exceptions.LocationValueError, ValueError)) and not isinstance(error, OSError)
    if invalid:
        return Failure("the request is not valid HTTP", True, False)
    return Failure(f"the connection broke ({_plain(error)})", False, True)


def _plain(error: object) -> str:
    """The reason that the operating system or OpenSSL gives; else the kind of error."""
    causes = [each for each in getattr(error, "args", ()) if isinstance(each, Exception)]
    inner = causes[0] if causes else error
    text = getattr(inner, "verify_message", None) or getattr(inner, "strerror", None) or getattr(inner, "reason", None)
    if isinstance(text, str):
        return text
    if isinstance(inner, OSError) and str(inner).startswith("Tunnel connection failed"):
        return str(inner)[:100]
    if isinstance(inner, http.client.RemoteDisconnected):
        return str(inner)
    if isinstance(inner, http.client.IncompleteRead) and inner.expected is not None:
        return f"{inner.expected} bytes are missing"
    return type(inner).__name__


@contextmanager
def without_logs() -> Generator[None]:
    """Drop what urllib3 logs about a request: it has URLs with their queries in it."""
    # Adding the same filter again does nothing. Requests of other libraries are logged as before.
    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.response"):
        logging.getLogger(name).addFilter(_is_not_quiet)
    reset = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(reset)


def _is_not_quiet(record: logging.LogRecord) -> bool:
    return not _quiet.get()
