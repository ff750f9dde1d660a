from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.connect_server import ConnectServer, build, connect_server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key, in one PEM file."""
    at = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        subprocess.run([*command.split(), *names, "-keyout", at, "-out", f"{at}.crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is needed to make a certificate")
    at.write_text(at.read_text() + Path(f"{at}.crt").read_text())
    return at


@pytest.fixture(scope="session")
def trusting(certificate: Path) -> ssl.SSLContext:
    """TLS settings of a client that trusts the certificate."""
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture(scope="session")
def _connect_go(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectServer]:
    with connect_server(build(tmp_path_factory.mktemp("connect_go")), certificate) as server:
        yield server


@pytest.fixture
def connect_go(_connect_go: ConnectServer) -> ConnectServer:
    """A connect-go server whose counters start at zero."""
    _connect_go.reset()
    return _connect_go
