"""Start, connect, stop, and access control."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest

import flyte.devbox
from devbox.calls import DEADLINE, Calls, shell
from flyte._client import current_client
from flyte.errors import InitializationError, UnauthenticatedError
from flyte_api.messages.flyteidl2.project.project_service import GetProjectRequest
from flyte_api.registry import registry
from flyte_api.services.flyteidl2.project.project_service import ProjectService
from flyte_rpc.calls.client import Client

PROJECT = GetProjectRequest(id="flytesnacks")


@pytest.fixture(autouse=True)
def no_default_client() -> Generator[None, None, None]:
    previous = registry.default
    registry.set_default(None)
    yield
    registry.set_default(previous)


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_no_call_without_the_token(box: flyte.devbox.Devbox, token: str | None) -> None:
    async with Client(box.endpoint, token=token) as client:
        with pytest.raises(UnauthenticatedError) as caught:
            await Calls(client, "flytesnacks").unary(ProjectService.GET_PROJECT, PROJECT)
    assert box.token not in str(caught.value)


async def test_it_listens_on_loopback_only(box: flyte.devbox.Devbox) -> None:
    port = int(box.endpoint.rpartition(":")[2])
    assert box.endpoint == f"http://127.0.0.1:{port}"
    # Another address of this machine, as others would have to use. Loopback is 127.0.0.0/8, so 127.0.0.2 tells as well.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=DEADLINE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return
        outside = probe.getsockname()[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((outside, port), timeout=DEADLINE)


def test_files_that_others_cannot_read(box: flyte.devbox.Devbox) -> None:
    for path in (box.token_file, box.dir / "devbox.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert box.token_file.read_text() == box.token
    state = json.loads((box.dir / "devbox.json").read_text())
    assert state == {"endpoint": box.endpoint, "token_file": str(box.token_file), "pid": os.getpid()}
    assert box.token not in repr(box)


def test_a_client_becomes_the_default_one_and_the_previous_returns() -> None:
    with Client("http://127.0.0.1:1") as before:
        registry.set_default(before)
        with flyte.devbox.start(memory=True) as box:
            client = box.connect()
            assert current_client() is client
            assert (client.endpoint, client.project, client.domain) == (box.endpoint, "flytesnacks", "development")
            other = box.connect(project="p", domain="d")
            assert current_client() is other and other.project == "p"
        assert current_client() is before
        assert client.closed


def test_another_default_that_was_set_meanwhile_stays() -> None:
    with Client("http://127.0.0.1:1") as later, flyte.devbox.start(memory=True) as box:
        box.connect()
        registry.set_default(later)
        box.stop()
        assert current_client() is later


async def test_async_with() -> None:
    async with flyte.devbox.start(memory=True) as box:
        client = box.connect()
        reply = await Calls(client, "flytesnacks").unary(ProjectService.GET_PROJECT, PROJECT)
        assert reply.project is not None
        directory = box.dir
    assert not directory.exists()


def test_stopping_twice_and_connecting_afterwards() -> None:
    box = flyte.devbox.start(memory=True)
    directory = box.dir
    box.stop()
    box.close()
    assert not directory.exists()
    assert "stopped" in repr(box)
    with pytest.raises(flyte.devbox.DevboxError, match="stopped"):
        box.connect()


def test_one_directory_one_devbox(tmp_path: Path) -> None:
    with flyte.devbox.start(dir=tmp_path) as box:
        with pytest.raises(flyte.devbox.DevboxError, match=f"in use by the devbox of process {os.getpid()}"):
            flyte.devbox.start(dir=tmp_path)
        assert box.dir == tmp_path
    with flyte.devbox.start(dir=tmp_path, memory=True):
        pass
    assert tmp_path.exists()


def test_a_port_that_is_taken(box: flyte.devbox.Devbox, tmp_path: Path) -> None:
    port = int(box.endpoint.rpartition(":")[2])
    with pytest.raises(flyte.devbox.DevboxError, match=str(port)):
        flyte.devbox.start(port=port, dir=tmp_path)
    # The failed start has left the directory free.
    flyte.devbox.start(dir=tmp_path).stop()


@pytest.mark.parametrize(
    ("options", "words"), [({"port": 70_000}, "port"), ({"parallel": 0}, "parallel"), ({"grace": -1.0}, "grace")]
)
def test_numbers_out_of_range(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        flyte.devbox.start(**options)  # type: ignore[arg-type]


def test_tokens(tmp_path: Path) -> None:
    with pytest.raises(flyte.devbox.DevboxError, match="token"):
        flyte.devbox.start(token=" ")
    with flyte.devbox.start(dir=tmp_path) as box:
        first = box.token
    with flyte.devbox.start(dir=tmp_path) as box:
        assert box.token == first
    with flyte.devbox.start(dir=tmp_path, token="mine") as box:
        assert box.token == "mine"


def test_directories_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(flyte.devbox.DevboxError, match="file"):
        flyte.devbox.start(dir=file)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "devbox.sqlite").write_text("this is not a database, but long enough to be taken for one" * 20)
    with pytest.raises(flyte.devbox.DevboxError, match="not a database"):
        flyte.devbox.start(dir=foreign)


def test_a_database_of_another_version(tmp_path: Path) -> None:
    flyte.devbox.start(dir=tmp_path).stop()
    with sqlite3.connect(tmp_path / "devbox.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(flyte.devbox.DevboxError, match="format is 99"):
        flyte.devbox.start(dir=tmp_path)


async def test_stopping_ends_tasks_and_streams() -> None:
    box = flyte.devbox.start(memory=True, grace=0.5)
    async with Client(box.endpoint, token=box.token) as client:
        calls = Calls(client, "flytesnacks")
        action = (await calls.create(shell("echo $$; trap '' TERM; while :; do sleep 0.05; done"))).id
        assert action is not None
        pid = int(await calls.first_line(action))
        await asyncio.to_thread(box.stop)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_script_that_forgets_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    script = tmp_path / "forgetful.py"
    script.write_text("import flyte.devbox\nbox = flyte.devbox.start()\nprint(box.dir)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert done.stderr == ""
    assert not Path(done.stdout.strip()).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "flyte.devbox", "--dir", str(tmp_path / "box")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        greeting = [process.stdout.readline() for _ in range(3)]
        token = (tmp_path / "box" / "token").read_text()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    assert greeting[0].split()[0] == "endpoint:" and "127.0.0.1" in greeting[0]
    assert str(tmp_path / "box" / "token") in greeting[2]
    assert token not in "".join(greeting) + rest + errors


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows the owners of connections")
@pytest.mark.parametrize("options", [[], ["--trust-user"]])
def test_the_greeting_says_whether_a_token_is_needed(tmp_path: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "flyte.devbox", "--dir", str(tmp_path / "box"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        greeting = _until(process.stdout, "Ctrl-C")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)
    assert "export FLYTE_TOKEN=" in greeting
    assert ("FLYTE_TOKEN is not needed" in greeting) == bool(options)


def _until(lines: IO[str], end: str) -> str:
    """Read lines until one contains `end`."""
    read: list[str] = []
    for line in lines:
        read.append(line)
        if end in line:
            break
    return "".join(read)


def test_foreground_refusals(tmp_path: Path) -> None:
    with flyte.devbox.start(dir=tmp_path):
        command = [sys.executable, "-m", "flyte.devbox", "--dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("flyte.devbox: ") and "in use" in done.stderr and "Traceback" not in done.stderr


def test_nothing_is_started_implicitly() -> None:
    with pytest.raises(InitializationError, match=r"flyte\.devbox\.start"):
        current_client()
