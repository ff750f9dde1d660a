from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte_rpc.http.streaming import StreamingClient
from flyte_rpc.transports.network.settings import Network
from support.certificates import Authority
from support.storage import Storage, running


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of these tests names no proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def storage() -> Iterator[Storage]:
    server = Storage()
    with running(server):
        yield server


@pytest.fixture
def streaming() -> Iterator[StreamingClient]:
    with StreamingClient(Network()) as client:
        yield client


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_certificate(authority: Authority) -> Path:
    return authority.issue("server", "DNS:localhost", "IP:127.0.0.1")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries with very short pauses."""
    monkeypatch.setattr("flyte_rpc.http.retry_after._FIRST_PAUSE", 0.001)
