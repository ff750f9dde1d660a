"""Handles to deployed tasks, which fetch the definition on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte.errors import DeadlineExceededError, RemoteTaskUsageError
from flyte.remote._common import ProjectScope
from flyte_api.entities.task import TaskBase
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import before_deadline, is_bounded, within_timeout
from flyte_rpc.sync import bridge
from flyte_rpc.sync.decorators import blocking

from .calling import require_context
from .details import TaskDetails
from .lookup import AutoVersion, task_not_found

if TYPE_CHECKING:
    from typing import Unpack

    from .override import Overrides


class _Place(ProjectScope):
    client: Client | None


class LazyEntity:
    """A handle to a deployed task that fetches the definition on demand.

    Two handles are equal if they have the same name, version arguments and overrides.

    Threads and coroutines share one fetch; a failed fetch is repeated by the next use. Pickling keeps the
    name, version and definition, not the client.
    """

    def __init__(
        self,
        name: str,
        project: str | None,
        domain: str | None,
        version: str | None,
        auto_version: AutoVersion | None,
        client: Client | None = None,
    ) -> None:
        """Use `Task.get` instead."""
        self._name, self._project, self._domain = name, project, domain
        self._version = version
        self._auto_version: AutoVersion | None = auto_version
        self._client = client
        self._forget()

    def _forget(self) -> None:
        self._details: TaskDetails | None = None
        # Callers may be on different threads and event loops, so they wait for a concurrent Future.
        self._lock = threading.Lock()
        self._pending: Future[TaskDetails] | None = None

    @classmethod
    def _fetched(cls, details: TaskDetails, client: Client | None) -> LazyEntity:
        """Return a handle with a fetched definition."""
        made = cls(details.name, details.project, details.domain, details.version, None, client)
        made._details = details
        return made

    @property
    def _place(self) -> _Place:
        return {"project": self._project, "domain": self._domain, "client": self._client}

    @property
    def name(self) -> str:
        """Full name of the task."""
        return self._name

    @property
    def version(self) -> str | None:
        """The version; with `auto_version`, None until the definition is fetched."""
        return self._version if self._details is None else self._details.version

    @blocking
    @within_timeout
    async def fetch(self, *, timeout: float | timedelta | None = None) -> TaskDetails:
        """Fetch the definition, or return the fetched one.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The definition.

        Raises:
            RemoteTaskNotFoundError: The task or version does not exist.
            ValueError: The version is "current", and this code does not run in a task.
            RpcError: The call failed; the subclass says how.

        Calls `TaskService.GetTaskDetails`; before it `ListVersions` when the version is "latest".
        """
        return await self._fetch()

    async def _fetch(self) -> TaskDetails:
        while True:
            with self._lock:
                if self._details is not None:
                    return self._details
                pending, mine = self._pending, self._pending is None
                if pending is None:
                    pending = self._pending = Future()
                    pending.set_running_or_notify_cancel()  # so that a cancelled waiter can't cancel it
            if mine:
                return await self._load(pending)
            try:
                async with before_deadline(f"another fetch of task {self._name}"):
                    return await asyncio.wrap_future(pending)
            except _Interrupted:
                continue

    async def _load(self, pending: Future[TaskDetails]) -> TaskDetails:
        try:
            version = self._version or await self._resolve_version()
            found = await TaskDetails.fetch.aio(self._name, version, **self._place)
        except BaseException as cause:
            with self._lock:
                self._pending = None
            # If the fetch is cancelled, or its caller gave it less time, its waiters fetch again.
            hasty = isinstance(cause, DeadlineExceededError) and is_bounded()
            pending.set_exception(cause if isinstance(cause, Exception) and not hasty else _Interrupted())
            raise
        with self._lock:
            self._details, self._pending = found, None
        pending.set_result(found)
        return found

    async def _resolve_version(self) -> str:
        if self._auto_version == "current":
            from flyte._context import ctx

            version = ctx().version
            if not version:
                raise ValueError(
                    f"task {self._name} has auto_version='current', the version of the task that this code "
                    "runs in, but this code does not run in a task; pass version= or auto_version='latest'"
                )
            return version
        newest = await TaskBase.versions(self._name, limit=1, **self._place).first.aio()
        if newest is None:
            raise await task_not_found(self._name, None, **self._place)
        return newest.version

    @blocking
    async def override(self, **changes: Unpack[Overrides]) -> LazyEntity:
        """Return a handle with other settings. This handle stays unchanged. Fetches the definition.

        Args:
            changes: See `TaskDetails.override`.

        Raises:
            RemoteTaskUsageError: The setting does not exist.
            RemoteTaskNotFoundError: The task or version does not exist.
            RpcError: The call failed; the subclass says how.

        Calls what `fetch` calls.
        """
        from .override import check_names

        check_names(changes)
        return LazyEntity._fetched((await self._fetch()).override(**changes), self._client)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the task from within another task. See `TaskDetails.__call__`."""
        self._check_names_only(args)
        if self._details is not None:
            return self._details(**kwargs)
        require_context(self._name)
        if bridge.in_event_loop():
            return self._fetch_and_call(kwargs)
        return self.fetch()(**kwargs)

    def aio(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Call the task from within another task: the async form of a call. See `TaskDetails.aio`."""
        self._check_names_only(args)
        if self._details is not None:
            return self._details.aio(**kwargs)
        require_context(self._name)
        return self._fetch_and_call(kwargs)

    def _check_names_only(self, args: tuple[Any, ...]) -> None:
        if args:
            raise RemoteTaskUsageError(
                f"task {self._name} takes its inputs by name only, and {len(args)} came by position; write task(name=value)"
            )

    async def _fetch_and_call(self, kwargs: dict[str, Any]) -> Any:
        return await (await self._fetch()).aio(**kwargs)

    def __copy__(self) -> LazyEntity:
        return self._with_details(self._details)

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyEntity:
        return self._with_details(deepcopy(self._details, memo))

    def _with_details(self, details: TaskDetails | None) -> LazyEntity:
        copied = LazyEntity(self._name, self._project, self._domain, self._version, self._auto_version, self._client)
        copied._details = details
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self._name,
            "project": self._project,
            "domain": self._domain,
            "version": self._version,
            "auto_version": self._auto_version,
            "details": self._details,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        details = state.pop("details")
        self.__init__(**state)  # type: ignore[misc]
        self._details = details

    def _key(self) -> tuple[object, ...]:
        details = self._details
        changed = details.pb2 if details is not None and details.overridden else None
        return self._name, self._project, self._domain, self._version, self._auto_version, changed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LazyEntity):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        version = self._version or self._auto_version
        state = "fetched" if self._details is not None else "not fetched"
        return f"<task {self._name} version {version}, {state}>"


class _Interrupted(Exception):
    """The shared fetch was cancelled."""
