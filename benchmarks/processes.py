"""Processes of a benchmark: each has a deadline, and ends with whoever started it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Command = Sequence[str | Path]

LINE_SECONDS = 180.0
STOP_SECONDS = 5.0


class Failed(Exception):
    """A process did not do what it was started for; the message is for people."""


class Piped:
    """A process that answers in lines and ends when its standard input does."""

    def __init__(self, command: Command, *, cwd: Path, env: Mapping[str, str]) -> None:
        self._name = " ".join(Path(part).name for part in command)
        self._rest = b""
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for whoever started it, who then ends it in order
        )

    def line(self, seconds: float = LINE_SECONDS) -> str:
        """The next line it writes."""
        output = self._process.stdout
        assert output is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([output], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise Failed(f"{self._name} said nothing for {seconds:.0f} s")
            received = os.read(output.fileno(), 1 << 16)
            if not received:
                raise Failed(f"{self._name} has ended; what it wrote is above")
            self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def ask(self, job: str, **arguments: Any) -> Any:
        """Have a worker do a job; returns the result."""
        requests = self._process.stdin
        assert requests is not None
        try:
            requests.write(json.dumps({"job": job, **arguments}).encode() + b"\n")
        except BrokenPipeError:
            raise Failed(f"{self._name} has ended; what it wrote is above") from None
        answer = json.loads(self.line())
        if "error" in answer:
            raise Failed(f"{self._name} failed at {job}:\n{answer['error']}")
        return answer["result"]

    def close(self) -> None:
        """End it, by force if it takes long."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Ended(NamedTuple):
    """A process that ran to its end."""

    seconds: float
    peak_bytes: int
    """Most memory that it, or any one process it started, had at a time."""
    output: str


def run(command: Command, *, cwd: Path, env: Mapping[str, str], seconds: float = LINE_SECONDS) -> Ended:
    """Run a process and everything it starts to the end.

    Raises:
        Failed: It failed, or took longer than `seconds`.
    """
    name = " ".join(str(part) for part in command)[:200]
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(env),
        start_new_session=True,
    )
    assert process.stdout is not None
    alarm = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    alarm.daemon = True
    alarm.start()
    try:
        with process.stdout:
            output = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{name}\nended with {process.returncode} after {took:.0f} s:\n{output}")
    return Ended(took, usage.ru_maxrss * 1024, output)
