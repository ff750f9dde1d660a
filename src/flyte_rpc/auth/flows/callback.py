"""The server on this machine that the log-in page of a browser redirects to."""

from __future__ import annotations

import hmac
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

from flyte_rpc.errors import AuthenticationError, InitializationError

_HOSTS = ("127.0.0.1", "localhost")
_REQUEST_SECONDS = 10.0
"""Browsers open connections in advance and send nothing."""

_OUTCOME_SECONDS = 60.0
"""How long a browser waits to be told whether the log-in has worked."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;line-height:1.5}}</style>
</head><body><h1>{title}</h1><p>{text}</p></body></html>
"""

_PAGE_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("Referrer-Policy", "no-referrer"),
    ("Connection", "close"),
)


class Answer(NamedTuple):
    """What the log-in page has sent. One of the two fields is empty."""

    code: str
    error: str

    def __repr__(self) -> str:
        return f"Answer(error={self.error!r})"


class Callback:
    """Waits for the browser to come back."""

    def __init__(self, redirect_uri: str, state: str) -> None:
        """Listen.

        Args:
            redirect_uri: `http://127.0.0.1:port/path` or `http://localhost:port/path`. Port 0 stands for any free one.
            state: What the request must repeat. Others are turned away, and the wait goes on.

        Raises:
            InitializationError: The URL is not one of this machine.
            AuthenticationError: The port is in use.
        """
        host, port, self._path = _place(redirect_uri)
        self._state = state
        self._answered = threading.Event()
        self._settled = threading.Event()
        self._shown = threading.Event()
        self._lock = threading.Lock()
        self._answer: Answer | None = None
        self._answering = 0
        """The thread whose request had the answer."""
        self._problem = ""
        problem = ""
        try:
            self._server = _Server(("127.0.0.1", port), self._handle, self._sent)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise AuthenticationError(
                f"Port {port} of this machine, to which the log-in page redirects, cannot be listened on: {problem}. Stop the "
                "program that uses it, such as another log-in, or use auth_type='DeviceFlow'."
            )
        self.redirect_uri = f"http://{host}:{self._server.server_address[1]}{self._path}"
        """Where the log-in page has to redirect to."""
        self._thread = threading.Thread(target=self._serve, name="login-callback", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> Answer | None:
        """Return what the log-in page has sent; None if it sends nothing in time."""
        return self._answer if self._answered.wait(seconds) else None

    def settle(self, problem: str = "") -> None:
        """Tell the person at the browser how the log-in ended.

        Args:
            problem: Why it failed; empty if it worked.
        """
        self._problem = problem
        self._settled.set()
        if self._answered.is_set():
            self._shown.wait(_REQUEST_SECONDS)

    def close(self) -> None:
        """Stop listening."""
        self._settled.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.1)

    def _handle(self, target: str) -> tuple[int, str, str]:
        """The status, title and text of the reply to a request."""
        parts = urlsplit(target)
        if parts.path != self._path:
            return 404, "Not found", "There is nothing here."
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not hmac.compare_digest(query.get("state", "").encode(), self._state.encode()):
            return 400, "Not this log-in", "This page belongs to another log-in. Return to your program and try again."
        error = query.get("error", "")
        if not error and not query.get("code"):
            return 400, "Incomplete", "The log-in page sent no code. Return to your program and try again."
        with self._lock:
            if self._answer is not None:
                return 409, "Already used", "This log-in has been completed already. You can close this page."
            self._answer = Answer("" if error else query["code"], error)
            self._answering = threading.get_ident()
        self._answered.set()
        if not self._settled.wait(_OUTCOME_SECONDS):
            return 200, "Almost done", "Return to your program, which is still completing the log-in."
        if self._problem:
            return 400, "Log-in failed", self._problem
        return 200, "You are logged in", "You can close this page and return to your program."

    def _sent(self) -> None:
        """A reply has been sent, or could not be."""
        if threading.get_ident() == self._answering:
            self._shown.set()


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    """One thread for each connection, since browsers open some that they do not use."""

    daemon_threads = True
    block_on_close = False
    # On Windows, this would let two programs listen on one port.
    allow_reuse_address = os.name == "posix"

    def __init__(
        self,
        address: tuple[str, int],
        handle: Callable[[str], tuple[int, str, str]],
        sent: Callable[[], None],
    ) -> None:
        self.handle = handle
        self.sent = sent
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # That of HTTPServer looks its own name up, which can take many seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A browser that hangs up is no error of the log-in."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_SECONDS

    def do_GET(self) -> None:
        server = cast(_Server, self.server)
        status, title, text = server.handle(self.path)
        page = _PAGE.format(title=escape(title), text=escape(text)).encode()
        try:
            self.send_response(status)
            for name, value in _PAGE_HEADERS:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
        finally:
            server.sent()

    def version_string(self) -> str:
        return "log-in"

    def log_message(self, format: str, *args: object) -> None:
        """Requests have codes in them, so they are not logged."""


def _place(redirect_uri: str) -> tuple[str, int, str]:
    """Host, port and path of a redirect URI."""
    try:
        parts = urlsplit(redirect_uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme != "http" or host not in _HOSTS or port is None:
        raise InitializationError(
            "The redirect URI of the log-in must have the form http://localhost:port/path, since a program on this machine "
            f"receives it, and not {parts.scheme or '(nothing)'}://{host}. Set redirect_uri= to one that the server allows, or "
            "use auth_type='DeviceFlow'."
        )
    return host, port, parts.path or "/"
