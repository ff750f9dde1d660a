"""Calls without a token from processes of the devbox's user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import flyte
import flyte.devbox
from flyte.devbox import local_user
from flyte.devbox.box import DevboxError
from flyte.errors import UnauthenticatedError
from flyte.remote import Project
from flyte_rpc.calls.client import Client

pytestmark = pytest.mark.skipif(not local_user.can_tell(), reason="this system does not tell the users of connections")
_CALL = ["--silent", "--header", "content-type: application/json", "--data", '{"id": "flytesnacks"}']


@pytest.fixture(scope="module")
def trusting() -> Iterator[flyte.devbox.Devbox]:
    with flyte.devbox.start(memory=True, trust_user=True) as box:
        yield box


def bare(endpoint: str, token: str | None = None) -> Client:
    return flyte.Client(endpoint, token=token, project="flytesnacks", domain="development")


def test_own_processes_need_no_token(trusting: flyte.devbox.Devbox) -> None:
    with bare(trusting.endpoint) as client:
        assert Project.get("flytesnacks", client=client).name == "flytesnacks"
    with bare(trusting.endpoint, trusting.token) as client:
        assert Project.get("flytesnacks", client=client).name == "flytesnacks"


def test_a_wrong_token_is_refused_all_the_same(trusting: flyte.devbox.Devbox) -> None:
    with bare(trusting.endpoint, "wrong") as client, pytest.raises(UnauthenticatedError):
        Project.get("flytesnacks", client=client)


def test_it_has_to_be_asked_for(flyte_devbox: flyte.devbox.Devbox) -> None:
    with bare(flyte_devbox.endpoint) as client, pytest.raises(UnauthenticatedError):
        Project.get("flytesnacks", client=client)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can call as another user")
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("user", "status"), [(None, "200"), (65534, "401")])
def test_processes_of_other_users_need_the_token(trusting: flyte.devbox.Devbox, user: int | None, status: str) -> None:
    url = f"{trusting.endpoint}/flyteidl2.project.ProjectService/GetProject"
    command = ["curl", *_CALL, "--output", "/dev/null", "--write-out", "%{http_code}", url]
    done = subprocess.run(command, capture_output=True, text=True, user=user, cwd="/", timeout=30, check=True)
    assert done.stdout == status


@pytest.mark.parametrize("peer", ["[::1]:50000", "unix", "127.0.0.1:", "127.0.0.1:1", "10.0.0.9:50000"])
def test_connections_that_are_not_there(peer: str) -> None:
    assert not local_user.is_own(peer, 40000)


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flyte.devbox.box, "can_tell", lambda: False)
    with pytest.raises(DevboxError, match=f"trust_user needs to know the users of connections, which {sys.platform}"):
        flyte.devbox.start(memory=True, trust_user=True)
