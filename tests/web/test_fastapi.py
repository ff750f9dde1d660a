"""The client in a FastAPI application, on uvicorn with uvloop and httptools, under concurrent requests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.remote import Project

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("uvloop")

CALLS = 200
PROJECT = "web"


def nothing() -> None:
    """Do nothing."""


@pytest.fixture
def runs(flyte_devbox: Devbox) -> list[str]:
    """Names of the runs in the project of the application, newest first."""
    Project.create(PROJECT, PROJECT)
    task = flyte.devbox.deploy(nothing)
    return [flyte.with_runcontext(project=PROJECT).run(task).name for _ in range(7)][::-1]


@pytest.fixture
def server(flyte_devbox: Devbox, runs: list[str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The application in a process of its own; its port, and the process."""
    env = {**os.environ, "DEVBOX": flyte_devbox.endpoint, "DEVBOX_TOKEN": flyte_devbox.token, "DEVBOX_PROJECT": PROJECT}
    with socket.create_server(("127.0.0.1", 0), backlog=2 * CALLS) as listener:
        # The socket listens before the server runs, so that nobody has to wait for it.
        options = ["--fd", str(listener.fileno()), "--loop", "uvloop", "--http", "httptools"]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "web.app:app", *options, "--no-access-log"],
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=Path(__file__).parent.parent,
        )
        port = int(listener.getsockname()[1])
    with process:
        yield port, process
        process.kill()


async def get(port: int, path: str) -> Any:
    """The JSON that a path answers with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        return json.loads(body)
    finally:
        writer.close()


async def test_concurrent_requests(server: tuple[int, subprocess.Popen[str]], runs: list[str]) -> None:
    port, process = server
    async with asyncio.timeout(60):
        assert await get(port, "/loop") == "uvloop"
        for path in ("/async", "/sync"):
            assert await asyncio.gather(*(get(port, path) for _ in range(CALLS))) == [runs] * CALLS
        paths = ["/async", "/sync"] * (CALLS // 2)
        assert await asyncio.gather(*(get(port, path) for path in paths)) == [runs] * CALLS, "both at a time"
    process.send_signal(signal.SIGINT)
    _, said = await asyncio.to_thread(process.communicate, timeout=20)
    assert "Finished server process" in said
    assert "Traceback" not in said and "Exception" not in said and "was never" not in said
