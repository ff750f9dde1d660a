"""Uploads through signed links: requests, concurrency, and errors."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path

import pytest

from files.conftest import Plane, until
from flyte.errors import (
    AlreadyExistsError,
    InitializationError,
    InvalidArgumentError,
    RuntimeSystemError,
)
from flyte.remote import upload_dir, upload_file
from flyte.types import Dir, File
from flyte_rpc.calls.client import Client
from support.storage import Answer, Storage


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
    # Connections are used again.
    assert storage.connections == 8


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
