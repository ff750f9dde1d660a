"""What `Network` accepts. Each error names the setting, and shows no password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyte_rpc.errors import InitializationError
from flyte_rpc.transports.network.settings import Network


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"proxy": 3}, "proxy takes text, not int"),
        ({"proxy": b"http://ada:hunter2@p"}, "proxy takes text, not bytes"),
        ({"verify": "false"}, "verify takes True or False, not 'false'"),
        ({"verify": None}, "verify takes True or False, not None"),
        ({"server_name": 3}, "server_name takes text, not int"),
        ({"ca_file": 3}, "ca_file takes a path, not int"),
        ({"ca_file": b"x"}, "ca_file takes a path, not bytes"),
        ({"client_certificate": ["x"]}, "client_certificate takes a path, not list"),
        ({"client_certificate": "x", "client_key": 3}, "client_key takes a path, not int"),
    ],
)
def test_types(settings: dict[str, Any], shown: str) -> None:
    with pytest.raises(TypeError) as raised:
        Network(**settings)
    assert str(raised.value) == shown


@pytest.mark.parametrize("name", ["", "a\nb", "ex ample", "a:1", "https://a", "-a", "a/b"])
def test_a_server_name_is_a_host(name: str) -> None:
    with pytest.raises(ValueError, match=r"^server_name=.* is not a host name"):
        Network(server_name=name)


def test_names_and_addresses() -> None:
    for name in ("a", "flyte.example", "10.1.2.3", "fd00::1"):
        assert Network(server_name=name).server_name == name


def test_a_key_needs_a_certificate(server_certificate: Path) -> None:
    with pytest.raises(ValueError, match="client_key is set without client_certificate"):
        Network(client_key=server_certificate)


def test_a_certificate_without_a_key(server_certificate: Path, tmp_path: Path) -> None:
    begin = "-----BEGIN CERTIFICATE-----"
    alone = tmp_path / "certificate.pem"
    alone.write_text(begin + server_certificate.read_text().partition(begin)[2].partition("-----BEGIN PRIVATE")[0])
    with pytest.raises(InitializationError, match=r"client_certificate=.*contains no private key. Set client_key to"):
        Network(client_certificate=alone).ssl_context()
