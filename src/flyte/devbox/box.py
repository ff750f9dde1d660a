"""The handle of a running devbox, which runs on a separate thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from flyte_api.registry import registry
from flyte_rpc.arguments import flag, seconds, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.sync.decorators import blocking

from .clock import to_datetime
from .control_plane import ControlPlane
from .home import DevboxError, Home
from .local_user import can_tell

T = TypeVar("T")

_START_TIMEOUT = 60.0
_STOP_MARGIN = 20.0
_SHOWN = 5
"""Maximum number of actions in an error message."""


class Devbox:
    """A control plane that runs inside this process until it is stopped.

    Create it with `flyte.devbox.start`. In a `with` or `async with` block, it stops at the end of the block.
    """

    def __init__(
        self, home: Home, token: str, *, port: int, parallel: int, grace: float, trust_user: bool = False
    ) -> None:
        self._home = home
        self._token = token
        self._grace = grace
        self._trust_user = trust_user
        self._pid = os.getpid()
        self._clients: list[Client] = []
        self._previous: Client | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._control_plane: ControlPlane | None = None
        ready: Future[str] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready, port, parallel), name="flyte-devbox", daemon=True
        )
        self._thread.start()
        try:
            self._endpoint = ready.result(_START_TIMEOUT)
        except BaseException:  # after an interrupt, too, the thread must end before the directory is released
            self._thread.join(_STOP_MARGIN)
            raise
        home.announce(self._endpoint)
        # Tasks must not outlive a script that exits without stopping its devbox.
        atexit.register(self.stop)

    @property
    def endpoint(self) -> str:
        """The address it listens on, `http://127.0.0.1:<port>`."""
        return self._endpoint

    @property
    def token(self) -> str:
        """The bearer token that every call needs."""
        return self._token

    @property
    def dir(self) -> Path:
        """The data directory. A temporary one is removed when the devbox stops."""
        return self._home.path

    @property
    def token_file(self) -> Path:
        """The file with the token, readable by its owner only."""
        return self._home.token_file

    def connect(self, project: str = "flytesnacks", domain: str = "development") -> Client:
        """Create a client of this devbox, and make it the default client until the devbox stops.

        Args:
            project: Default project of calls. Default: the project that every devbox has.
            domain: Default domain of calls.

        Raises:
            DevboxError: The devbox was stopped.
        """
        if self._stopped:
            raise DevboxError("this devbox was stopped; start another one")
        client = Client(self._endpoint, token=self._token, project=project, domain=domain)
        if not self._clients:
            self._previous = registry.default
        self._clients.append(client)
        registry.set_default(client)
        return client

    @property
    def now(self) -> datetime:
        """The time on the clock of triggers, in UTC: the time of this machine, plus what `advance` has added."""
        return to_datetime(self._running().clock.now())

    @blocking
    async def advance(self, delta: timedelta) -> int:
        """Move the clock of triggers forward, and start the runs that become due.

        Each scheduled time on the way starts a run, in order. Only triggers follow this clock: running processes, timeouts
        and the times of runs do not. A devbox that is started again on the same directory keeps the advance.

        Args:
            delta: The time to add. Clocks do not go backward.

        Returns:
            The number of runs that were started. Use `wait_until_idle` to wait for them.

        Raises:
            TypeError: `delta` is not a timedelta.
            ValueError: `delta` is negative, or the clock would pass the year 9999.
            DevboxError: More than 100 runs would become due, or the devbox was stopped.
        """
        if not isinstance(delta, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"delta takes a timedelta, not {type(delta).__name__} ({delta!r})")
        if delta < timedelta():
            raise ValueError(f"delta={delta} is negative; the clock can only be moved forward")
        try:
            _ = self.now + delta
        except OverflowError:
            raise ValueError(f"delta={delta} is too large; the clock ends with the year 9999") from None
        return await self._call(lambda plane: plane.advance(delta))

    @blocking
    async def wait_until_idle(self, timeout: float | timedelta | None = None) -> None:
        """Wait until no action is queued or running, and no trigger is due.

        Actions that wait for a signal count as running. Actions that other programs only record do not.

        Args:
            timeout: Maximum seconds to wait, or a timedelta. Default: no limit.

        Raises:
            ValueError: `timeout` is not positive.
            TimeoutError: Actions are still queued or running.
            DevboxError: The devbox was stopped.
        """
        limit = None if timeout is None else seconds("timeout", timeout)
        try:
            async with asyncio.timeout(limit):
                await self._call(ControlPlane.wait_until_idle)
            self._running()
        except TimeoutError:
            active = await self._call(ControlPlane.active_actions)
            shown = ", ".join(active[:_SHOWN]) + (", ..." if len(active) > _SHOWN else "")
            raise TimeoutError(f"after {limit:g} s, {len(active)} actions are queued or running: {shown}") from None

    def stop(self) -> None:
        """End running tasks, close connections, and restore the previous default client. Idempotent.

        Running actions become ABORTED. Runs that are still queued wait for the next devbox on the same directory.
        """
        # A forked child has this object, but neither its thread nor its tasks.
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._clients and registry.default in self._clients:
                registry.set_default(self._previous)
            for client in self._clients:
                client.close()
            if self._loop is not None and self._ending is not None:
                self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(self._grace + _STOP_MARGIN)
            self._home.release()
            atexit.unregister(self.stop)
            if self._thread.is_alive():
                raise DevboxError("the devbox did not stop in time; some of its tasks may still be running")

    close = stop

    async def aclose(self) -> None:
        """Like `stop`, without blocking the event loop."""
        await asyncio.to_thread(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else f"at {self._endpoint}"
        return f"<Devbox {state} in {self._home.path}>"

    def _running(self) -> ControlPlane:
        if self._stopped or self._control_plane is None:
            raise DevboxError("this devbox was stopped; start another one")
        return self._control_plane

    async def _call(self, function: Callable[[ControlPlane], Coroutine[Any, Any, T]]) -> T:
        """Call the control plane on its event loop."""
        plane, loop = self._running(), self._loop
        assert loop is not None
        future = asyncio.run_coroutine_threadsafe(function(plane), loop)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._stopped:
                raise DevboxError("the devbox was stopped in the meantime") from None
            raise

    def _run(self, ready: Future[str], port: int, parallel: int) -> None:
        try:
            asyncio.run(self._serve(ready, port, parallel))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, ready: Future[str], port: int, parallel: int) -> None:
        # The database belongs to the thread that opens it, so everything is created here.
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        control_plane = ControlPlane(
            self._home, self._token, parallel=parallel, grace=self._grace, trust_user=self._trust_user
        )
        await control_plane.start(port)
        self._control_plane = control_plane
        ready.set_result(control_plane.endpoint)
        try:
            await self._ending.wait()
        finally:
            await control_plane.stop()


def start(
    *,
    dir: str | os.PathLike[str] | None = None,
    port: int = 0,
    memory: bool = False,
    token: str | None = None,
    parallel: int | None = None,
    grace: float = 5.0,
    trust_user: bool = False,
) -> Devbox:
    """Start a control plane on this machine. It listens only on loopback, and executes tasks as processes.

    Args:
        dir: Data directory. A devbox started there again finds its projects, tasks, runs and logs. Default: a temporary
            directory, removed when the devbox stops.
        port: TCP port. Default: a free one; see `Devbox.endpoint`.
        memory: Keep the database in memory. Files and logs are still on disk.
        token: Bearer token that every call needs. Default: the token of the last devbox in `dir`, else a random one.
        parallel: Maximum number of concurrent actions, not counting actions that wait for their children. Default: one
            per processor, at least 4.
        grace: Seconds between SIGTERM and SIGKILL for a task.
        trust_user: Accept calls without credentials from processes of the user who starts the devbox, for programs that cannot
            send a token over plain HTTP, such as those of the official SDK. Linux only. Default: every call needs the token.

    Returns:
        The running devbox. Stop it, or use it in a `with` or `async with` block.

    Raises:
        DevboxError: The directory is in use or cannot be written, or the port is taken.
        ValueError: A number is out of range.
    """
    if os.name != "posix":
        raise DevboxError(
            f"the devbox needs POSIX process groups, which {sys.platform} does not have; use Linux, macOS or WSL"
        )
    parallel = max(4, os.cpu_count() or 1) if parallel is None else parallel
    if parallel < 1:
        raise ValueError(f"parallel={parallel} is too small; it must be at least 1")
    if dir is not None and not str(dir):
        raise ValueError("dir must not be empty; omit it for a temporary directory")
    flag("memory", memory)
    flag("trust_user", trust_user)
    whole("port", port, 0)
    if port >= 1 << 16:
        raise ValueError(f"port={port} is not a valid TCP port")
    if grace < 0:
        raise ValueError(f"grace={grace} must not be negative")
    if trust_user and not can_tell():
        raise DevboxError(
            f"trust_user needs to know the users of connections, which {sys.platform} does not tell; use the token"
        )
    home = Home(dir, memory=memory)
    try:
        return Devbox(home, home.token(token), port=port, parallel=parallel, grace=grace, trust_user=trust_user)
    except BaseException:  # on any failure, release the directory for the next devbox
        home.release()
        raise
