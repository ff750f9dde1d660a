"""A control plane on the current event loop: creates, starts and stops its parts in order."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Self

from flyte_rpc.serving.server import RunningServer, ServerCall, Status, abort, serve

from . import local_user
from .administration.auth_metadata import OPEN, WELL_KNOWN, AuthMetadataService
from .administration.settings import SettingsService
from .bus import Bus
from .caching.catalog import Catalog
from .caching.service import CacheService
from .clock import Clock, to_micros
from .data.blobs import Blobs
from .data.links import Links
from .data.logs import LogBook
from .executor.executor import Executor
from .home import DevboxError, Home
from .runs.recording import Recorder
from .secrets import vault
from .secrets.service import SecretService
from .services import project
from .services.actions import ActionsService
from .services.cluster import ClusterService
from .services.data_proxy import DataProxyService
from .services.identity import IdentityService
from .services.internal_run import EventsProxyService, InternalRunService
from .services.run import RunService
from .services.task import TaskService
from .services.trigger import TriggerService
from .shared_state import SharedState
from .store.database import StoreError
from .store.store import Store
from .translator.service import TranslatorService
from .triggers.scheduler import MAX_MISSED, Scheduler, TooManyRunsError

_HOST = "127.0.0.1"
_HOSTS = (_HOST, "localhost")
"""The names that requests may be for. Pages of other sites reach the port under other names."""


class ControlPlane:
    """All services, the executor and their state."""

    def __init__(self, home: Home, token: str, *, parallel: int, grace: float, trust_user: bool = False) -> None:
        """Open the state. Nothing runs or listens before `start`.

        Raises:
            DevboxError: The state cannot be read.
        """
        self._token = token
        self._trust_user = trust_user
        changes = Bus()
        try:
            self._store = Store(home.database, changes)
        except StoreError as error:
            raise DevboxError(str(error)) from error
        blobs = Blobs(home.blobs)
        self._state = SharedState(
            store=self._store,
            changes=changes,
            clock=Clock(self._store.clock.get(), self._store.clock.set),
            blobs=blobs,
            logs=LogBook(home.logs, changes),
            vault=vault.open_vault(self._store.database, None if home.database is None else home.secrets_key),
            catalog=Catalog(self._store.database),
            scratch=home.scratch,
        )
        self._links = Links(blobs)
        self._executor = Executor(self._state, parallel=parallel, grace=grace)
        self._recorder = Recorder(self._store, self._executor)
        self._scheduler = Scheduler(self._state, self._recorder)
        self._server: RunningServer | None = None

    @property
    def endpoint(self) -> str:
        """The address it listens on; empty before `start`."""
        return "" if self._server is None else self._server.endpoint

    async def start(self, port: int) -> Self:
        """Listen, and resume the actions that an earlier devbox left.

        Raises:
            DevboxError: The port is taken.
        """
        project.seed(self._store)
        recorder = self._recorder
        actions = ActionsService(self._state, self._executor, recorder)
        auth_metadata = AuthMetadataService(lambda: self.endpoint)
        services = (
            project.ProjectService(self._store),
            TaskService(self._state),
            RunService(self._state, self._executor, recorder, actions),
            actions,
            InternalRunService(self._store, recorder),
            EventsProxyService(self._store),
            DataProxyService(self._state, self._links),
            TriggerService(self._state),
            ClusterService(lambda: self.endpoint),
            IdentityService(),
            auth_metadata,
            SecretService(self._state.vault),
            SettingsService(self._store.database),
            TranslatorService(self._state),
            CacheService(self._state.catalog),
        )
        try:
            await self._links.start()
            self._server = await serve(
                services,
                host=_HOST,
                port=port,
                authenticate=self._authenticate,
                hosts=_HOSTS,
                pages={WELL_KNOWN: auth_metadata.document},
            )
        except OSError as error:
            await self.stop()
            raise DevboxError(f"the devbox cannot listen on {_HOST}:{port}: {error.strerror}") from error
        # Requests are handled only after this coroutine yields to the loop, so nothing is queued too early.
        address = {"_U_EP_OVERRIDE": self.endpoint, "_U_INSECURE": "true"}
        self._executor.begin({"FLYTE_ENDPOINT": self.endpoint, "FLYTE_TOKEN": self._token, **address})
        self._scheduler.begin()
        return self

    @property
    def clock(self) -> Clock:
        """The clock of triggers."""
        return self._state.clock

    async def advance(self, delta: timedelta) -> int:
        """Move the clock of triggers forward. Return the number of runs that it starts.

        Raises:
            DevboxError: Too many runs would become due.
        """
        try:
            return await self._scheduler.advance(to_micros(delta))
        except TooManyRunsError:
            raise DevboxError(
                f"advancing the clock by {delta} would start more than {MAX_MISSED} runs; advance it in smaller steps, or "
                "deactivate triggers that fire often"
            ) from None

    async def wait_until_idle(self) -> None:
        """Start the runs that are due, and wait until no action is queued or running."""
        await self._scheduler.start_due()
        while self._executor.active:
            await self._executor.drain()
            await self._scheduler.start_due()

    async def active_actions(self) -> list[str]:
        """Return the actions that are queued or running, as text."""
        return sorted(map(str, self._executor.active))

    async def stop(self) -> None:
        """End the scheduler and running tasks, then the streams, then close the state."""
        await self._scheduler.close()
        await self._executor.close()
        if self._server is not None:
            await self._server.close()
        await self._links.close()
        self._state.vault.close()
        self._store.close()

    def _authenticate(self, call: ServerCall) -> None:
        if call.path in OPEN:
            return
        given = call.metadata.get("authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return
        server = self._server
        if given or not self._trust_user or server is None or not local_user.is_own(call.peer, server.port):
            abort(
                Status.UNAUTHENTICATED,
                "missing or wrong bearer token; use the one in the file `token` in the devbox's directory",
            )
