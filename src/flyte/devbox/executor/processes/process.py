"""One attempt's processes: in a group of their own, and ended as a group."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

_DRAIN = 2.0
"""Seconds to wait for the end of the output when the process has ended; only a process that left the group delays it."""

_LIMITED = 'ulimit -v "$1" && shift && exec "$@"'


class Process(ABC):
    """A running command and everything it started, standing in for a container."""

    pid: int
    """Id of the process, and of its group."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = loop.create_future()
        """The exit code; negative for a signal."""
        self.unheard: asyncio.Future[OSError] = loop.create_future()
        """Why the output could not be stored, when that happens."""
        self._drained: asyncio.Future[None] = loop.create_future()
        self._sink = sink

    async def stop(self, grace: float) -> None:
        """End the group: SIGTERM, and SIGKILL if the command has not ended `grace` seconds later."""
        self._signal(signal.SIGTERM)
        await asyncio.wait((self.exited,), timeout=grace)
        self._signal(signal.SIGKILL)
        await asyncio.wait((self.exited,))

    async def finish(self) -> None:
        """After the exit: kill what the command left behind in its group, and take the rest of the output."""
        self._signal(signal.SIGKILL)
        await asyncio.wait((self._drained,), timeout=_DRAIN)
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of what connects us with it."""

    def heard(self, data: bytes) -> None:
        """Take some output."""
        try:
            self._sink(data)
        except OSError as error:
            if not self.unheard.done():
                self.unheard.set_result(error)

    def heard_all(self) -> None:
        """There is no further output."""
        if not self._drained.done():
            self._drained.set_result(None)

    def _signal(self, number: signal.Signals) -> None:
        # ESRCH: nobody is left. EPERM: macOS says so when only zombies are.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class ExecutedProcess(Process, asyncio.SubprocessProtocol):
    """A program that was started from scratch."""

    _transport: asyncio.SubprocessTransport

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        sink: Callable[[bytes], None],
        memory: int | None = None,
    ) -> ExecutedProcess:
        """Start a command.

        Args:
            command: Program and arguments.
            env: Its whole environment.
            cwd: Its working directory.
            sink: Gets what it and its children write to stdout and stderr, in that order of writing.
            memory: Most bytes of address space for each of its processes. Default: no limit.

        Raises:
            OSError: It cannot be started.
        """
        if memory is not None:
            # Set by a shell that then becomes the command: forking Python to call setrlimit is not safe with threads.
            command = ("/bin/sh", "-c", _LIMITED, "sh", str(memory // 1024), *command)
        transport, process = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(sink),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        del transport
        return process

    def close(self) -> None:
        """Let go of its pipes."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by asyncio."""
        self.heard(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.heard_all()

    def process_exited(self) -> None:
        """Called by asyncio."""
        if not self.exited.done():
            self.exited.set_result(self._transport.get_returncode() or 0)
