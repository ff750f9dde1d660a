"""Uploads through signed links: requests, concurrency, and errors."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from flyte.errors import (
    AlreadyExistsError,
    InitializationError,
    InvalidArgumentError,
    RuntimeSystemError,
    UploadTimeoutError,
)
from flyte.remote import upload_dir, upload_file
from flyte.types import Dir, File
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from support.storage import Answer, Storage, running


class Plane(DataProxyServiceBase):
    """Signs links to a store that keeps names unchanged, and takes a directory for one name."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.largest = 1000
        self.requests: list[CreateUploadLocationRequest] = []
        self.rename: Callable[[str], str] = lambda name: name
        self.headers: dict[str, str] = {}
        self.base = ""

    async def create_upload_location(
        self, request: CreateUploadLocationRequest, call: ServerCall
    ) -> CreateUploadLocationResponse:
        self.requests.append(request)
        if request.content_length > self.largest:
            abort(Status.INVALID_ARGUMENT, f"content_length exceeds the maximum of {self.largest} bytes")
        directory = request.filename_root or base64.b32encode(request.content_md5).decode()
        # As servers do, which take the directory for one name.
        directory = directory.replace("/", "%2F")
        path = f"/{request.project}/{request.domain}/{directory}/{self.rename(request.filename)}"
        known = self.storage.files.get(path)
        if known is not None and hashlib.md5(known).digest() != request.content_md5:
            abort(Status.ALREADY_EXISTS, f"{path} exists with other content")
        return CreateUploadLocationResponse(
            signed_url=f"{self.base or self.storage.url}{path.replace(' ', '%20')}?signature=secret",
            native_url=f"s3://bucket{path}",
            headers={"Content-MD5": base64.b64encode(request.content_md5).decode(), "X-Signed": "yes", **self.headers},
        )


@pytest.fixture
def storage() -> Iterator[Storage]:
    server = Storage()
    with running(server):
        yield server


@pytest.fixture
def plane(storage: Storage) -> Plane:
    return Plane(storage)


@pytest.fixture
async def client(plane: Plane) -> AsyncIterator[Client]:
    async with await serve([plane]) as server, Client(server.endpoint, project="p", domain="d", timeout=20) as made:
        yield made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries with very short pauses."""
    monkeypatch.setattr("flyte_rpc.http.retry_after._FIRST_PAUSE", 0.001)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0)


@pytest.mark.parametrize("content", [b"", b"x" * 1000], ids=["empty", "full"])
async def test_a_file_is_announced_and_put(content: bytes, plane: Plane, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    file = await File.from_local.aio(path, format="csv", client=client)
    md5 = hashlib.md5(content)
    place = f"/p/d/{base64.b32encode(md5.digest()).decode()}/a.csv"
    assert file == File(f"s3://bucket{place}", "csv", md5.hexdigest())
    assert plane.storage.files == {place: content}
    sent = plane.storage.headers[place]
    assert (sent["x-signed"], sent["content-md5"]) == ("yes", base64.b64encode(md5.digest()).decode())
    assert sent["content-type"] == "application/octet-stream"
    (request,) = plane.requests
    assert (request.content_md5, request.content_length, request.filename) == (md5.digest(), len(content), "a.csv")
    assert request.expires_in is not None and 600 < request.expires_in.seconds <= 3600


async def test_a_directory_keeps_its_shape_and_gets_one_place_for_one_content(
    plane: Plane, client: Client, tmp_path: Path
) -> None:
    names = ["a.txt", "b/a.txt", "b/c/deep.txt", "zwei.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    first = await Dir.from_local.aio(tmp_path, format="txt", client=client)
    assert {path.removeprefix(f"/p/d/{first.hash}/") for path in plane.storage.files} == {*names}
    assert (first.uri, first.format) == (f"s3://bucket/p/d/{first.hash}", "txt")
    assert await Dir.from_local.aio(tmp_path, format="txt", client=client) == first
    (tmp_path / "a.txt").write_text("other")
    assert (await Dir.from_local.aio(tmp_path, client=client)).uri != first.uri


async def test_a_few_files_go_at_once(storage: Storage, client: Client, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}").write_text("x")
    storage.release.clear()
    upload = asyncio.create_task(Dir.from_local.aio(tmp_path, client=client))
    await until(lambda: storage.now == 8)
    storage.release.set()
    await upload
    assert storage.most == 8
    assert len(storage.files) == 30


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("answer", [Answer(503, "busy"), Answer(429), Answer(400, "<Code>RequestTimeout</Code>")])
async def test_what_may_pass_is_tried_again_until_the_timeout(
    answer: Answer, storage: Storage, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    storage.answers = [answer] * 7
    file = await File.from_local.aio(tmp_path / "a", client=client)
    assert storage.tries.total() == 8 and file.uri.endswith("/a")
    storage.answers = [answer] * 100_000
    shown = rf"a was not uploaded: gave up after 0\.\d s and (\d+) attempts .*0\.6 s\)\. .* http://.* answered {answer.status}"
    with pytest.raises(UploadTimeoutError, match=shown) as raised:
        await File.from_local.aio(tmp_path / "a", timeout=0.6, client=client)
    attempts = re.search(shown, str(raised.value))
    assert attempts is not None and int(attempts[1]) == storage.tries.total() - 8 > 3


async def test_the_storage_says_when_to_come_back(
    storage: Storage, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("x")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("flyte.types.files.upload.asyncio.sleep", sleep)
    date = formatdate(time.time() + 100, usegmt=True)
    storage.answers = [Answer(503, headers={"Retry-After": "40"}), Answer(429, headers={"Retry-After": date})]
    await upload_file.aio(tmp_path / "a", client=client)
    assert waits[0] == 40 and 80 < waits[1] <= 100
    storage.answers = [Answer(503, headers={"Retry-After": "601"})]
    with pytest.raises(UploadTimeoutError, match=r"and 1 attempt .*answered 503.*; the storage asks to wait 601 s\."):
        await upload_file.aio(tmp_path / "a", client=client)


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "CONTENT-LENGTH", "Transfer-Encoding", "host"])
async def test_the_length_of_the_body_is_its_own(
    name: str, plane: Plane, storage: Storage, client: Client, tmp_path: Path
) -> None:
    content = bytes(range(100))
    (tmp_path / "a").write_bytes(content)
    plane.headers = {name: "24"}
    await upload_file.aio(tmp_path / "a", client=client)
    assert [*storage.files.values()] == [content]
    (headers,) = storage.headers.values()
    assert headers["content-length"] == "100" and "transfer-encoding" not in headers
    assert headers["host"] == f"127.0.0.1:{storage.server_port}"


@pytest.mark.usefixtures("at_once")
async def test_a_reply_that_is_cut_is_no_success(client: Client, plane: Plane, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    replies = [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
    taken: list[bytes] = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        taken.append(await reader.readexactly(1))
        writer.write(replies[len(taken) - 1])
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        plane.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await upload_file.aio(tmp_path / "a", client=client)
    assert taken == [b"x"] * 3


async def test_what_the_storage_refuses_is_told_without_the_signature(
    storage: Storage, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    storage.answers = [Answer(403, "Request has expired; see http://s/?signature=secret")]
    with pytest.raises(RuntimeSystemError, match="answered 403 Forbidden: Request has expired") as raised:
        await File.from_local.aio(tmp_path / "a", client=client)
    assert "secret" not in str(raised.value) and storage.tries.total() == 1


@pytest.mark.usefixtures("at_once")
async def test_a_storage_that_is_not_there_is_named(storage: Storage, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    # Bound and never accepted from is not refused; closed is.
    storage.shutdown()
    storage.server_close()
    with pytest.raises(UploadTimeoutError, match=r"attempts .*http://127.* cannot be reached: .*refused"):
        await File.from_local.aio(tmp_path / "a", timeout=0.5, client=client)


async def test_the_deadline_and_a_cancellation_end_an_upload(storage: Storage, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    storage.release.clear()
    with pytest.raises(
        UploadTimeoutError,
        match=r"a was not uploaded: gave up after 0\.\d s and 1 attempt \(timeout: 0\.2 s\)\..* Pass a longer timeout=",
    ):
        await File.from_local.aio(tmp_path / "a", timeout=0.2, client=client)
    before = storage.tries.total()
    upload = asyncio.create_task(File.from_local.aio(tmp_path / "a", client=client))
    await until(lambda: storage.tries.total() > before)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload


@pytest.mark.parametrize("answers", [True, False])
async def test_a_cancelled_upload_stops_soon(answers: bool, client: Client, plane: Plane, tmp_path: Path) -> None:
    plane.largest = size = 50_000_000
    (tmp_path / "a").write_bytes(bytes(size))
    busy, gone = asyncio.Event(), asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either the whole body is read and nothing answers, or the body is not read to its end.
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(size if answers else 1000)
        busy.set()
        try:
            while await reader.read(1 << 20):
                pass
        except ConnectionError:
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(stall, "127.0.0.1", 0) as server:
        plane.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        upload = asyncio.create_task(upload_file.aio(tmp_path / "a", client=client))
        await busy.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(upload, 4)
        await asyncio.wait_for(gone.wait(), 10)
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("flyte-transfer")]
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)
        assert not any(thread.is_alive() for thread in threads)


async def test_a_name_that_the_storage_changes_is_refused(plane: Plane, client: Client, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_text("x")
    plane.rename = lambda name: name.replace("/", "%2F")
    with pytest.raises(RuntimeSystemError, match=r"the storage stored 'b/c' as s3://.*b%2Fc"):
        await Dir.from_local.aio(tmp_path, client=client)
    plane.rename = lambda name: name.replace(" ", "%20")
    (tmp_path / "b" / "c").rename(tmp_path / "a b")
    assert (await Dir.from_local.aio(tmp_path, client=client)).uri.startswith("s3://bucket/p/d/")


async def test_what_cannot_be_uploaded_is_refused_before_anything_is_sent(
    plane: Plane, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "link").symlink_to(tmp_path)
    for path, error, complaint in [
        (tmp_path / "gone", FileNotFoundError, "gone"),
        (tmp_path / "empty", IsADirectoryError, r"empty is a directory; use Dir\.from_local"),
    ]:
        with pytest.raises(error, match=complaint):
            await File.from_local.aio(path, client=client)
    for path, error, complaint in [
        (tmp_path / "gone", NotADirectoryError, "gone is not a directory"),
        (tmp_path / "file", NotADirectoryError, r"file is not a directory; use File\.from_local"),
        (tmp_path / "empty", ValueError, "empty contains no files"),
        (tmp_path / "linked", ValueError, "link is a link to a directory"),
    ]:
        with pytest.raises(error, match=complaint):
            await Dir.from_local.aio(path, client=client)
    with pytest.raises(ValueError, match="timeout is 0; it must be a positive number of seconds"):
        await File.from_local.aio(tmp_path / "file", timeout=0, client=client)
    with Client(client.endpoint) as nowhere, pytest.raises(InitializationError, match="No project and no domain"):
        await File.from_local.aio(tmp_path / "file", client=nowhere)
    assert plane.requests == []


async def test_what_the_control_plane_refuses_is_told_in_its_words(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1001))
    with pytest.raises(InvalidArgumentError, match="exceeds the maximum of 1000 bytes"):
        await File.from_local.aio(tmp_path / "a", client=client)


def test_what_is_stored_already_is_referred_to() -> None:
    assert File.from_existing_remote("s3://b/k", "v1") == File("s3://b/k", hash="v1")
    assert Dir.from_existing_remote("s3://b/d") == Dir("s3://b/d")


async def test_a_file_goes_up_by_a_call_of_its_own(plane: Plane, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a,b")
    md5, uri = await upload_file.aio(str(path), fname="b.csv", content_type="text/csv; charset=utf-8", client=client)
    place = f"/p/d/{base64.b32encode(hashlib.md5(b'a,b').digest()).decode()}/b.csv"
    assert (md5, uri) == (hashlib.md5(b"a,b").hexdigest(), f"s3://bucket{place}")
    assert plane.storage.headers[place]["content-type"] == "text/csv; charset=utf-8"
    # The current content counts, not that of the earlier upload.
    path.write_text("c,d")
    again, _ = await asyncio.to_thread(upload_file, path, domain="other", client=client)
    assert again == hashlib.md5(b"c,d").hexdigest() and plane.requests[-1].domain == "other"


async def test_a_directory_goes_to_the_place_that_is_wanted(plane: Plane, client: Client, tmp_path: Path) -> None:
    for name in ("a/x.txt", "b/x.txt", "x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert await upload_dir.aio(tmp_path, prefix="models/v1", client=client) == "s3://bucket/p/d/models/v1"
    assert plane.storage.files == {f"/p/d/models/v1/{name}": name.encode() for name in ("a/x.txt", "b/x.txt", "x.txt")}
    (tmp_path / "x.txt").write_text("other")
    with pytest.raises(AlreadyExistsError, match="exists with other content"):
        await upload_dir.aio(tmp_path, prefix="models/v1", client=client)
    assert await asyncio.to_thread(upload_dir, str(tmp_path), client=client) != "s3://bucket/p/d/models/v1"


@pytest.mark.usefixtures("at_once")
async def test_whoever_wants_to_know_is_told_how_far_it_is(
    plane: Plane, storage: Storage, client: Client, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int | None]] = []

    def progress(done: int, total: int | None, name: str) -> None:
        told.append((name, done, total))

    plane.largest = size = (5 << 20) + 7
    (tmp_path / "big").write_bytes(bytes(size))
    await upload_file.aio(tmp_path / "big", progress=progress, client=client)
    assert told == [*(("big", n << 20, size) for n in range(1, 6)), ("big", size, size)]
    told.clear()
    (tmp_path / "big").unlink()
    (tmp_path / "empty").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one").write_text("1")
    storage.answers = [Answer(503, "busy")]
    await upload_dir.aio(tmp_path, progress=progress, client=client)
    assert {*told} == {("empty", 0, 0), ("sub/one", 1, 1)} and len(told) == 3


async def test_progress_that_raises_ends_the_upload(storage: Storage, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")

    def progress(*_: object) -> None:
        raise ValueError("the screen is gone")

    with pytest.raises(ValueError, match="the screen is gone"):
        await upload_file.aio(tmp_path / "a", progress=progress, client=client)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"fname": ""}, "fname must not be empty"),
        ({"fname": "a/b"}, "not a path such as 'a/b'"),
        ({"fname": ".."}, "must be a file name"),
        ({"content_type": "text"}, "media type such as 'text/csv'"),
        ({"content_type": "text/csv\r\nX-Evil: 1"}, "media type"),
        ({"prefix": ""}, "prefix must not be empty"),
        ({"prefix": "/a"}, "must be a relative directory"),
        ({"prefix": "a/../b"}, "must be a relative directory"),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    arguments: dict[str, str], complaint: str, plane: Plane, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    call = upload_dir.aio(tmp_path, prefix=arguments["prefix"], client=client) if "prefix" in arguments else None
    with pytest.raises(ValueError, match=complaint):
        await (call or upload_file.aio(tmp_path / "a", **arguments, client=client))  # type: ignore[arg-type]
    assert plane.requests == []


async def test_directories_and_files_are_told_apart(client: Client, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(IsADirectoryError, match="upload_dir"):
        await upload_file.aio(tmp_path, client=client)
    with pytest.raises(ValueError, match="contains no files to upload"):
        await upload_dir.aio(tmp_path / "empty", client=client)
    with pytest.raises(NotADirectoryError, match="is not a directory"):
        await upload_dir.aio(tmp_path / "gone", client=client)
