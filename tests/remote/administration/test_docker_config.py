"""Credentials of registries, from a Docker configuration file."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from flyte.remote import docker_config_from_file

PASSWORD = "s3cret-pass"
AUTH = b64encode(f"me:{PASSWORD}".encode()).decode()
HUB = "https://index.docker.io/v1/"
HELPER = f"""#!/bin/sh
read registry
case $registry in
    helped.io) echo '{{"Username": "me", "Secret": "{PASSWORD}"}}';;
    odd.io) echo '{{"Secret": "{PASSWORD}"';;
    half.io) echo '{{"Secret": "{PASSWORD}"}}';;
    *) echo "no credentials" >&2; exit 1;;
esac
"""


def written(path: Path, config: object) -> Path:
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return path


def auths(result: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result)
    assert found.keys() == {"auths"}
    return {name: entry["auth"] for name, entry in found["auths"].items()}


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A credential helper on the path."""
    program = tmp_path / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return "test"


def test_registries_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"auths": {"ghcr.io": {"auth": AUTH}, HUB: {"auth": AUTH}, "empty.io": {}}, "HttpHeaders": {"a": "b"}}
    path = written(tmp_path / "config.json", config)
    assert auths(docker_config_from_file(path=path)) == {"ghcr.io": AUTH, HUB: AUTH}
    assert auths(docker_config_from_file(["ghcr.io"], path)) == {"ghcr.io": AUTH}
    assert auths(docker_config_from_file(("docker.io",), path)) == {"docker.io": AUTH}, "one of the names of Docker Hub"
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert auths(docker_config_from_file(["ghcr.io"])) == {"ghcr.io": AUTH}


def test_registries_of_helpers(tmp_path: Path, helper: str) -> None:
    path = written(
        tmp_path / "config.json", {"credHelpers": {"helped.io": helper}, "auths": {"ghcr.io": {"auth": AUTH}}}
    )
    assert auths(docker_config_from_file(path=path)) == {"ghcr.io": AUTH, "helped.io": AUTH}
    path = written(tmp_path / "config.json", {"credsStore": helper, "auths": {"helped.io": {}, "other.io": {}}})
    assert auths(docker_config_from_file(path=path)) == {"helped.io": AUTH}


@pytest.mark.parametrize(
    ("config", "registries", "message"),
    [
        (f'{{"auths": "{AUTH}', None, "is not a Docker configuration: it must be a JSON object"),
        ([AUTH], None, "is not a Docker configuration: it must be a JSON object"),
        ({"auths": [AUTH]}, None, "is not a Docker configuration: auths must be a JSON object"),
        ({}, None, "has no credentials; run `docker login`"),
        ({"auths": {"ghcr.io": {}}}, None, "has no credentials for ghcr.io; run `docker login ghcr.io`"),
        ({"auths": {"ghcr.io": {"auth": AUTH}}}, ["ghcr.io", "quay.io"], "has no credentials for quay.io"),
        ({"credsStore": "test", "auths": {"other.io": {}}}, None, "has no credentials for other.io"),
        ({"credsStore": "test"}, ["odd.io"], "docker-credential-test returned no credentials for odd.io"),
        ({"credsStore": "test"}, ["half.io"], "docker-credential-test returned no credentials for half.io"),
        ({"credsStore": "missing"}, ["a.io"], "needs docker-credential-missing for a.io, which is not installed"),
        ({"credsStore": "../bin/sh"}, ["a.io"], "is not the name of a Docker credential helper"),
    ],
)
def test_files_without_credentials(
    tmp_path: Path, helper: str, config: object, registries: list[str] | None, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        docker_config_from_file(registries, written(tmp_path / "config.json", config))
    assert message in str(caught.value)
    assert caught.value.__cause__ is None
    assert PASSWORD not in str(caught.value) and AUTH not in str(caught.value)


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no Docker configuration; run `docker login`"):
        docker_config_from_file(path=tmp_path / "nothing.json")


def test_registries_are_a_list(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="registries takes several values"):
        docker_config_from_file("ghcr.io", tmp_path)
    with pytest.raises(TypeError, match="registries takes text, not int"):
        docker_config_from_file([3], tmp_path)  # type: ignore[list-item]
