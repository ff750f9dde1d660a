"""Downloads of files and directories: progress, cancellation, threads, and what is left behind."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyte.types import Dir, File, StructuredDataset
from flyte.types.files import progress as progress_module
from support.storage import Cut, Storage, running

CONTENT = os.urandom(1_000_000)


@pytest.fixture
def storage() -> Iterator[Storage]:
    server = Storage()
    server.files["/a.bin"] = CONTENT
    with running(server):
        yield server


@pytest.fixture
def file(storage: Storage) -> File:
    return File(f"{storage.url}/a.bin?X-Amz-Signature=hush")


class Told:
    """A progress function that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int | None, str]] = []
        self.threads: set[int] = set()

    def __call__(self, done: int, total: int | None, name: str) -> None:
        self.calls.append((done, total, name))
        self.threads.add(threading.get_ident())


@pytest.mark.parametrize("last", ["..", "%00", "%2F", ""])
def test_the_name_of_a_download_is_a_plain_one(last: str, file: File, storage: Storage, tmp_path: Path) -> None:
    (content,) = storage.files.values()
    storage.files |= dict.fromkeys((f"/in/{last}", "/in/..", "/"), content)  # clients resolve two dots themselves
    copy = File(f"{storage.url}/in/{last}").download(tmp_path)
    assert copy.parent == tmp_path and copy.read_bytes() == content and copy.is_file()


def test_a_download_is_reported(file: File, tmp_path: Path) -> None:
    told = Told()
    assert file.download(tmp_path, progress=told).read_bytes() == CONTENT
    assert told.calls[0] == (0, len(CONTENT), "a.bin") and told.calls[-1] == (len(CONTENT), len(CONTENT), "a.bin")
    assert [call[0] for call in told.calls] == sorted(call[0] for call in told.calls)


def test_a_length_that_is_not_known_is_none(file: File, storage: Storage, tmp_path: Path) -> None:
    storage.is_chunked = True
    told = Told()
    assert file.download(tmp_path, progress=told).read_bytes() == CONTENT
    assert told.calls[-1] == (len(CONTENT), None, "a.bin")


@pytest.mark.parametrize("error", [ValueError("the screen is gone"), BrokenPipeError("the screen is gone")])
def test_a_progress_function_that_raises_ends_the_download(file: File, tmp_path: Path, error: Exception) -> None:
    def progress(*_: object) -> None:
        raise error

    with pytest.raises(type(error), match="the screen is gone"):
        file.download(tmp_path, progress=progress)
    assert [*tmp_path.iterdir()] == []


def test_a_progress_that_is_no_function_is_refused(file: File, storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"progress takes a function, True or False, not str \('yes'\)"):
        file.download(tmp_path, progress="yes")  # type: ignore[arg-type]
    assert storage.ranges == []


async def test_sockets_are_not_in_the_thread_of_the_loop(file: File, tmp_path: Path) -> None:
    told = Told()
    await file.download.aio(tmp_path, progress=told)
    # The blocking form within a running loop, as in a notebook.
    file.download(tmp_path, progress=told)
    assert threading.get_ident() not in told.threads


async def test_a_cancelled_download_stops_and_leaves_nothing(file: File, storage: Storage, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    started, blocked = asyncio.Event(), threading.Event()

    def block() -> None:
        loop.call_soon_threadsafe(started.set)
        blocked.wait(20)

    storage.before_body = block
    download = asyncio.create_task(file.download.aio(tmp_path, progress=False))
    await started.wait()
    assert [path.name.endswith(".part") for path in tmp_path.iterdir()] == [True]
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(download, 4)
    blocked.set()
    assert [*tmp_path.iterdir()] == []


def test_a_directory_is_copied_with_progress_and_modes(tmp_path: Path) -> None:
    root = tmp_path / "d"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "run.sh").write_text("12")
    (root / "deep" / "run.sh").chmod(0o755)
    (root / "empty").touch()
    told = Told()
    copy = Dir(str(root)).download(tmp_path / "copy", progress=told)
    assert told.calls == [(2, 2, "deep/run.sh"), (0, 0, "empty")]
    assert (copy / "deep" / "run.sh").stat().st_mode & 0o777 == 0o755 and (copy / "empty").read_bytes() == b""


@pytest.mark.parametrize("kind", [File, Dir, StructuredDataset])
def test_the_repr_of_a_signed_link_has_no_signature(kind: Callable[[str], object]) -> None:
    shown = repr(kind("https://ada:pw@h/a?X-Amz-Signature=hush"))
    assert "https://***@h/a?***" in shown and "hush" not in shown
    assert kind("s3://b/k").__repr__().startswith(f"{kind.__name__}(uri='s3://b/k', ")  # type: ignore[attr-defined]


@pytest.mark.usefixtures("at_once")
def test_no_log_has_the_signature(
    file: File, storage: Storage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage.cuts = [Cut(body=10)]
    with caplog.at_level(logging.DEBUG):
        file.download(tmp_path)
        with file.open() as opened:
            assert opened.read() == CONTENT
    assert "retrying" in caplog.text and "hush" not in caplog.text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestBar:
    @pytest.fixture(autouse=True)
    def immediate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress_module, "_DELAY", 0.0)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "xterm")

    def test_on_a_terminal(self, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Terminal()
        monkeypatch.setattr("sys.stderr", screen)
        file.download(tmp_path)
        assert "a.bin" in screen.getvalue() and "1.0/1.0 MB" in screen.getvalue()
        assert "hush" not in screen.getvalue()

    def test_not_when_switched_off(self, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Terminal()
        monkeypatch.setattr("sys.stderr", screen)
        file.download(tmp_path, progress=False)
        file.download(tmp_path, progress=Told())
        assert screen.getvalue() == ""

    def test_not_in_a_pipe(self, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = io.StringIO()
        monkeypatch.setattr("sys.stderr", screen)
        file.download(tmp_path)
        assert screen.getvalue() == ""

    def test_several_at_a_time_share_the_screen(
        self, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        screen = Terminal()
        monkeypatch.setattr("sys.stderr", screen)
        threads = [threading.Thread(target=file.download, args=(tmp_path / str(n),)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert progress_module._display._bars is None
        assert [(tmp_path / str(n)).read_bytes() == CONTENT for n in range(3)] == [True] * 3
