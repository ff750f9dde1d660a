"""Runs coroutines for sync code: one event loop per process, on a daemon thread that starts on first use.

It works in plain code, in threads, inside another running loop (a notebook), and after a fork.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, Generic, TypeVar

from flyte_rpc.errors import BlockingCallError, BlockingCallWarning

from .misuse import warn_if_in_coroutine

T = TypeVar("T")

_CLEANING_UP = 1.0
"""Seconds for an interrupted call to clean up."""

_STOP_SECONDS = 2.0
"""Seconds for tasks to finish when the interpreter exits."""


class _Bridge:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._stopping = False
        self.thread = threading.Thread(target=self._serve, name="rpc-bridge", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._stopping:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    # A callback, such as a token function, has raised it. The caller gets it from the task; the other calls
                    # continue.
                    continue
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(asyncio.wait(tasks, timeout=_STOP_SECONDS))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()

    def stop(self) -> None:
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(2 * _STOP_SECONDS)


_bridge: _Bridge | None = None
_starting = threading.Lock()


def _running() -> _Bridge:
    global _bridge
    found = _bridge
    if found is None:
        with _starting:
            if _bridge is None:
                _bridge = _Bridge()
            found = _bridge
    return found


_generation = 0


def fork_generation() -> int:
    """Return the number of forks between this process and the one that imported this module.

    Objects with a thread, a loop or a socket record the generation of their creation, and are unusable in others.
    """
    return _generation


def forked_error() -> BlockingCallError:
    """Return the error for a loop that was started in another process."""
    return BlockingCallError("this loop was started before the process forked; start another one in the child")


def _forget() -> None:
    """Reset in a forked child, which has no bridge thread, and a lock that another thread may hold."""
    global _bridge, _starting, _generation
    _bridge, _starting, _generation = None, threading.Lock(), _generation + 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@atexit.register
def _stop() -> None:
    if _bridge is not None:
        _bridge.stop()


def in_event_loop() -> bool:
    """Whether the caller runs on an event loop, and must therefore await instead of block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def call_soon(callback: Callable[[], object]) -> None:
    """Run a plain function on the bridge's loop, in a copy of the caller's context variables, without waiting."""
    _running().loop.call_soon_threadsafe(callback)


def run(coro: Coroutine[Any, Any, T], *, advice: str = "use `async for`, or await the .aio form") -> T:
    """Wait for a coroutine that runs on the bridge's loop.

    When the wait is interrupted, by Ctrl-C for example, the coroutine is cancelled.

    Args:
        coro: The coroutine. Its own deadline limits the wait.
        advice: What to write in coroutines, for the warning that the call stops their event loop.

    Raises:
        BlockingCallError: The caller is on the bridge's own thread, which cannot wait for itself.
    """
    check_blocking_allowed(coro)
    try:
        warn_if_in_coroutine(advice)
    except BlockingCallWarning:  # a filter makes it an error
        coro.close()
        raise
    loop = _running().loop
    call = _Call(coro)
    try:
        loop.call_soon_threadsafe(call.start)
        return call.outcome.result()
    except BaseException:  # above all after an interrupt: the call would continue without a caller
        if not call.outcome.done():
            loop.call_soon_threadsafe(call.cancel)
            # Let it clean up before the caller continues, but only for a limited time.
            wait([call.outcome], timeout=_CLEANING_UP)
        raise


class _Call(Generic[T]):
    """A coroutine and a future for its outcome. `asyncio.run_coroutine_threadsafe` starts the coroutine before it returns
    the future that can cancel it, so an interrupt in between would leave it running.
    """

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
        self._coro = coro
        self._task: asyncio.Task[T] | None = None
        self.outcome: Future[T] = Future()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._coro)
        self._task.add_done_callback(self._finish)

    def cancel(self) -> None:
        if self._task is None:
            self._coro.close()
        else:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.outcome.cancel()
            self.outcome.set_running_or_notify_cancel()
        elif error := task.exception():
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


def start(coro: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine on the bridge's loop; cancelling the future cancels it."""
    return asyncio.run_coroutine_threadsafe(coro, _running().loop)


def check_blocking_allowed(coro: Coroutine[Any, Any, Any] | None = None) -> None:
    """Refuse to wait on the bridge's own thread.

    Args:
        coro: The coroutine. It is closed on refusal, so that Python does not report it as never awaited.

    Raises:
        BlockingCallError: The caller is on the bridge's thread.
    """
    if _bridge is not None and threading.current_thread() is _bridge.thread:
        if coro is not None:
            coro.close()
        raise BlockingCallError(
            "a blocking call was made inside a callback of the SDK's own event loop; await its .aio form there"
        )
