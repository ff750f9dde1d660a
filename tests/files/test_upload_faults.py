"""Uploads that fail, wait, or are cancelled."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from files.conftest import Plane, until
from flyte.errors import RuntimeSystemError, UploadTimeoutError
from flyte.remote import upload_file
from flyte.types import File
from flyte_rpc.calls.client import Client
from support.storage import Answer, Storage


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


@pytest.mark.parametrize("asked", ["0", "Mon, 01 Jan 2001 00:00:00 GMT"])
async def test_a_storage_that_wants_it_at_once_is_not_flooded(
    asked: str, storage: Storage, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    storage.answers = [Answer(503, headers={"Retry-After": asked})] * 100
    with pytest.raises(UploadTimeoutError):
        await upload_file.aio(tmp_path / "a", timeout=0.6, client=client)
    assert storage.tries.total() <= 6


async def test_what_is_not_a_regular_file(client: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(ValueError, match="only regular files"):
            await upload_file.aio(path, client=client)


async def test_a_signature_that_the_storage_repeats_is_not_shown(
    storage: Storage, plane: Plane, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    storage.answers = [Answer(403, "<SignatureProvided>secret</SignatureProvided> for /a?signature=secret")]
    with pytest.raises(RuntimeSystemError, match=r"<SignatureProvided>\*\*\*<") as raised:
        await upload_file.aio(tmp_path / "a", client=client)
    assert "secret" not in str(raised.value)


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
