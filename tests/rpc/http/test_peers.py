"""Uploads, downloads and ranges against servers of others: WsgiDAV, Starlette, and the S3 of moto."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flyte_rpc.http.download import download
from flyte_rpc.http.errors import HttpStatusError
from flyte_rpc.http.streaming import StreamingClient
from flyte_rpc.http.transfer import Transfer

# Since Python 3.13, a writer of cheroot whose client has left complains when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTENT = os.urandom(5_000_000)
MD5 = b64encode(hashlib.md5(CONTENT).digest()).decode()


class Peer(NamedTuple):
    """A foreign server with one file."""

    name: str
    upload_url: str
    """Empty for one that takes no uploads."""
    download_url: str
    replace: Callable[[bytes], None]
    """Store another content."""


@contextmanager
def wsgi_server(app: Any) -> Generator[str]:
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), app)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join(20)


def wsgidav_peer(folder: Path) -> Iterator[Peer]:
    dav = pytest.importorskip("wsgidav.wsgidav_app")
    pytest.importorskip("cheroot")
    config = {
        "provider_mapping": {"/": str(folder)},
        "simple_dc": {"user_mapping": {"*": True}},
        "logging": {"enable": False},
        "verbose": 0,
    }
    with wsgi_server(dav.WsgiDAVApp(config)) as url:
        yield Peer("wsgidav", f"{url}/a%20b.bin", f"{url}/a%20b.bin", (folder / "a b.bin").write_bytes)


def starlette_peer(folder: Path) -> Iterator[Peer]:
    uvicorn = pytest.importorskip("uvicorn")
    responses = pytest.importorskip("starlette.responses")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await responses.FileResponse(folder / "file")(scope, receive, send)

    (folder / "file").write_bytes(CONTENT)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield Peer("starlette", "", f"http://127.0.0.1:{listener.getsockname()[1]}/file", (folder / "file").write_bytes)
        server.should_exit = True
        thread.join(20)


def moto_peer(folder: Path) -> Iterator[Peer]:
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    config = pytest.importorskip("botocore.config").Config(signature_version="s3v4")
    s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", config=config, **keys)
    s3.create_bucket(Bucket="bucket")
    place = {"Bucket": "bucket", "Key": f"{folder.parent.name}/a b.bin"}
    upload = s3.generate_presigned_url("put_object", Params={**place, "ContentMD5": MD5})
    yield Peer(
        "moto",
        upload,
        s3.generate_presigned_url("get_object", Params=place),
        lambda content: s3.put_object(**place, Body=content) and None,
    )
    server.stop()


PEERS = {"wsgidav": wsgidav_peer, "starlette": starlette_peer, "moto": moto_peer}


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    (tmp_path / "peer").mkdir()
    yield from PEERS[request.param](tmp_path / "peer")


def pieces() -> Iterator[bytes]:
    for start in range(0, len(CONTENT), 1 << 16):
        yield CONTENT[start : start + (1 << 16)]


def put(peer: Peer, client: StreamingClient) -> None:
    if peer.upload_url:
        client.put(peer.upload_url, pieces(), len(CONTENT), Transfer(), headers={"Content-MD5": MD5})


@pytest.mark.usefixtures("at_once")
def test_uploaded_and_downloaded(peer: Peer, streaming: StreamingClient, tmp_path: Path) -> None:
    put(peer, streaming)
    reports: list[tuple[int, int | None]] = []
    target = tmp_path / "copy"
    download(streaming, peer.download_url, target, Transfer(), timeout=20, report=lambda *told: reports.append(told))
    assert target.read_bytes() == CONTENT
    assert reports[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("changed", [False, True])
def test_a_connection_that_breaks(peer: Peer, streaming: StreamingClient, tmp_path: Path, changed: bool) -> None:
    put(peer, streaming)
    transfer, sizes = Transfer(), [0]
    cuts = [transfer._shut_down]
    other = CONTENT[::-1] + b"longer"

    def report(done: int, total: int | None) -> None:
        if done > 1_000_000 and cuts:
            cuts.pop()()
            if changed:
                peer.replace(other)
        sizes.append(done)

    target = tmp_path / "copy"
    download(streaming, peer.download_url, target, transfer, timeout=20, report=report)
    assert target.read_bytes() == (other if changed else CONTENT)
    # Unless the file has changed, no byte is transferred twice.
    assert (sizes[1:] == sorted(sizes[1:])) is not changed


def test_a_file_that_does_not_exist(peer: Peer, streaming: StreamingClient, tmp_path: Path) -> None:
    if not peer.upload_url:
        pytest.skip("it has one file for all URLs")
    with pytest.raises(HttpStatusError, match="answered 404") as raised:
        download(streaming, peer.download_url, tmp_path / "x", Transfer(), timeout=20, report=lambda done, total: None)
    assert raised.value.status == 404 and "Signature" not in str(raised.value)
