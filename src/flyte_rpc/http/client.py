"""A synchronous HTTP client over urllib3, for threads that may block."""

from __future__ import annotations

import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from flyte_rpc.version import USER_AGENT

from .errors import HttpError
from .retry_after import retry_after

if TYPE_CHECKING:
    import ssl

    import urllib3

_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 10.0
_REPLY_BYTES = 1 << 20
_ATTEMPTS = 3
_LONGEST_WAIT = 10.0
_FIRST_WAIT = 0.5
_REDIRECTS = 5
_BUSY = frozenset((429, 503))
"""Statuses of servers that did not act on a request and want it again later."""

_REDIRECT = frozenset((301, 302, 303, 307, 308))

_ours: ContextVar[bool] = ContextVar("http_ours", default=False)


class NetworkSettings(Protocol):
    """What the client needs to know to open sockets."""

    def ssl_context(self, *protocols: str) -> ssl.SSLContext:
        """TLS settings that offer these protocols by ALPN."""
        ...

    def proxy_for(self, url: str) -> str | None:
        """The URL of the proxy for a request, credentials included; None for a direct connection."""
        ...


class HttpReply(NamedTuple):
    """A reply, read to its end."""

    url: str
    """Where it comes from, without the query."""
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> dict[str, Any]:
        """Parse the body as a JSON object.

        Raises:
            HttpError: The body is something else. The message does not repeat it.
        """
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return cast(dict[str, Any], found)
        html = self.content_type == "text/html" or self.body.lstrip()[:1] == b"<"
        what = "an HTML page" if html else "something that is not JSON"
        hint = "; a proxy or a log-in page may be in between" if html else ""
        raise HttpError(f"{self.url} answers with {what} (status {self.status}){hint}")

    def __repr__(self) -> str:
        return f"HttpReply({self.url!r}, {self.status}, {len(self.body)} bytes)"


def origin_and_path(url: str) -> str:
    """The URL without user, query and fragment, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class HttpClient:
    """Sends requests. Threads can share it."""

    def __init__(
        self,
        network: NetworkSettings,
        *,
        timeout: float = _TIMEOUT,
        headers_for: Callable[[str], Iterable[tuple[str, str]]] = lambda url: (),
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a client. It connects at the first request.

        Args:
            network: Trust and proxies.
            timeout: Seconds for a request, from the connection to the last byte of the reply.
            headers_for: Returns further headers for a URL, such as those for a proxy in front of it.
            user_agent: The `user-agent` header.
            sleep: Waits between attempts.
            clock: Tells the time in seconds.
        """
        self._network = network
        self._timeout = timeout
        self._headers_for = headers_for
        self._user_agent = user_agent
        self._sleep = sleep
        self._clock = clock

    def get(self, url: str, *, headers: Iterable[tuple[str, str]] = ()) -> HttpReply:
        """Fetch a URL.

        Redirects are followed. Headers given here are sent to the origin of the URL only.

        Raises:
            HttpError: There is no usable reply.
        """
        given = tuple(headers)
        for _ in range(_REDIRECTS):
            reply = self._retrying("GET", url, given, None)
            target = reply.headers.get("location") if reply.status in _REDIRECT else None
            if target is None:
                return reply
            target = urljoin(url, target)
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise HttpError(f"{origin_and_path(url)} redirects to a URL without TLS")
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                given = ()
            url = target
        raise HttpError(f"{origin_and_path(url)} redirects too often")

    def post_form(self, url: str, form: Mapping[str, str], *, headers: Iterable[tuple[str, str]] = ()) -> HttpReply:
        """Send a form.

        A form may have credentials in it, so redirects are errors. The request is sent again only if the server did not
        act on it: it could not be reached, or was busy.

        Raises:
            HttpError: There is no usable reply.
        """
        given = (*headers, ("content-type", "application/x-www-form-urlencoded"))
        reply = self._retrying("POST", url, given, urlencode(form).encode())
        if reply.status in _REDIRECT:
            target = origin_and_path(urljoin(url, reply.headers.get("location", "")))
            raise HttpError(f"{reply.url} redirects to {target}; credentials are not sent on")
        return reply

    def _retrying(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | None) -> HttpReply:
        end = self._clock() + self._timeout
        for attempt in range(1, _ATTEMPTS + 1):
            wait = _FIRST_WAIT * 2 ** (attempt - 1)
            try:
                reply = self._send(method, url, headers, body, end)
            except HttpError as error:
                if not error.unsent or attempt == _ATTEMPTS or self._clock() + wait >= end:
                    raise
            else:
                if reply.status not in _BUSY or attempt == _ATTEMPTS:
                    return reply
                asked = retry_after(reply.headers.get("retry-after"), longest=_LONGEST_WAIT)
                wait = wait if asked is None else asked
                if self._clock() + wait >= end:
                    return reply
            self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _send(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | None, end: float
    ) -> HttpReply:
        import urllib3

        _install_filter()
        where = origin_and_path(url)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise HttpError(f"{where!r} is not an http:// or https:// URL")
        left = max(end - self._clock(), 0.001)
        sent = {
            "user-agent": self._user_agent,
            "accept": "application/json",
            **dict(self._headers_for(url)),
            **dict(headers),
        }
        reason, unsent, transient = "", False, False
        with _quiet(), self._manager(url) as manager:
            try:
                response = manager.request(
                    method,
                    url,
                    body=body,
                    headers=sent,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=urllib3.Timeout(total=left, connect=min(left, _CONNECT_TIMEOUT)),
                )
                try:
                    data = self._read(response, where, end)
                finally:
                    response.close()
                return HttpReply(where, response.status, {k.lower(): v for k, v in response.headers.items()}, data)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                if isinstance(error, HttpError):
                    raise
                reason, unsent = _reason(error, self._timeout)
                transient = "certificate" not in reason
        # Outside of the handler: the errors of urllib3 have the whole URL in them.
        raise HttpError(f"{where} cannot be reached: {reason}", unsent=unsent, transient=transient)

    def _read(self, response: urllib3.BaseHTTPResponse, where: str, end: float) -> bytes:
        data = bytearray()
        for chunk in response.stream(1 << 14):
            data += chunk
            if len(data) > _REPLY_BYTES:
                raise HttpError(f"{where} sends more than {_REPLY_BYTES >> 20} MiB")
            if self._clock() >= end:
                raise HttpError(f"{where} has not sent its whole reply within {self._timeout:g} s", transient=True)
        return bytes(data)

    def _manager(self, url: str) -> urllib3.PoolManager:
        import urllib3

        proxy = self._network.proxy_for(url)
        context = self._network.ssl_context("http/1.1") if urlsplit(url).scheme == "https" else None
        if proxy is None:
            return urllib3.PoolManager(ssl_context=context)
        parts = urlsplit(proxy)
        headers: dict[str, str] = {}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["proxy-authorization"] = "Basic " + b64encode(pair.encode()).decode()
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        tls = self._network.ssl_context("http/1.1") if parts.scheme == "https" else None
        return urllib3.ProxyManager(address, proxy_headers=headers, proxy_ssl_context=tls, ssl_context=context)


def _reason(error: Exception, timeout: float) -> tuple[str, bool]:
    """What went wrong, without the URL, and whether the server certainly did not read the request."""
    from urllib3 import exceptions

    if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, exceptions.ProxyError):
        inner = error.original_error
        return f"the proxy refuses or cannot be reached ({_plain(inner)})", True
    if isinstance(error, exceptions.NameResolutionError):
        return "the host name cannot be resolved", True
    if isinstance(error, exceptions.NewConnectionError):
        return f"no connection ({_plain(error.__cause__)})", True
    if isinstance(error, exceptions.ConnectTimeoutError):
        return "nothing answers at this address", True
    if isinstance(error, (exceptions.SSLError, OSError)) and "CERTIFICATE" in str(error).upper():
        return f"its TLS certificate is not accepted ({_plain(error)})", True
    if isinstance(error, exceptions.TimeoutError):
        return f"no reply within {timeout:g} s", False
    return f"the connection broke ({_plain(error)})", False


def _plain(error: object) -> str:
    """The reason that the operating system or OpenSSL gives; else the kind of error."""
    inner = (
        error.args[0] if isinstance(error, Exception) and error.args and isinstance(error.args[0], Exception) else error
    )
    text = getattr(inner, "verify_message", None) or getattr(inner, "strerror", None) or getattr(inner, "reason", None)
    if isinstance(text, str):
        return text
    if isinstance(inner, OSError) and str(inner).startswith("Tunnel connection failed"):
        return str(inner)[:100]
    return type(inner).__name__


@contextmanager
def _quiet() -> Generator[None]:
    """Drop what urllib3 logs about a request: it has URLs with their queries in it."""
    reset = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(reset)


def _not_ours(record: logging.LogRecord) -> bool:
    return not _ours.get()


def _install_filter() -> None:
    # Adding the same filter again does nothing. Requests of other libraries are logged as before.
    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.response"):
        logging.getLogger(name).addFilter(_not_ours)
