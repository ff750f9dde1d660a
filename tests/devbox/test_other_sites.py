"""Requests that pages of other sites could make a browser send: refused, with or without the token."""

from __future__ import annotations

import http.client
import json

import pytest

import flyte.devbox

_PATH = "/flyteidl2.project.ProjectService/GetProject"


def status(box: flyte.devbox.Devbox, headers: dict[str, str], path: str = _PATH) -> int:
    port = int(box.endpoint.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        token = {"Authorization": f"Bearer {box.token}", "Content-Type": "application/json"}
        given = {name: value.format(port=port) for name, value in headers.items()}
        connection.request("POST", path, json.dumps({"id": "flytesnacks"}), {**token, **given})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1@evil.example"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Host": ""}, 421),
        ({"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Host": "127.0.0.1:{port}", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "127.0.0.1:{port}", "Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Host": "127.0.0.1:{port}", "Origin": "null"}, 403),
    ],
)
def test_hosts_and_origins(flyte_devbox: flyte.devbox.Devbox, headers: dict[str, str], expected: int) -> None:
    assert status(flyte_devbox, headers) == expected


def test_health_is_told_to_this_machine_only(flyte_devbox: flyte.devbox.Devbox) -> None:
    assert status(flyte_devbox, {"Host": "evil.example"}, "/healthz") == 421
