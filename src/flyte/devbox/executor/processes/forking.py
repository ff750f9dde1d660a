"""Starts processes. Workers are forked instead if the result is equivalent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .environment import inherited
from .forkserver import LARGEST
from .process import ExecutedProcess, Process

_WORKER = ("-m", "flyte.devbox.executor.processes.worker")
_SERVER = ("-m", "flyte.devbox.executor.processes.forkserver")
_STARTED_WITH = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_")
"""Prefixes of variables that an interpreter or a library reads only at startup."""
_START_TIMEOUT = 60.0
"""Maximum seconds to wait for a fork; for the first one, that includes the imports of the server."""
_STOP_TIMEOUT = 10.0


class ForkedProcess(Process, asyncio.Protocol):
    """A forked worker. Its output comes through a pipe."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        super().__init__(sink)
        self.started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Resolved when the worker has started."""
        self._pipe: asyncio.BaseTransport | None = None

    def begun(self, pid: int) -> None:
        """Handle the start of the process, which now leads a process group."""
        self.pid = pid
        if not self.started.done():
            self.started.set_result(True)

    def ended(self, code: int) -> None:
        """Handle the end of the process."""
        if not self.started.done():
            self.started.set_result(False)
        if not self.exited.done():
            self.exited.set_result(code)

    def kill(self) -> None:
        """Kill its process group, if it has one."""
        if self.started.done() and self.started.result():
            self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Close its pipe."""
        if self._pipe is not None:
            self._pipe.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._pipe = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.heard_all()


class ProcessStarter:
    """The server process that workers are forked from. It starts with the first worker, and again if it dies."""

    def __init__(self) -> None:
        self._base = inherited()
        self._server: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._workers: dict[int, ForkedProcess] = {}
        self._count = 0
        # One start at a time: the socket's buffer is small, and the server forks sequentially anyway.
        self._wait_for_slot = asyncio.Lock()

    async def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        sink: Callable[[bytes], None],
        memory: int | None = None,
    ) -> Process:
        """Start a command by forking, or with `ExecutedProcess.start` if forking is not equivalent.

        Raises:
            OSError: The command cannot be started.
        """
        self._count += 1
        request = {"id": self._count, "env": {**env}, "cwd": str(cwd), "memory": memory, "arguments": [*command[3:]]}
        message = json.dumps(request).encode()
        if len(message) > LARGEST or not self._same(command, env):
            return await ExecutedProcess.start(command, env=env, cwd=cwd, sink=sink, memory=memory)
        number = self._count
        async with self._wait_for_slot:
            return await self._fork(number, message, sink)

    def _same(self, command: Sequence[str], env: Mapping[str, str]) -> bool:
        """Whether a forked worker would be equivalent to an executed one."""
        # On other systems, some system libraries do not survive a fork without exec.
        if sys.platform != "linux" or (command[0], *command[1:3]) != (sys.executable, *_WORKER):
            return False
        names = {name for name in (*env, *self._base) if name.startswith(_STARTED_WITH)}
        return all(env.get(name) == self._base.get(name) for name in names)

    async def _fork(self, number: int, message: bytes, sink: Callable[[bytes], None]) -> Process:
        worker = self._workers[number] = ForkedProcess(sink)
        reading, writing = os.pipe()
        try:
            try:
                await asyncio.get_running_loop().connect_read_pipe(lambda: worker, os.fdopen(reading, "rb"))
                socket.send_fds(self._connected(), [message], [writing])
            finally:
                os.close(writing)
            async with asyncio.timeout(_START_TIMEOUT):
                if not await asyncio.shield(worker.started):
                    raise OSError(f"the worker exited with {worker.exited.result()} before it started")
        except BaseException:
            # Also after cancellation: a later message of the server about this worker ends it.
            worker.close()
            self._workers.pop(number, None)
            raise
        return worker

    def _connected(self) -> socket.socket:
        """Return the socket of a running server."""
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket.setblocking(False)
            with theirs:
                command = [sys.executable, *_SERVER, str(theirs.fileno())]
                self._server = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    env=self._base,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    # The devbox alone handles Ctrl-C in its terminal.
                    start_new_session=True,
                )
            asyncio.get_running_loop().add_reader(self._socket, self._hear, self._socket)
        return self._socket

    def _hear(self, connection: socket.socket) -> None:
        """Handle a message of the server about one worker."""
        try:
            message = connection.recv(LARGEST)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self.close()
            return
        told: dict[str, Any] = json.loads(message)
        worker = self._workers.get(told["id"])
        if worker is None:
            # The wait for it was cancelled.
            if "pid" in told:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(told["pid"], signal.SIGKILL)
        elif "pid" in told:
            worker.begun(told["pid"])
        else:
            del self._workers[told["id"]]
            worker.ended(told["code"])

    def close(self) -> None:
        """End the server, and with it all forked workers."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        # Closing is not enough if a fork of this process has the socket, too.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._socket = None
        for worker in self._workers.values():
            worker.kill()
            worker.ended(-signal.SIGKILL)
        self._workers.clear()
        assert self._server is not None
        try:
            self._server.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
