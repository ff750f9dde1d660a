from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificates import Authority
from support.proxies.http_proxy import http_proxy

CREDENTIALS = "ada:open sesame%40"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of these tests names no proxies but their own."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_certificate(authority: Authority) -> Path:
    return authority.issue("server", "DNS:localhost", "IP:127.0.0.1")


@pytest.fixture(scope="session")
def proxy_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with http_proxy(tmp_path_factory.mktemp("proxy")) as port:
        yield port


@pytest.fixture(scope="session")
def strict_proxy_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A proxy that wants credentials."""
    with http_proxy(tmp_path_factory.mktemp("strict_proxy"), credentials="ada:open sesame@") as port:
        yield port
