"""A store of files that breaks as a test says: uploads, and downloads with ranges."""

from __future__ import annotations

import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PIECE = 1 << 14
_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """A reply in place of the usual one."""

    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Cut:
    """The connection ends after some bytes of the reply."""

    head: int | None = None
    """Bytes of status and headers."""
    body: int | None = None
    """Bytes of the body."""


class Storage(ThreadingHTTPServer):
    """A store on loopback."""

    daemon_threads = True
    # Links to it are made as quickly as tests can ask for them.
    request_queue_size = 64

    def __init__(self, certificate: Path | None = None, client_authority: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
            if client_authority is not None:
                self.tls.load_verify_locations(client_authority)
                self.tls.verify_mode = ssl.CERT_REQUIRED
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.tries: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.answers: list[Answer] = []
        self.cuts: list[Cut] = []
        self.extra: dict[str, str] = {}
        """Headers of downloads."""
        self.version = '"1"'
        self.has_ranges = True
        self.is_chunked = False
        self.before_body: Callable[[], None] = lambda: None
        self.release = threading.Event()
        self.release.set()
        self.connections = 0
        self.now = 0
        self.most = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the handshake in the thread of the connection."""
        with self.lock:
            self.connections += 1
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that were cancelled, or that reject the certificate, have closed their connections."""


class _Handler(BaseHTTPRequestHandler):
    server: Storage
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.tries[path] += 1
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
            answer = self.server.answers.pop(0) if self.server.answers else Answer()
        try:
            length = int(self.headers["Content-Length"])
            content = self.rfile.read(length)
            self.server.release.wait(_SECONDS)
        finally:
            with self.server.lock:
                self.server.now -= 1
        if len(content) < length:  # the client has given up
            self.close_connection = True
            return
        if answer.status == 200:
            with self.server.lock:
                self.server.files[path] = content
                self.server.headers[path] = {name.lower(): value for name, value in self.headers.items()}
        self._reply(answer)

    def _reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.text)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.text.encode())

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.tries[path] += 1
            self.server.ranges.append(self.headers["Range"])
            self.server.headers[path] = {name.lower(): value for name, value in self.headers.items()}
            if self.server.answers:
                self._reply(self.server.answers.pop(0))
                return
            cut = self.server.cuts.pop(0) if self.server.cuts else Cut()
            content, version = self.server.files.get(path), self.server.version
        if content is None:
            self._reply(Answer(404, "there is no such file"))
            return
        head, body = self._download(content, version)
        self.wfile.write(head[: cut.head])
        if cut.head is not None:
            self.close_connection = True
            return
        self.wfile.flush()
        self.server.before_body()
        sent = body[: cut.body]
        for start in range(0, len(sent), _PIECE):
            self._piece(sent[start : start + _PIECE])
        if cut.body is not None:
            self.close_connection = True
        elif self.server.is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _piece(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if self.server.is_chunked else data)

    def _download(self, content: bytes, version: str) -> tuple[bytes, bytes]:
        headers = {"ETag": version} if version else {}
        status, body = 200, content
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if asked and self.server.has_ranges and self.headers["If-Range"] == version:
            start = int(asked[1])
            status, body = 206, content[start:]
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers |= {"Transfer-Encoding": "chunked"} if self.server.is_chunked else {"Content-Length": str(len(body))}
        headers |= self.server.extra
        lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items() if value)]
        return "\r\n".join([*lines, "", ""]).encode(), body

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log to the tests' output."""


@contextmanager
def running(server: ThreadingHTTPServer) -> Generator[None]:
    """Serve in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        if isinstance(server, Storage):
            server.release.set()
        server.shutdown()
        thread.join(_SECONDS)
        server.server_close()
