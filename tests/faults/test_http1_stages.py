"""A connection of HTTP/1.1 that breaks at each stage: Connect calls to connect-go, and the upload of a file to a link."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import flyte.devbox
from flyte import errors
from flyte.devbox import Devbox
from flyte.devbox.data.links import Links
from flyte.remote import upload_file
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from rpc.conftest import _connect_go as _connect_go
from rpc.conftest import certificate as certificate
from rpc.conftest import connect_go as connect_go
from support.connect_server import STATS, ConnectServer
from support.echo import Echo, Note
from support.proxies.faults import Stage
from support.proxies.faults_http1 import HTTP1_STAGES, http1_fault_proxy

from .test_stages import SECONDS, closed_socket_noticed

STAGES = pytest.mark.parametrize("stage", HTTP1_STAGES, ids=lambda stage: stage.value)
UNREAD = (Stage.AFTER_CONNECT, Stage.REQUEST_HEADERS, Stage.REQUEST_BODY)
"""Stages at which the server has no whole request. The client cannot know: it sends the request as soon as it is connected."""


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


async def writes(server: ConnectServer) -> int:
    """How many writes the server has carried out."""
    async with Client(server.endpoints["http1"], transport="connect") as client:
        return int((await unary(client, STATS, Note())).calls.get("Write", 0))


@STAGES
async def test_a_read_succeeds(stage: Stage, connect_go: ConnectServer) -> None:
    async with (
        http1_fault_proxy(port_of(connect_go.endpoints["http1"])) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", transport="connect") as client,
        asyncio.timeout(SECONDS),
    ):
        await unary(client, Echo.KEEP, Note())
        proxy.arm(stage, Echo.SAY.path)
        assert (await unary(client, Echo.SAY, Note(n=1, size=100_000))).n == 1
        assert proxy.fired == 1


@STAGES
async def test_a_change_is_sent_once(stage: Stage, connect_go: ConnectServer) -> None:
    async with (
        http1_fault_proxy(port_of(connect_go.endpoints["http1"])) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", transport="connect") as client,
        asyncio.timeout(SECONDS),
    ):
        await unary(client, Echo.SAY, Note())
        proxy.arm(stage, Echo.WRITE.path)
        await closed_socket_noticed()
        if stage is Stage.REPLY:
            assert (await unary(client, Echo.WRITE, Note(n=1, size=100_000))).n == 1
        else:
            with pytest.raises(errors.ConnectionLostError, match="may have taken effect") as raised:
                await unary(client, Echo.WRITE, Note(n=1, size=100_000))
            assert not raised.value.unprocessed
        assert proxy.fired == 1
        assert await writes(connect_go) == (0 if stage in UNREAD else 1)
        await closed_socket_noticed()
        assert (await unary(client, Echo.WRITE, Note(n=2))).n == 2, "later calls use a new connection"


@STAGES
async def test_a_stream_that_breaks_says_so(stage: Stage, connect_go: ConnectServer) -> None:
    """Streams are taken up again by watches and logs, not by calls."""
    async with (
        http1_fault_proxy(port_of(connect_go.endpoints["http1"])) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", transport="connect") as client,
        asyncio.timeout(SECONDS),
    ):
        await unary(client, Echo.SAY, Note())
        proxy.arm(stage, Echo.COUNT.path)
        await closed_socket_noticed()
        seen: list[int] = []
        try:
            async for note in stream(client, Echo.COUNT, Note(to=100)):
                seen.append(note.n)
        except errors.UnavailableError:
            assert stage is not Stage.REPLY
            assert seen == list(range(len(seen)))
        else:
            assert stage is Stage.REPLY and seen == list(range(100))
        assert proxy.fired == 1


@pytest.fixture(scope="module")
def box() -> Iterator[Devbox]:
    with flyte.devbox.start(memory=True) as running:
        yield running


@pytest.mark.parametrize(
    "stage", [stage for stage in HTTP1_STAGES if stage is not Stage.REPLY_BODY], ids=lambda stage: stage.value
)
async def test_a_file_is_uploaded(stage: Stage, box: Devbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upload breaks, and not the call that asks for a link. Its reply has no body."""
    path = tmp_path / f"{stage.name}.bin"
    path.write_bytes(stage.name.encode() * 300_000)
    make = Links.make
    async with http1_fault_proxy(0) as proxy, asyncio.timeout(SECONDS):

        def through_proxy(links: Links, method: str, uri: str, expires_at: int, md5: str = "") -> str:
            link = make(links, method, uri, expires_at, md5)
            proxy.target = int(link.split(":")[2].split("/")[0])
            return link.replace(f":{proxy.target}/", f":{proxy.port}/", 1)

        monkeypatch.setattr(Links, "make", through_proxy)
        proxy.arm(stage, "/")
        _, uri = await upload_file.aio(path, client=box.connect())
        assert proxy.fired == 1
        assert [stored.read_bytes() for stored in box.dir.rglob(uri.rpartition("/")[2])] == [path.read_bytes()]
