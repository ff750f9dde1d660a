"""Files use the certificates and proxies of the client, and its secrets stay secret."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

import flyte
from flyte.errors import RuntimeSystemError
from flyte.remote import upload_dir, upload_file
from flyte.types import Dir, File
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from flyte_rpc.transports.network.settings import Network
from support.certificates import Authority
from support.proxies.http_proxy import http_proxy
from support.storage import Answer, Storage, running


class Plane(DataProxyServiceBase):
    """Signs links to a store."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def create_upload_location(
        self, request: CreateUploadLocationRequest, call: ServerCall
    ) -> CreateUploadLocationResponse:
        path = f"/{request.filename_root or 'root'}/{request.filename}"
        return CreateUploadLocationResponse(
            signed_url=f"{self.storage.url}{path}?X-Amz-Signature=hush", native_url=f"s3://bucket{path}"
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of these tests names no proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def store(authority: Authority, *, wants_certificate: bool = False) -> Iterator[Storage]:
    certificate = authority.issue("server", "IP:127.0.0.1")
    storage = Storage(certificate, authority.certificate if wants_certificate else None)
    with running(storage):
        yield storage


@asynccontextmanager
async def client_of(storage: Storage, network: Network) -> AsyncIterator[Client]:
    async with (
        await serve([Plane(storage)]) as server,
        Client(server.endpoint, project="p", domain="d", timeout=20, network=network) as client,
    ):
        yield client


async def transfer(client: Client, storage: Storage, folder: Path) -> None:
    """Upload a file and a directory, and download and read a file."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "a.txt").write_text("content")
    await upload_file.aio(source / "a.txt", client=client)
    assert storage.files["/root/a.txt"] == b"content"
    await upload_dir.aio(source, prefix="v1", client=client)
    assert storage.files["/v1/a.txt"] == b"content"
    await File.from_local.aio(source / "a.txt", client=client)
    await Dir.from_local.aio(source, client=client)
    file = File(f"{storage.url}/v1/a.txt?X-Amz-Signature=hush")
    assert (await file.download.aio(folder / "copy", client=client)).read_text() == "content"
    with file.open("r", client=client) as opened:
        assert opened.read() == "content"
    with flyte.use_client(client):
        assert (await file.download.aio(folder / "copy")).read_text() == "content"


async def test_a_private_authority(authority: Authority, tmp_path: Path) -> None:
    with store(authority) as storage:
        async with client_of(storage, Network(ca_file=authority.certificate)) as client:
            await transfer(client, storage, tmp_path)
        async with client_of(storage, Network()) as client:
            with pytest.raises(RuntimeSystemError, match=r"could not be uploaded: .*certificate is not accepted"):
                await transfer(client, storage, tmp_path)


async def test_a_client_certificate(authority: Authority, tmp_path: Path) -> None:
    mine = authority.issue("me")
    with store(authority, wants_certificate=True) as storage:
        network = Network(ca_file=authority.certificate, client_certificate=mine)
        async with client_of(storage, network) as client:
            await transfer(client, storage, tmp_path)


async def test_a_proxy_that_wants_credentials(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "proxy").mkdir()
    with (
        caplog.at_level(logging.DEBUG),
        store(authority) as storage,
        http_proxy(tmp_path / "proxy", credentials="ada:p@ss") as port,
    ):
        network = Network(ca_file=authority.certificate, proxy=f"http://ada:p%40ss@127.0.0.1:{port}")
        async with client_of(storage, network) as client:
            await transfer(client, storage, tmp_path)
            # The proxy has seen these requests, so they went through it.
            assert f"CONNECT 127.0.0.1:{storage.server_port}" in (tmp_path / "proxy" / "log").read_text()
    assert not any(secret in caplog.text for secret in ("hush", "p@ss", "p%40ss"))


@pytest.mark.parametrize(
    "answer", [Answer(403, "denied: http://h/a?X-Amz-Signature=hush"), Answer(503, headers={"Retry-After": "99999"})]
)
async def test_signatures_are_in_no_log_and_no_error(
    answer: Answer, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_text("content")
    with caplog.at_level(logging.DEBUG), store(authority) as storage:
        async with client_of(storage, Network(ca_file=authority.certificate)) as client:
            storage.answers = [Answer(503, headers={"Retry-After": "0"}), answer]
            with pytest.raises(Exception, match=r"a\.txt") as raised:
                await upload_file.aio(tmp_path / "a.txt", client=client)
    everything = caplog.text + "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert "retrying in" in caplog.text and f"{storage.url}/root/a.txt answered" in everything
    assert "hush" not in everything and "Signature" not in everything
