"""Downloads that break: resumed, started again, or an error, but never a short file."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from flyte_rpc.http.download import download
from flyte_rpc.http.errors import HttpError, HttpStatusError, HttpTimeoutError, HttpUrlError
from flyte_rpc.http.streaming import StreamingClient
from flyte_rpc.http.transfer import Transfer, TransferCancelledError
from support.storage import Answer, Cut, Storage

CONTENT = os.urandom(300_000)
QUERY = "?X-Amz-Signature=hush"


class Loader:
    def __init__(self, client: StreamingClient, storage: Storage, folder: Path) -> None:
        self.client = client
        self.storage = storage
        self.folder = folder
        self.target = folder / "copy"
        self.transfer = Transfer(idle=10)
        self.reports: list[tuple[int, int | None]] = []

    def load(self, timeout: float = 10) -> bytes:
        url = f"{self.storage.url}/file{QUERY}"
        report: Callable[[int, int | None], object] = lambda done, total: self.reports.append((done, total))  # noqa: E731
        download(self.client, url, self.target, self.transfer, timeout=timeout, report=report)
        assert [*self.folder.iterdir()] == [self.target]
        return self.target.read_bytes()


@pytest.fixture
def loader(streaming: StreamingClient, storage: Storage, tmp_path: Path) -> Loader:
    storage.files["/file"] = CONTENT
    return Loader(streaming, storage, tmp_path)


@pytest.mark.usefixtures("at_once")
class TestCuts:
    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("sent", [0, 1, 100_000, len(CONTENT) - 1])
    def test_a_body_that_is_cut_is_resumed(self, loader: Loader, sent: int, chunked: bool) -> None:
        loader.storage.is_chunked = chunked
        loader.storage.cuts = [Cut(body=sent)]
        assert loader.load() == CONTENT
        first, second = loader.storage.ranges
        assert first is None
        if chunked:  # a piece of a chunk that is cut is lost
            assert second is None or second.startswith("bytes=")
        else:
            assert second == (f"bytes={sent}-" if sent else None)
        assert loader.reports[-1] == (len(CONTENT), loader.reports[-1][1])

    @pytest.mark.parametrize("sent", [0, 5, 17, 40, 55])
    def test_headers_that_are_cut_are_no_file(self, loader: Loader, sent: int) -> None:
        loader.storage.cuts = [Cut(head=sent)]
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, None]

    def test_many_cuts_need_only_the_rest_each(self, loader: Loader) -> None:
        loader.storage.cuts = [Cut(body=50_000)] * 5
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, *(f"bytes={n * 50_000}-" for n in range(1, 6))]

    def test_without_an_end_there_is_an_error_and_no_file(self, loader: Loader) -> None:
        loader.target.write_text("before")
        loader.storage.cuts = [Cut(body=0)] * 1000
        with pytest.raises(HttpError, match=r"/file broke 4 times, and the download cannot be resumed"):
            loader.load()
        assert [*loader.folder.iterdir()] == [loader.target] and loader.target.read_text() == "before"

    @pytest.mark.parametrize("headers", [{"Accept-Ranges": "none"}, {"ETag": ""}, {"ETag": 'W/"1"'}])
    def test_a_server_without_ranges_sends_all_again(self, loader: Loader, headers: dict[str, str]) -> None:
        loader.storage.extra = headers
        loader.storage.cuts = [Cut(body=1000)]
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, None]

    def test_a_server_that_ignores_ranges_sends_all_again(self, loader: Loader) -> None:
        loader.storage.has_ranges = False
        loader.storage.cuts = [Cut(body=1000)]
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, "bytes=1000-"]

    def test_last_modified_serves_as_well(self, loader: Loader) -> None:
        loader.storage.version = date = formatdate(0, usegmt=True)
        loader.storage.extra = {"ETag": "", "Last-Modified": date}
        loader.storage.cuts = [Cut(body=1000)]
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, "bytes=1000-"]
        assert loader.storage.headers["/file"]["if-range"] == date

    def test_a_file_that_has_changed_is_read_from_its_start(self, loader: Loader) -> None:
        def change() -> None:
            loader.storage.files["/file"], loader.storage.version = CONTENT[::-1] * 2, '"2"'

        loader.storage.before_body = change
        loader.storage.cuts = [Cut(body=1000)]
        assert loader.load() == CONTENT[::-1] * 2

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Range": f"bytes 999-{len(CONTENT) - 1}/{len(CONTENT)}"},
            {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT) + 1}"},
            {"Content-Range": "nonsense"},
            {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}", "ETag": '"2"'},
        ],
    )
    def test_another_part_than_requested_is_not_used(self, loader: Loader, headers: dict[str, str]) -> None:
        loader.storage.cuts = [Cut(body=1000)]
        loader.storage.before_body = lambda: loader.storage.answers.append(Answer(206, "wrong", headers))
        loader.storage.before_body = _once(loader.storage.before_body)
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, "bytes=1000-", None]

    def test_a_file_that_has_become_shorter(self, loader: Loader) -> None:
        loader.storage.cuts = [Cut(body=1000)]
        loader.storage.before_body = _once(lambda: loader.storage.answers.append(Answer(416)))
        assert loader.load() == CONTENT
        assert loader.storage.ranges == [None, "bytes=1000-", None]

    def test_a_length_is_needed(self, loader: Loader) -> None:
        loader.storage.extra = {"Content-Length": ""}
        loader.storage.cuts = [Cut(body=1000)]
        with pytest.raises(HttpError, match="announces neither a length nor chunks"):
            loader.load()
        assert [*loader.folder.iterdir()] == []


def _once(action: Callable[[], object]) -> Callable[[], None]:
    pending = [action]

    def act() -> None:
        if pending:
            pending.pop()()

    return act


class TestBusyServers:
    def test_retry_after_is_waited_for(self, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr(loader.transfer, "wait", waits.append)
        loader.storage.answers = [Answer(503, headers={"Retry-After": "7"})]
        assert loader.load() == CONTENT
        assert waits == [7]

    def test_a_date_counts_too(self, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr(loader.transfer, "wait", waits.append)
        loader.storage.answers = [Answer(429, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)})]
        assert loader.load(timeout=60) == CONTENT
        assert len(waits) == 1 and 20 < waits[0] <= 30

    def test_a_longer_wait_than_allowed_is_told_at_once(self, loader: Loader) -> None:
        loader.storage.answers = [Answer(503, "busy", {"Retry-After": "120"})]
        with pytest.raises(HttpTimeoutError, match=r"answered 503 .*busy and asks to wait 120 s; no new data for 0\."):
            loader.load()
        assert len(loader.storage.ranges) == 1

    @pytest.mark.usefixtures("at_once")
    def test_attempts_end_with_the_time(self, loader: Loader) -> None:
        loader.storage.answers = [Answer(503, "busy")] * 100_000
        start = time.monotonic()
        with pytest.raises(HttpTimeoutError, match=r"no new data for 0\.\d s \(\d+ attempts\); pass a longer timeout="):
            loader.load(timeout=0.5)
        assert 0.3 < time.monotonic() - start < 5 and len(loader.storage.ranges) > 3

    @pytest.mark.parametrize("status", [403, 404, 501])
    def test_refusals_are_not_repeated(self, loader: Loader, status: int) -> None:
        loader.storage.answers = [Answer(status, f"see http://h/x{QUERY}")]
        with pytest.raises(HttpStatusError, match=rf"/file answered {status}") as raised:
            loader.load()
        assert raised.value.status == status and "hush" not in str(raised.value)
        assert [*loader.folder.iterdir()] == []


class TestRedirects:
    def test_redirects_are_followed(self, loader: Loader) -> None:
        loader.storage.answers = [Answer(302, headers={"Location": "/file?other"})] * 2
        assert loader.load() == CONTENT

    def test_loops_end(self, loader: Loader) -> None:
        loader.storage.answers = [Answer(302, headers={"Location": f"/file{QUERY}"})] * 9
        with pytest.raises(HttpError, match=r"/file redirects too often$"):
            loader.load()


class TestCancellation:
    def test_a_download_that_waits_for_data(self, loader: Loader) -> None:
        started, blocked = threading.Event(), threading.Event()

        def block() -> None:
            started.set()
            blocked.wait(20)

        loader.storage.before_body = block
        failures: list[Exception] = []

        def run() -> None:
            try:
                loader.load()
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert started.wait(10)
        loader.transfer.cancel()
        thread.join(5)
        blocked.set()
        assert not thread.is_alive() and [type(error) for error in failures] == [TransferCancelledError]
        assert [*loader.folder.iterdir()] == []

    def test_a_download_that_has_not_begun(self, loader: Loader) -> None:
        loader.transfer.cancel()
        with pytest.raises(TransferCancelledError):
            loader.load()
        assert loader.storage.ranges == [] and [*loader.folder.iterdir()] == []

    def test_the_connection_is_free_afterwards(self, loader: Loader) -> None:
        loader.load()
        loader.transfer.cancel()
        loader.transfer = Transfer(idle=10)
        assert loader.load() == CONTENT


@pytest.mark.parametrize(
    "url", ["http://h/a b?q=hush", "http://[::1?hush", "http://h:x/?hush", "ftp://h/a", "http:///a"]
)
def test_urls_are_checked(streaming: StreamingClient, tmp_path: Path, url: str) -> None:
    with pytest.raises(HttpUrlError, match="is not an http:// or https:// URL") as raised:
        download(streaming, url, tmp_path / "a", Transfer(), timeout=1, report=lambda done, total: None)
    assert "hush" not in str(raised.value)


@pytest.mark.usefixtures("at_once")
def test_no_log_and_no_error_has_the_signature(loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        loader.storage.cuts = [Cut(body=10), Cut(head=5)]
        loader.load()
        loader.storage.cuts = [Cut(body=0)] * 9
        with pytest.raises(HttpError) as raised:
            loader.load()
    shown = caplog.text + repr(raised.value) + str(raised.value) + repr(raised.value.__context__)
    assert "retrying in" in caplog.text and "hush" not in shown and "Signature" not in shown


@pytest.mark.usefixtures("at_once")
def test_a_stalled_server_is_an_error_in_time(loader: Loader) -> None:
    blocked = threading.Event()
    loader.storage.before_body = lambda: blocked.wait(20) and None
    loader.transfer = Transfer(idle=0.2)
    with pytest.raises(HttpTimeoutError, match=r"/file: no reply within 0\.2 s; no new data for"):
        loader.load(timeout=0.2)
    blocked.set()
