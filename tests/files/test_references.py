"""References: open and download, and errors for unsupported ones."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flyte.types import Dir, File, literal_type_of, to_literal


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "é".encode()
        if self.path == "/hung":
            # No answer at all, until the client has given up.
            self.connection.recv(1)
            return
        known = {"/a.txt": 200, "/cut": 200, "/secret": 403}
        self.send_response(known.get(self.path.partition("?")[0], 404))
        self.send_header("Content-Length", str(len(body) + (10 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log to the tests' output."""


@pytest.fixture
def site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_local_file_is_opened_by_path_and_uri(tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.write_text("é", encoding="utf-8")
    for uri in (str(path), path.as_uri(), path.as_uri().replace("file://", "file://localhost")):
        file = File(uri)
        assert file.name == "a b.txt"
        with file.open() as opened:
            assert opened.read() == "é".encode()
        with file.open("r") as opened:
            assert opened.read() == "é"


def test_a_file_of_a_web_server_is_opened_and_copied(site: str, tmp_path: Path) -> None:
    with File(f"{site}/a.txt").open("r") as opened:
        assert opened.read() == "é"
    assert File(f"{site}/a.txt").download(tmp_path) == tmp_path / "a.txt"
    assert (tmp_path / "a.txt").read_bytes() == "é".encode()
    assert File(f"{site}/a.txt").download(tmp_path / "b").read_bytes() == "é".encode()
    with pytest.raises(FileNotFoundError, match=r"/gone answered 404 Not Found"):
        File(f"{site}/gone").download(tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


def test_a_download_that_breaks_off_leaves_nothing(site: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"/cut broke 4 times, and the download cannot be resumed"):
        File(f"{site}/cut").download(tmp_path / "c")
    assert [*tmp_path.iterdir()] == []


def test_what_a_web_server_does_not_give_is_told_as_an_error_of_files(site: str) -> None:
    with pytest.raises(PermissionError, match=r"/secret answered 403 Forbidden") as raised:
        File(f"{site}/secret?signature=abcdef").open()
    assert "abcdef" not in str(raised.value)
    with pytest.raises(TimeoutError, match=r"/hung: no reply within 0\.1 s"):
        File(f"{site}/hung").open(timeout=0.1)
    with (
        pytest.raises(OSError, match=r"/cut: the connection broke \(10 bytes are missing\)"),
        File(f"{site}/cut").open() as cut,
    ):
        cut.read()
    for uri in (f"{site}/a b", "http://[::1", "http://h:x/"):
        with pytest.raises(ValueError, match=r"is not an http:// or https:// URL|Invalid IPv6 URL"):
            File(uri).open()
    with pytest.raises(OSError, match=r"^http://127.0.0.1:1/a cannot be reached: .*refused"):
        File("http://127.0.0.1:1/a").open()


def test_a_copy_without_a_place_is_in_a_directory_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    copies = {File(str(path)).download(), File(str(path)).download()}
    assert len(copies) == 2 and {copy.read_text() for copy in copies} == {"x"}


def test_a_directory_is_listed_and_copied(tmp_path: Path) -> None:
    root = tmp_path / "d"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "a").write_text("1")
    (root / "b").write_text("2")
    for found in (Dir(str(root), "txt"), Dir(root.as_uri() + "/", "txt")):
        assert [(file.name, file.format) for file in found.files()] == [("b", "txt"), ("a", "txt")]
        copy = found.download()
        assert (copy.name, (copy / "deep" / "a").read_text()) == ("d", "1")
    with pytest.raises(NotADirectoryError, match="b is not a directory"):
        Dir(str(root / "b")).download()


@pytest.mark.parametrize("reference", [File("s3://b/k?X-Amz-Signature=hush-hush"), Dir("s3://b/k?sig=hush-hush")])
def test_another_scheme_is_refused_by_name(reference: File | Dir) -> None:
    with pytest.raises(ValueError, match=r"^'s3://b/k\?\*\*\*': s3 is not a supported scheme") as raised:
        reference.download()
    assert "hush-hush" not in str(raised.value) + repr(reference)


@pytest.mark.parametrize("timeout", [0, -1, "3", None, float("nan")])
def test_timeouts_that_cannot_be_used(timeout: Any, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for uri in (str(tmp_path / "a"), "http://127.0.0.1:1/a"):
        with pytest.raises((TypeError, ValueError), match="timeout"):
            File(uri).open(timeout=timeout)


def test_what_cannot_be_opened_is_refused() -> None:
    with pytest.raises(ValueError, match="the machine 'elsewhere', not on this one"):
        File("file://elsewhere/a").open()
    with pytest.raises(ValueError, match=r'mode "rb" or "r", not \'wb\''):
        File("a").open("wb")
    with pytest.raises(ValueError, match=r"^'ftp://h/a': ftp is not a supported scheme"):
        File("ftp://h/a").open()


def test_a_path_of_this_machine_is_sent_as_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    literal = to_literal(File("a.csv", "csv"), literal_type_of(File), name="x")
    blob = literal.scalar.blob  # type: ignore[union-attr]
    assert blob is not None and blob.uri == (tmp_path / "a.csv").as_uri()
