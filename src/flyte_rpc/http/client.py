"""A synchronous HTTP client over urllib3, for threads that may block."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlencode, urljoin, urlsplit

from flyte_rpc.version import USER_AGENT

from .addresses import origin_and_path
from .errors import HttpError
from .network_settings import NetworkSettings
from .retry_after import retry_after

if TYPE_CHECKING:
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
                if not (error.unsent and error.transient) or attempt == _ATTEMPTS or self._clock() + wait >= end:
                    raise
            else:
                if reply.status not in _BUSY or attempt == _ATTEMPTS:
                    return reply
                asked = retry_after(reply.headers.get("retry-after"), longest=_LONGEST_WAIT)
                wait = max(wait, asked or 0.0)
                if self._clock() + wait >= end:
                    return reply
            self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _send(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | None, end: float
    ) -> HttpReply:
        import urllib3

        from .pools import describe, open_pool, without_logs

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
        with without_logs(), open_pool(self._network, url) as pool:
            try:
                response = pool.request(
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
                failure = describe(error, self._timeout)
        # Outside of the handler: the errors of urllib3 have the whole URL in them.
        message = f"{where} cannot be reached: {failure.reason}"
        raise HttpError(message, unsent=failure.unsent, transient=failure.transient)

    def _read(self, response: urllib3.BaseHTTPResponse, where: str, end: float) -> bytes:
        data = bytearray()
        for chunk in response.stream(1 << 14):
            data += chunk
            if len(data) > _REPLY_BYTES:
                raise HttpError(f"{where} sends more than {_REPLY_BYTES >> 20} MiB")
            if self._clock() >= end:
                raise HttpError(f"{where} has not sent its whole reply within {self._timeout:g} s", transient=True)
        return bytes(data)
