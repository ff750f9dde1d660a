from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from support.storage import Storage, running


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
