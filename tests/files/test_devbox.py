"""Files on a devbox: its links, and where directories go."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flyte.devbox import Devbox
from flyte.devbox.data.blobs import Blobs
from flyte.devbox.data.links import Links
from flyte.remote import upload_dir
from flyte.types import Dir, File
from flyte_rpc.calls.client import Client
from flyte_rpc.http.transfer import Transfer

CONTENT = os.urandom(3_000_000)


def test_a_prefix_keeps_its_slashes(flyte_devbox: Devbox, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.txt").write_text("content")
    with Client(flyte_devbox.endpoint, token=flyte_devbox.token, project="flytesnacks", domain="development") as client:
        uri = upload_dir(tmp_path, prefix="models/v1/best", client=client)
    assert uri.endswith("/models/v1/best")
    assert [(file.uri, file.open("r").read()) for file in Dir(uri).files()] == [(f"{uri}/sub/x.txt", "content")]


@pytest.fixture
async def links(tmp_path: Path) -> AsyncIterator[Links]:
    (tmp_path / "stored").write_bytes(CONTENT)
    links = Links(Blobs(tmp_path))
    await links.start()
    yield links
    await links.close()


async def test_a_download_by_link_is_resumed(links: Links, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyte_rpc.http.retry_after._FIRST_PAUSE", 0.001)
    transfers: list[Transfer] = []
    watch = Transfer.watch

    def watched(transfer: Transfer, connection: object) -> None:
        transfers.append(transfer)
        watch(transfer, connection)

    monkeypatch.setattr(Transfer, "watch", watched)
    sizes: list[int] = []

    def progress(done: int, total: int | None, name: str) -> None:
        if len(transfers) == 1 and done > 500_000:
            transfers[0]._shut_down()
        sizes.append(done)

    url = links.make("GET", (tmp_path / "stored").as_uri(), int(time.time()) + 60)
    copy = await File(url).download.aio(tmp_path / "copy", progress=progress)
    assert copy.read_bytes() == CONTENT and sizes == sorted(sizes)

    def answers(**headers: str) -> tuple[int, str | None]:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.netloc, timeout=20)
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        assert body in (CONTENT, CONTENT[100:]) or reply.status == 416
        return reply.status, reply.getheader("Content-Range")

    rest = f"bytes 100-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert await asyncio.to_thread(answers, Range="bytes=100-") == (206, rest)
    assert await asyncio.to_thread(answers, Range=f"bytes={len(CONTENT)}-") == (416, None)
    changed = {"Range": "bytes=100-", "If-Range": '"other"'}
    assert await asyncio.to_thread(lambda: answers(**changed)) == (200, None)
