"""The processes of one attempt: a process group, which is killed as a whole."""

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
"""Seconds to wait for the end of the output after the exit; only processes that left the group delay it."""

_LIMITED = 'ulimit -v "$1" && shift && exec "$@"'


class Process(ABC):
    """A running command with its child processes, in place of a container."""

    pid: int
    """Id of the process and of its group."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = loop.create_future()
        """The exit code; negative for a signal."""
        self.unheard: asyncio.Future[OSError] = loop.create_future()
        """Why the output could not be stored, if so."""
        self._drained: asyncio.Future[None] = loop.create_future()
        self._sink = sink

    async def stop(self, grace: float) -> None:
        """End the group with SIGTERM, and with SIGKILL if the command is still running after `grace` seconds."""
        self._signal(signal.SIGTERM)
        await asyncio.wait((self.exited,), timeout=grace)
        self._signal(signal.SIGKILL)
        await asyncio.wait((self.exited,))

    async def finish(self) -> None:
        """After the exit, kill the rest of the group, and read the rest of the output."""
        self._signal(signal.SIGKILL)
        await asyncio.wait((self._drained,), timeout=_DRAIN)
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close pipes and handles."""

    def heard(self, data: bytes) -> None:
        """Handle output."""
        try:
            self._sink(data)
        except OSError as error:
            if not self.unheard.done():
                self.unheard.set_result(error)

    def heard_all(self) -> None:
        """Handle the end of the output."""
        if not self._drained.done():
            self._drained.set_result(None)

    def _signal(self, number: signal.Signals) -> None:
        # ESRCH: no process is left. EPERM: on macOS, only zombies are left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class ExecutedProcess(Process, asyncio.SubprocessProtocol):
    """A program started with exec."""

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
            env: The whole environment.
            cwd: The working directory.
            sink: Receives stdout and stderr of the process and its children, in order of writing.
            memory: Maximum bytes of address space per process. Default: no limit.

        Raises:
            OSError: The command cannot be started.
        """
        if memory is not None:
            # A shell sets the limit and then executes the command: calling setrlimit in a fork of Python is not thread-safe.
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
        """Close its pipes."""
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
