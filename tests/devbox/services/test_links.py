"""Signed links, as hostile clients use them: always an HTTP status or a closed connection, never a fault of the server."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flyte.devbox
from flyte.devbox.box import DevboxError
from flyte.devbox.data.blobs import Blobs
from flyte.devbox.data.links import Links

_LONG = "1" * 5000


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Links, Path]]:
    """The server of links on a thread of its own, and a file in its storage."""
    path = tmp_path_factory.mktemp("blobs").resolve() / "uploads" / "file.txt"
    path.parent.mkdir()
    path.write_text("content")
    links = Links(Blobs(path.parents[1]))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(links.start(), loop).result(20)
        yield links, path
    finally:
        asyncio.run_coroutine_threadsafe(links.close(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def link(links: Links, path: Path, method: str = "GET") -> str:
    return links.make(method, path.as_uri(), int(time.time()) + 60)


def talk(url: str, data: bytes, *, then: bytes = b"") -> bytes:
    """Send bytes to the port of a link, and return all that comes back."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=20) as connection:
        with suppress(OSError):  # the server may refuse before it has read all
            connection.sendall(data)
            connection.sendall(then)
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(1 << 16):
            received += chunk
    return received


def head(url: str, method: str = "GET", *headers: str) -> bytes:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}?{parts.query} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def test_links_read_and_write(uploaded: tuple[Links, Path]) -> None:
    box, path = uploaded
    reply = talk(link(box, path), head(link(box, path)))
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n") and reply.endswith(b"\r\n\r\ncontent")
    reply = talk(link(box, path), head(link(box, path), "GET", "Range: bytes=3-"))
    assert reply.startswith(b"HTTP/1.1 206 ") and reply.endswith(b"\r\n\r\ntent")
    reply = talk(link(box, path), head(link(box, path), "HEAD"))
    assert reply.startswith(b"HTTP/1.1 200 ") and reply.endswith(b"\r\n\r\n")
    new = path.with_name("new.txt")
    put = head(link(box, new, "PUT"), "PUT", "Content-Length: 3")
    assert talk(link(box, path), put, then=b"abc").startswith(b"HTTP/1.1 200 OK")
    assert new.read_text() == "abc"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET //[::1 HTTP/1.1", "Host: x"], b"400"),
        (["GET / HTTP/1.1", "Host: x"], b"403"),
        (["GET /?expires=x&signature=%ff HTTP/1.1", "Host: x"], b"403"),
        (["PUT / HTTP/1.1", "Host: x", "Content-Length: \xb2"], b"400"),
        (["PUT / HTTP/1.1", "Host: x", f"Content-Length: {_LONG}"], b"400"),
        (["PUT / HTTP/1.1", "Host: x", "Content-Length: -1"], b"400"),
        (["nonsense"], b"400"),
        (["DELETE / HTTP/1.1", "Host: x"], b"405"),
        (["GET / HTTP/1.1", "Host: x", f"X-Long: {'a' * 300_000}"], b"431"),
    ],
    ids=lambda value: value[0][:20] if isinstance(value, list) else "",
)
def test_requests_that_are_wrong(
    uploaded: tuple[Links, Path], lines: list[str], status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    box, path = uploaded
    reply = talk(link(box, path), "\r\n".join([*lines, "", ""]).encode("latin-1"))
    assert reply.split(b" ")[:2] == [b"HTTP/1.1", status]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("length", "body", "status"),
    [("", b"abc", b"411"), (f"Content-Length: {(1 << 30) + 1}", b"", b"413"), ("Content-Length: 5", b"abc", b"400")],
)
def test_uploads_that_are_wrong_store_nothing(
    uploaded: tuple[Links, Path], length: str, body: bytes, status: bytes
) -> None:
    box, path = uploaded
    target = path.with_name("never.txt")
    url = link(box, target, "PUT")
    reply = talk(url, head(url, "PUT", *([length] if length else [])), then=body)
    assert reply.split(b" ")[1] == status
    assert not target.exists() and not list(path.parent.glob(".never*"))


def test_links_that_lead_out_of_the_storage(uploaded: tuple[Links, Path], tmp_path: Path) -> None:
    box, path = uploaded
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (path.parent / "out.txt").symlink_to(secret)
    (path.parent / "out").symlink_to(tmp_path)
    for name, method in (("out.txt", "GET"), ("out/secret.txt", "GET"), ("out/new.txt", "PUT"), ("out.txt", "PUT")):
        url = link(box, path.parent / name, method)
        reply = talk(url, head(url, method, *(["Content-Length: 0"] if method == "PUT" else [])))
        assert reply.startswith(b"HTTP/1.1 403 "), (name, method)
    assert secret.read_text() == "secret" and not (tmp_path / "new.txt").exists()


_LINES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"GET / HTTP/1.1", b"PUT /x?expires=1 HTTP/1.1", b"Host: x", b"Content-Length: 3", b"Expect: 100-continue"]
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=8))
def test_any_bytes_get_a_status_or_nothing(uploaded: tuple[Links, Path], lines: list[bytes]) -> None:
    box, path = uploaded
    reply = talk(link(box, path), b"\r\n".join(lines) + b"\r\n\r\n")
    assert reply == b"" or reply.startswith(b"HTTP/1.1 ")


def modes(folder: Path) -> dict[str, str]:
    return {p.name: oct(stat.S_IMODE(p.stat().st_mode)) for p in folder.iterdir()}


def test_a_directory_that_is_open_to_others_shows_them_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    (folder / "logs").mkdir(mode=0o755)
    (folder / "devbox.sqlite").touch(mode=0o644)
    before = os.umask(0)
    try:
        with flyte.devbox.start(dir=folder):
            found = modes(folder)
    finally:
        os.umask(before)
    assert {found[name] for name in ("blobs", "logs", "scratch")} == {"0o700"}
    assert {mode for name, mode in found.items() if (folder / name).is_file()} == {"0o600"}


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(DevboxError, match="belongs to the user 65534"):
        flyte.devbox.start(dir=folder)
