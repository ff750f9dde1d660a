"""Fork workers from a process that has done their imports: `python -m flyte.devbox.executor.processes.forkserver SOCKET`.

A worker that starts from scratch spends nearly all of its time on imports. The devbox holds the other end of the
socket: when it closes, the devbox is gone, and the server ends with all forked workers.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from . import worker

PRELOADED = (
    "asyncio",
    "concurrent.futures",
    "decimal",
    "importlib.util",
    "inspect",
    "traceback",
    "uuid",
    "zipfile",
    "flyte.controller",
    "flyte.remote._action",
    "flyte.remote._task",
    "flyte.remote.tasks.details",
    "flyte.remote.tasks.override",
    "flyte_rpc.transports.grpc",
    "flyte_rpc.sync.bridge",
    "flyte.types",
    "flyte_api.messages.flyteidl2.core.execution",
    "flyte_api.messages.flyteidl2.task.common",
)
"""Modules to import before forking: those of tasks, and of tasks that call others."""
LARGEST = 1 << 16
"""Maximum bytes of a request. Larger ones execute a worker instead."""


def main(descriptor: int) -> int:
    """Serve requests until the socket closes, or run the worker in a forked process. Return the exit code."""
    for name in PRELOADED:
        importlib.import_module(name)
    requests = socket.socket(fileno=descriptor)
    # A pipe that wakes select when a child ends.
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _wake)
    running: dict[int, int] = {}
    # Objects created so far stay shared with forked processes, because garbage collection does not touch their pages.
    gc.collect()
    gc.freeze()
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 4096)
            _reap(requests, running)
        if requests.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 1)
        if not message:
            break
        request = json.loads(message)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(woken)
            os.close(wake)
            return _work(request, requests, descriptors[0])
        running[pid] = request["id"]
        for given in descriptors:
            os.close(given)
    for pid in running:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    return 0


def _wake(number: int, frame: FrameType | None) -> None:
    """Do nothing. Signals with a handler write to the pipe, which wakes the loop."""


def _reap(requests: socket.socket, running: dict[int, int]) -> None:
    """Report ended children to the devbox."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        number = running.pop(pid, None)
        if number is not None:
            with suppress(OSError):  # the devbox is gone; the next read notices
                requests.send(json.dumps({"id": number, "code": os.waitstatus_to_exitcode(status)}).encode())


def _work(request: dict[str, Any], requests: socket.socket, output: int) -> int:
    """Set up session, environment, directory and output like those of an executed worker, and run it."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)
    # Only after it leads its own group, because the devbox kills workers by group.
    requests.send(json.dumps({"id": request["id"], "pid": os.getpid()}).encode())
    requests.close()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    # Like `python -m`.
    sys.path[0] = request["cwd"]
    sys.argv = [worker.__file__, *request["arguments"]]
    if request["memory"] is not None:
        import resource  # POSIX only; the devbox module itself can be imported anywhere

        resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
    return worker.main(*request["arguments"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
