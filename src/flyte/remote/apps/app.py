"""Apps."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import ClassVar, Self

from flyte._client import resolve_client
from flyte.errors import AbortedError, AlreadyExistsError, FlyteError, NotFoundError
from flyte.remote._common import console_url
from flyte_api.messages.flyteidl2.app.app_definition import App as AppMessage
from flyte_api.messages.flyteidl2.app.app_definition import Condition, Meta, Spec, SpecDesiredState
from flyte_rpc.arguments import seconds, texts
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within, within_timeout
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.time_limit import expiring
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from . import status
from .app_state import AppState
from .definition import AppSpec
from .logged_app import LoggedApp
from .messages import (
    ACTIVATED,
    DEACTIVATED,
    SERVED,
    checked_reason,
    checked_spec,
    described,
    located,
    named,
    successor,
    with_desired_state,
)
from .waiting import SILENCE, WaitFor, check_wait, states, states_until, time_limit

_log = logging.getLogger("flyte.remote")


class App(AppState, LoggedApp):
    """An app: a long-running program that answers requests, such as a model or a dashboard."""

    _REPR: ClassVar[tuple[str, ...]] = (
        *("name", "revision", "endpoint", "deployment_status!s", "desired_state!s"),
        *("project", "domain", "labels"),
    )

    @property
    def url(self) -> str:
        """The app's page in the web console. Its own address is `endpoint`."""
        return console_url(self.client, self.domain, self.project, "apps", self.name)

    @fetching
    @classmethod
    @within_timeout
    async def create(
        cls,
        app: AppMessage | str,
        spec: AppSpec | Spec | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Create an app, or replace an existing app of that name. Existing labels stay if none are given.

        Args:
            app: Name of the app, at most 30 characters. Or a message with a name and a container or pod; missing parts
                of its identifier are filled in.
            spec: What the app runs, with a name. A message is accepted, too.
            labels: Labels, with a name. Default: none.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
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
        message = located("app", described(app, spec, labels), caller, project, domain)
        try:
            return await cls._create.aio(message, client=caller)
        except (AlreadyExistsError, AbortedError) as error:
            taken = error
        try:
            before = await cls.get.aio(**named(message), client=caller)
        except NotFoundError:
            raise taken from None
        metadata = message.metadata or Meta()
        return await before._succeed(message.spec or Spec(), SERVED, metadata.labels or None, metadata)

    @fetching
    @classmethod
    @within_timeout
    async def replace(
        cls,
        name: str,
        updated_app_spec: AppSpec | Spec,
        reason: str,
        labels: Mapping[str, str] | None = None,
        *,
        timeout: float | timedelta | None = None,
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
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
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
    @within_timeout
    async def update(
        cls,
        updated_app_proto: AppMessage,
        reason: str,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Replace the whole app message. Use `replace` to change only the definition.

        Args:
            updated_app_proto: The new app. Missing parts of its identifier are filled in.
            reason: Reason for the app's history, at most 100 characters.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
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
    @within_timeout
    async def sync(self, *, timeout: float | timedelta | None = None) -> Self:
        """Fetch the app again with `AppService.Get`, and return it.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The app no longer exists.
            RpcError: The call failed; the subclass says how.
        """
        await self._fetch()
        return self

    @streaming
    def watch(self, *, timeout: float | timedelta | None = None, wait_for: None = None) -> Stream[Self]:
        """Watch the app: its current state first, then each change. This app is updated as well.

        The watch reconnects when the connection breaks, and ends only with the app. To wait until the app is up, use
        `wait`.

        Args:
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.
            wait_for: Not supported here, but by `wait`.

        Returns:
            A stream of apps for `for` or `async for`.

        Raises:
            TypeError: `wait_for` is set.
            ValueError: `timeout` is invalid; nothing was sent.
            AppDeletedError: The app was deleted.
            NotFoundError: The app does not exist.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `AppService.Get` and `Watch`.
        """
        if wait_for is not None:
            raise TypeError(f"App.watch yields each state of the app; to wait, call app.wait(wait_for={wait_for!r})")
        limit = None if timeout is None else seconds("timeout", timeout)

        async def apps() -> AsyncGenerator[Self]:
            async with aclosing(states(self._label(), self._fetch, self._watch())) as found:
                async for message in found:
                    self.pb2 = message
                    yield type(self)(message, self.client)

        return Stream(expiring(apps, limit, f"the end of {self._label()}"))

    @blocking
    async def wait(self, wait_for: WaitFor = "activated", timeout: float | timedelta | None = None) -> Self:
        """Wait until the app is up, or until it is down, without changing it. To change it, use `activate` or `deactivate`.

        The wait reconnects when the connection breaks.

        Args:
            wait_for: "activated" or "deactivated". Default: "activated".
            timeout: Maximum seconds to wait, or a timedelta. Default: no limit.

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
    async def activate(self, wait: bool = False, timeout: float | timedelta | None = None) -> Self:
        """Start the app. Nothing is sent if it is up and stays so.

        Args:
            wait: Wait until the app is up. Default: False.
            timeout: Maximum seconds for the calls, and again for the wait, or a timedelta. Default: the client's for
                each call, and no limit for the wait.

        Returns:
            This app.

        Raises:
            ValueError: `timeout` is unusable; nothing was sent.
            NotFoundError: The app does not exist.
            WaitTimeoutError: `timeout` has passed. The app may come up later.
            RpcError: The call failed. Waiting raises the errors of `wait` as well.

        Calls `AppService.Get` and `Update`, and `Watch` when it waits.
        """
        return await self._change_state("activated", wait, timeout)

    @blocking
    async def deactivate(self, wait: bool = False, timeout: float | timedelta | None = None) -> Self:
        """Stop the app. Nothing is sent if it is down and stays so.

        Args:
            wait: Wait until the app is down. Default: False.
            timeout: Maximum seconds for the calls, and again for the wait, or a timedelta. Default: the client's for
                each call, and no limit for the wait.

        Returns:
            This app. Errors and calls are those of `activate`.
        """
        return await self._change_state("deactivated", wait, timeout)

    async def _change_state(self, wanted: WaitFor, wait: bool, timeout: float | timedelta | None) -> Self:
        check_wait(wanted, timeout)
        with within(timeout):
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
        if wait and not unchanged:
            await self._wait(wanted, timeout, before)
        return self

    async def _wait(
        self,
        wait_for: WaitFor,
        timeout: float | timedelta | None,
        before: Condition | None = None,
        silence: float = SILENCE,
    ) -> None:
        states = states_until(self._label(), wait_for, self._fetch, self._watch(), before, silence)
        async with (
            time_limit(timeout, f"{self._label()} to be {wait_for}", lambda: str(self.deployment_status)),
            aclosing(states),
        ):
            async for message in states:
                self.pb2 = message

    @asynccontextmanager
    async def ephemeral_ctx(self, timeout: float | timedelta | None = None) -> AsyncGenerator[Self]:
        """Start the app for an `async with` block, and stop it afterwards, even after an error.

        Args:
            timeout: Maximum seconds to wait until the app is up, and again until it is down, or a timedelta. Default:
                no limit.

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
    def ephemeral_ctx_sync(self, timeout: float | timedelta | None = None) -> Generator[Self]:
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
    async def _deactivate_after(self, cause: BaseException, timeout: float | timedelta | None) -> None:
        """Deactivate the app after an error. The original error is raised."""
        try:
            # Do not wait after an interrupt or a cancellation.
            await self.deactivate.aio(wait=isinstance(cause, Exception), timeout=timeout)
        except NotFoundError:
            pass  # the app no longer exists
        except FlyteError as failure:
            cause.add_note(f"{self._label()} may still be up, as it could not be deactivated: {failure}")
