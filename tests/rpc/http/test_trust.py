"""Uploads and downloads with private authorities, client certificates, and proxies."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flyte_rpc.http.download import download
from flyte_rpc.http.errors import HttpError
from flyte_rpc.http.streaming import StreamingClient
from flyte_rpc.http.transfer import Transfer
from flyte_rpc.transports.network.settings import Network
from support.certificates import Authority
from support.proxies.http_proxy import http_proxy
from support.storage import Storage, running

CONTENT = os.urandom(300_000)


@contextmanager
def store(certificate: Path | None = None, client_authority: Path | None = None) -> Iterator[Storage]:
    storage = Storage(certificate, client_authority)
    with running(storage):
        yield storage


def transfer(network: Network, storage: Storage, folder: Path, host: str = "127.0.0.1") -> None:
    """Upload and download a file."""
    with StreamingClient(network) as client:
        url = f"{storage.url}/file?signature=hush".replace("127.0.0.1", host)
        client.put(url, [CONTENT], len(CONTENT), Transfer(), headers={"content-type": "text/csv"})
        assert storage.files["/file"] == CONTENT
        target = folder / "copy"
        download(client, url, target, Transfer(), timeout=20, report=lambda done, total: None)
        assert target.read_bytes() == CONTENT


def test_a_private_authority(authority: Authority, server_certificate: Path, tmp_path: Path) -> None:
    with store(server_certificate) as storage:
        transfer(Network(ca_file=authority.certificate), storage, tmp_path)
        with pytest.raises(HttpError, match=r"its TLS certificate is not accepted \(.*issuer") as raised:
            transfer(Network(), storage, tmp_path)
        assert not raised.value.transient and "hush" not in str(raised.value)


def test_a_client_certificate(authority: Authority, server_certificate: Path, tmp_path: Path) -> None:
    mine = authority.issue("me")
    with store(server_certificate, authority.certificate) as storage:
        transfer(Network(ca_file=authority.certificate, client_certificate=mine), storage, tmp_path)
        # The server may also close the connection while the client still sends.
        with pytest.raises(HttpError, match=r"asks for a client certificate|connection broke"):
            transfer(Network(ca_file=authority.certificate), storage, tmp_path)


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_that_wants_credentials(
    tls: bool, authority: Authority, server_certificate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "proxy").mkdir()
    network = {"ca_file": str(authority.certificate)}
    with (
        caplog.at_level(logging.DEBUG),
        http_proxy(tmp_path / "proxy", credentials="ada:p@ss") as port,
        store(server_certificate if tls else None) as storage,
    ):
        transfer(Network(**network, proxy=f"http://ada:p%40ss@127.0.0.1:{port}"), storage, tmp_path)
        for proxy in (f"http://127.0.0.1:{port}", f"http://ada:hunter2@127.0.0.1:{port}"):
            with pytest.raises(HttpError, match=r"407") as raised:
                transfer(Network(**network, proxy=proxy), storage, tmp_path)
            assert not raised.value.transient
            assert "hunter2" not in str(raised.value) and "hush" not in str(raised.value)
    assert "p@ss" not in caplog.text and "hush" not in caplog.text


def test_a_proxy_that_is_reached_over_tls(authority: Authority, server_certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "proxy").mkdir()
    with (
        http_proxy(tmp_path / "proxy", certificate=server_certificate) as port,
        store(server_certificate) as storage,
    ):
        transfer(Network(ca_file=authority.certificate, proxy=f"https://127.0.0.1:{port}"), storage, tmp_path)


def test_a_proxy_that_decrypts_tls(authority: Authority, server_certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "proxy").mkdir()
    with (
        http_proxy(tmp_path / "proxy", authority=authority) as port,
        store(server_certificate) as storage,
    ):
        # It makes certificates for names only.
        proxy, host = f"http://127.0.0.1:{port}", "localhost"
        transfer(Network(ca_file=authority.certificate, proxy=proxy), storage, tmp_path, host)
        with pytest.raises(HttpError, match="its TLS certificate is not accepted"):
            transfer(Network(proxy=proxy), storage, tmp_path, host)
