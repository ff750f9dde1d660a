"""Directories with more in them than files: links, pipes and sockets."""

from __future__ import annotations

import importlib
import io
import logging
import os
import socket
import zipfile
from pathlib import Path

import pytest

from flyte.devbox import snapshot
from flyte.types.files.listing import regular_files
from flyte.types.files.upload import Uploader
from flyte_rpc.calls.client import Client


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with everything that editors and programs leave behind."""
    package = tmp_path / f"package_{tmp_path.name}".replace("-", "_")
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "deep.py").write_text("DEEP = 1\n")
    (package / "__init__.py").write_text("def work() -> int:\n    return 1\n")
    (package / ".#name.py").symlink_to("somebody@host.4711")
    (package / "again.py").symlink_to("inner/deep.py")
    (package / "alias").symlink_to("inner", target_is_directory=True)
    (package / "inner" / "up").symlink_to("..", target_is_directory=True)
    (package / "itself.py").symlink_to("itself.py")
    os.mkfifo(package / "pipe.py")
    return package


FILES = ["__init__.py", "again.py", "alias/deep.py", "inner/deep.py"]
LEFT_OUT = {
    ".#name.py": "it is a link to nothing",
    "alias/up": "it is a link to a directory that contains it",
    "inner/up": "it is a link to a directory that contains it",
    "itself.py": "it cannot be found (Too many levels of symbolic links)",
    "pipe.py": "it is a pipe, a socket or a device",
}


def told(caplog: pytest.LogCaptureFixture, package: Path) -> dict[str, str]:
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    pairs = [record.getMessage().partition(": ") for record in caplog.records]
    return {text.split(" is not ")[0].removeprefix(f"{package}/"): reason for text, _, reason in pairs}


def test_a_directory_to_upload(package: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert regular_files(package) == FILES
    assert told(caplog, package) == LEFT_OUT


def test_a_package_to_deploy(package: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.syspath_prepend(package.parent)
    module = importlib.import_module(package.name)
    taken = snapshot.take(module.work)
    names = zipfile.ZipFile(io.BytesIO(taken.archive)).namelist()
    assert sorted(names) == [f"{package.name}/{name}" for name in FILES]
    assert told(caplog, package) == LEFT_OUT
    assert snapshot.take(module.work).digest == taken.digest


def test_a_source_file_that_disappears(
    package: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(package.parent)
    module = importlib.import_module(package.name)
    read = Path.read_bytes

    def vanishing(path: Path) -> bytes:
        if path.name == "deep.py":
            path.unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", vanishing)
    names = zipfile.ZipFile(io.BytesIO(snapshot.take(module.work).archive)).namelist()
    assert f"{package.name}/inner/deep.py" not in names and f"{package.name}/__init__.py" in names
    assert "it has disappeared" in told(caplog, package).values()


def test_links_to_directories_elsewhere(tmp_path: Path, package: Path, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.py").write_text("x")
    (package / "out").symlink_to(elsewhere)
    (package / "out.py").symlink_to(elsewhere / "secret.py")
    with pytest.raises(ValueError, match="out is a link to a directory elsewhere; replace it with a copy"):
        regular_files(package)
    sources = [path.name for path in snapshot._sources(tmp_path, package.name, "it")]
    assert "out.py" in sources and "secret.py" not in sources
    assert told(caplog, package)["out"] == "it is a link to a directory elsewhere"


def test_two_directories_that_link_to_each_other(tmp_path: Path) -> None:
    for here, there in (("a", "b"), ("b", "a")):
        (tmp_path / here).mkdir()
        (tmp_path / here / "file").write_text("x")
        (tmp_path / here / "link").symlink_to(Path("..", there))
    assert regular_files(tmp_path) == ["a/file", "a/link/file", "b/file", "b/link/file"]


def test_a_socket_and_a_linked_root(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "d"
    root.mkdir()
    (root / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(root / "s"))
        (tmp_path / "link").symlink_to(root)
        assert regular_files(tmp_path / "link") == ["file"]
    assert told(caplog, tmp_path / "link") == {"s": "it is a pipe, a socket or a device"}


def test_names_that_are_not_utf8(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.py", "w"):
        pass
    with pytest.raises(ValueError, match="has a name that is not UTF-8"):
        regular_files(tmp_path)
    assert list(snapshot._sources(tmp_path.parent, tmp_path.name, "it")) == []
    assert told(caplog, tmp_path) == {"?.py": "its name is not UTF-8"}


async def test_a_pipe_is_no_file_to_upload(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with Client("http://127.0.0.1:1", project="p", domain="d") as client:
        with (
            Uploader(client, None, None, 5.0, tmp_path / "pipe", progress=False) as uploader,
            pytest.raises(ValueError, match="pipe is a pipe, a socket or a device; only regular files"),
        ):
            await uploader.file()
