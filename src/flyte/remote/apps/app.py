"""Apps."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, ClassVar, Self

from flyte._client import resolve_client
from flyte.errors import AbortedError, AlreadyExistsError, FlyteError, NotFoundError
from flyte.models import DeploymentStatus, DesiredState, UnknownPhase
from flyte.remote._common import ProjectScoped, console_url
from flyte_api.entities.app import AppBase
from flyte_api.messages.flyteidl2.app.app_definition import App as AppMessage
from flyte_api.messages.flyteidl2.app.app_definition import Condition, Identifier, Meta, Spec, SpecDesiredState
from flyte_rpc.arguments import texts
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.stream import Stream
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from . import status
from .messages import (
    ACTIVATED,
    DEACTIVATED,
    SERVED,
    checked_reason,
    checked_spec,
    located,
    named,
    successor,
    with_desired_state,
)
from .waiting import WaitFor, check_wait, states_until, time_limit

if TYPE_CHECKING:
    from .logs import LogLine

_log = logging.getLogger("flyte.remote")


class App(AppBase, ProjectScoped):
    """An app: a long-running program that answers requests, such as a model or a dashboard."""

    _REPR: ClassVar[tuple[str, ...]] = (
        *("name", "revision", "endpoint", "deployment_status!s", "desired_state!s"),
        *("project", "domain", "labels"),
    )

    @property
    def url(self) -> str:
        """The app's page in the web console. Its own address is `endpoint`."""
        return console_url(self.client, self.domain, self.project, "apps", self.name)

    @property
    def condition(self) -> Condition | None:
        """The latest condition, with its message and time; None before the first."""
        return status.condition(self.pb2)

    @property
    def deployment_status(self) -> DeploymentStatus | UnknownPhase:
        """The state of the deployment when this was read; `unspecified` if none is set, or such as `unknown(42)`."""
        return status.deployment_status(self.pb2)

    @property
    def desired_state(self) -> DesiredState | UnknownPhase:
        """The requested state when this was read, or `unspecified`."""
        return status.desired_state(self.pb2)

    def is_active(self) -> bool:
        """Whether the app was up when this was read."""
        return status.is_active(self.pb2)

    def is_deactivated(self) -> bool:
        """Whether the app was down when this was read: stopped, or on no cluster."""
        return status.is_deactivated(self.pb2)

    @fetching
    @classmethod
    async def create(
        cls,
        app: AppMessage,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Create an app, or replace an existing app of that name. Existing labels stay if `app` has none.

        Args:
            app: The app, with a name and a container or pod. Missing parts of its identifier are filled in.
            project, domain: Ids. Default: the app's own, else the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The app as stored by the server.

        Raises:
            TypeError, ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `AppService.Create`, and `Get` and `Update` for an existing app.
        """
        caller = resolve_client(client)
        message = located("app", app, caller, project, domain)
        try:
            return await cls._create.aio(message, client=caller)
        except (AlreadyExistsError, AbortedError) as taken:
            try:
                before = await cls.get.aio(**named(message), client=caller)
            except NotFoundError:
                raise taken from None
        metadata = message.metadata or Meta()
        return await before._succeed(message.spec or Spec(), SERVED, metadata.labels or None, metadata)

    @fetching
    @classmethod
    async def replace(
        cls,
        name: str,
        updated_app_spec: Spec,
        reason: str,
        labels: Mapping[str, str] | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Replace the definition of an app. Sends nothing if the definition does not change.

        If the definition has no `ingress`, the app keeps its address.

        Args:
            name: The app.
            updated_app_spec: Its new definition.
            reason: Reason for the app's history, at most 100 characters.
            labels: New labels, which replace all existing ones; {} for none. Default: the existing labels.
            project, domain: Ids. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The updated app.

        Raises:
            TypeError, ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The app does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `AppService.Get` and `Update`.
        """
        spec = checked_spec("updated_app_spec", updated_app_spec)
        checked_reason(reason)
        new_labels = None if labels is None else texts("labels", labels)
        before = await cls.get.aio(name, project=project, domain=domain, client=client)
        return await before._succeed(spec, reason, new_labels)

    async def _succeed(
        self, spec: Spec, reason: str, labels: Mapping[str, str] | None, source: Meta | None = None
    ) -> Self:
        """Update the definition; return this app if it does not change."""
        message = successor(self.pb2, spec, labels, source)
        if message is None:
            _log.info("%s is unchanged, so it is not updated", self._label())
            return self
        return await type(self)._update.aio(message, reason, client=self.client)

    @fetching
    @classmethod
    async def update(
        cls,
        updated_app_proto: AppMessage,
        reason: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Replace the whole app message. Use `replace` to change only the definition.

        Args:
            updated_app_proto: The new app. Missing parts of its identifier are filled in.
            reason: Reason for the app's history, at most 100 characters.
            project, domain: Ids. Default: the app's own, else the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The updated app.

        Raises:
            TypeError, ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The app does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `AppService.Update`.
        """
        caller = resolve_client(client)
        message = located("updated_app_proto", updated_app_proto, caller, project, domain)
        return await cls._update.aio(message, checked_reason(reason), client=caller)

    @blocking
    async def sync(self) -> Self:
        """Fetch the app again with `AppService.Get`, and return it.

        Raises:
            NotFoundError: The app no longer exists.
            RpcError: The call failed; the subclass says how.
        """
        await self._fetch()
        return self

    @blocking
    async def watch(self, wait_for: WaitFor = "activated", timeout: float | None = None) -> Self:
        """Wait until the app is up, or until it is down, without changing it. To change it, use `activate` or `deactivate`.

        The wait reconnects when the connection breaks.

        Args:
            wait_for: "activated" or "deactivated". Default: "activated".
            timeout: Maximum seconds to wait. Default: no limit.

        Returns:
            This app, updated.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            AppFailedError: The deployment failed.
            AppDeletedError: The app was deleted.
            AppStateError: Another user deactivated the app while waiting for activation.
            NotFoundError: The app does not exist.
            WaitTimeoutError: `timeout` has passed. The app is unchanged.
            RpcError: The call failed; the subclass says how.

        Calls `AppService.Get` and `Watch`.
        """
        check_wait(wait_for, timeout)
        await self._wait(wait_for, timeout)
        return self

    @blocking
    async def activate(self, wait: bool = False, timeout: float | None = None) -> Self:
        """Start the app. Nothing is sent if it is up and stays so.

        Args:
            wait: Wait until the app is up. Default: False.
            timeout: Maximum seconds to wait. Default: no limit.

        Returns:
            This app.

        Raises:
            ValueError: `timeout` is unusable; nothing was sent.
            NotFoundError: The app does not exist.
            WaitTimeoutError: `timeout` has passed. The app may come up later.
            RpcError: The call failed. Waiting raises the errors of `watch` as well.

        Calls `AppService.Get` and `Update`, and `Watch` when it waits.
        """
        return await self._change_state("activated", wait, timeout)

    @blocking
    async def deactivate(self, wait: bool = False, timeout: float | None = None) -> Self:
        """Stop the app. Nothing is sent if it is down and stays so.

        Args:
            wait: Wait until the app is down. Default: False.
            timeout: Maximum seconds to wait. Default: no limit.

        Returns:
            This app. Errors and calls are those of `activate`.
        """
        return await self._change_state("deactivated", wait, timeout)

    async def _change_state(self, wanted: WaitFor, wait: bool, timeout: float | None) -> Self:
        check_wait(wanted, timeout)
        # Sending an older message would revert changes of other users.
        await self._fetch()
        before = self.condition
        if wanted == "activated":
            unchanged, state, reason = status.stays_up(self.pb2), SpecDesiredState.ACTIVE, ACTIVATED
        else:
            unchanged, state, reason = status.stays_down(self.pb2), SpecDesiredState.STOPPED, DEACTIVATED
        if not unchanged:
            message = with_desired_state(self.pb2, state)
            self.pb2 = (await type(self)._update.aio(message, reason, client=self.client)).pb2
            if wait:
                await self._wait(wanted, timeout, before)
        return self

    async def _wait(self, wait_for: WaitFor, timeout: float | None, before: Condition | None = None) -> None:
        states = states_until(self._label(), wait_for, self._fetch, self._watch(), before)
        async with (
            time_limit(timeout, f"{self._label()} to be {wait_for}", lambda: str(self.deployment_status)),
            aclosing(states),
        ):
            async for message in states:
                self.pb2 = message

    async def _fetch(self) -> AppMessage:
        message: AppMessage = (await type(self).get.aio(self.name, **self._scope, client=self.client)).pb2
        self.pb2 = message
        return message

    @asynccontextmanager
    async def ephemeral_ctx(self, timeout: float | None = None) -> AsyncGenerator[Self]:
        """Start the app for an `async with` block, and stop it afterwards, even after an error.

        Args:
            timeout: Maximum seconds to wait until the app is up, and again until it is down. Default: no limit.

        Yields:
            This app, once it is up. Errors and calls are those of `activate` and `deactivate`.
        """
        check_wait("activated", timeout)
        try:
            await self.activate.aio(wait=True, timeout=timeout)
            yield self
        except BaseException as cause:
            await self._deactivate_after.aio(cause, timeout)
            raise
        await self.deactivate.aio(wait=True, timeout=timeout)

    @contextmanager
    def ephemeral_ctx_sync(self, timeout: float | None = None) -> Generator[Self]:
        """Start the app for a `with` block, and stop it afterwards. See `ephemeral_ctx`."""
        check_wait("activated", timeout)
        try:
            self.activate(wait=True, timeout=timeout)
            yield self
        except BaseException as cause:
            self._deactivate_after(cause, timeout)
            raise
        self.deactivate(wait=True, timeout=timeout)

    @blocking
    async def _deactivate_after(self, cause: BaseException, timeout: float | None) -> None:
        """Deactivate the app after an error. The original error is raised."""
        try:
            # Do not wait after an interrupt or a cancellation.
            await self.deactivate.aio(wait=isinstance(cause, Exception), timeout=timeout)
        except NotFoundError:
            pass  # the app no longer exists
        except FlyteError as failure:
            cause.add_note(f"{self._label()} may still be up, as it could not be deactivated: {failure}")

    @streaming
    def get_logs(
        self, replica_name: str | None = None, *, filter_system: bool = False, follow: bool = True
    ) -> Stream[LogLine]:
        """Stream the log lines of all replicas of the app: the existing lines first, then new ones.

        The stream reconnects when the connection breaks, and drops lines that it has delivered before; it recognises
        them by their timestamp. It ends when the app is down or has no replicas left.

        Args:
            replica_name: Only lines of this replica. Default: all.
            filter_system: Omit lines of the platform. Default: False.
            follow: Wait for new lines after the existing ones. Default: True.

        Returns:
            A stream of lines for `for` or `async for`. `str(line)` is the text without a line break.

        Raises:
            ValueError: `replica_name` is empty.
            NotFoundError: The app does not exist.
            LogsNotYetAvailableError: The app has no replicas.
            RpcError: The call failed; the subclass says how.

        Calls `AppLogsService.TailLogs` and `AppService.Get`.
        """
        from .logs import AppSource, follow_logs

        identifier = (self.pb2.metadata or Meta()).id or Identifier()
        source = AppSource(self.client, identifier, self._fetch)
        return follow_logs(source, replica_name, filter_system=filter_system, follow=follow)

    @blocking
    async def show_logs(
        self,
        max_lines: int | None = None,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
        replica_name: str | None = None,
    ) -> None:
        """Print the log lines of the app as they arrive, until the app is down. Errors are those of `get_logs`.

        Args:
            max_lines: Stop after this many lines. Default: no limit.
            show_ts: Begin each line with its time in UTC. Default: False.
            raw: Print lines without the name of the replica in front. Default: False.
            filter_system: Omit lines of the platform. Default: False.
            replica_name: Only lines of this replica. Default: all.
        """
        from .logs import show

        await show(self.get_logs(replica_name, filter_system=filter_system), max_lines, show_ts=show_ts, raw=raw)
