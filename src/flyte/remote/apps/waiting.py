"""Waits until an app is up or down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Literal, get_args

from flyte.errors import AppDeletedError, AppFailedError, AppStateError, NotFoundError, RpcError, WaitTimeoutError
from flyte.models import DeploymentStatus, DesiredState
from flyte_api.messages.flyteidl2.app.app_definition import App, Condition
from flyte_api.messages.flyteidl2.app.app_payload import WatchResponse
from flyte_rpc.arguments import seconds
from flyte_rpc.calls.retry import BROKEN_STREAM
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.entities.idle import with_silences
from flyte_rpc.entities.watch import Watch

from . import status

WaitFor = Literal["activated", "deactivated"]

SILENCE = 10.0
"""Seconds without an event after which the app is fetched: events during a lost connection may never arrive."""


def check_wait(wait_for: str, timeout: float | timedelta | None) -> None:
    """Check the arguments of a wait.

    Raises:
        ValueError: An argument is invalid.
    """
    if wait_for not in get_args(WaitFor):
        raise ValueError(f"wait_for must be one of {', '.join(map(repr, get_args(WaitFor)))}, not {wait_for!r}")
    if timeout is not None:
        seconds("timeout", timeout)


@asynccontextmanager
async def time_limit(
    timeout: float | timedelta | None, waited_for: str, last_state: Callable[[], str]
) -> AsyncGenerator[None]:
    """Limit the time of an `async with` block.

    Raises:
        WaitTimeoutError: The time has passed.
    """
    clock = asyncio.get_running_loop().time
    start, limit = clock(), asyncio.timeout(None if timeout is None else seconds("timeout", timeout))
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired() or isinstance(error, RpcError):
            raise
        raise WaitTimeoutError(waited_for, elapsed=clock() - start, last_phase=last_state()) from None


async def states_until(
    label: str,
    wait_for: WaitFor,
    fetch: Callable[[], Awaitable[App]],
    events: Watch[WatchResponse],
    before: Condition | None,
    silence: float = SILENCE,
) -> AsyncGenerator[App]:
    """Yield the states of an app until it reaches the requested state.

    Args:
        label: The name of the app in errors.
        wait_for: The state to wait for.
        fetch: Fetches the app.
        events: The events of the app.
        before: The condition before the change was requested. A failure from before the request does not end the wait.
        silence: Seconds without an event after which the app is fetched.

    Raises:
        AppStateError: The app failed, was deleted, or was deactivated by another user.
    """
    goal: _Goal | None = None
    async with aclosing(states(label, fetch, events, f" while waiting for it to be {wait_for}", silence)) as found:
        async for app in found:
            if goal is None:
                if wait_for == "deactivated" and before is None:
                    before = status.condition(app)  # an app that has failed can still be deactivated
                goal = _Goal(label, wait_for, before)
            yield app
            if goal.is_reached(app):
                return


async def states(
    label: str,
    fetch: Callable[[], Awaitable[App]],
    events: Watch[WatchResponse],
    meanwhile: str = "",
    silence: float = SILENCE,
) -> AsyncGenerator[App]:
    """Yield the current state of an app, then each change.

    Args:
        label: The name of the app in errors.
        fetch: Fetches the app.
        events: The events of the app.
        meanwhile: Words for the error of a deleted app.
        silence: Seconds without an event after which the app is fetched.

    Raises:
        AppDeletedError: The app was deleted.
    """
    deleted = AppDeletedError(f"{label} was deleted{meanwhile}. Create it again.")
    # Fetch first: the app may be deleted, which a watch does not report, or in the state that a caller waits for.
    last = await fetch()
    yield last
    async with (
        aclosing(aiter(events)) as source,
        aclosing(with_silences(source, silence)) as found,
    ):
        async for event in found:
            update: App | None
            if event is None:
                try:
                    update = await fetch()
                except NotFoundError:
                    raise deleted from None
                except BROKEN_STREAM:
                    continue  # the watch fails as well, and decides how often to reconnect
            else:
                kind, value = which_one_of(event, "event")
                if kind == "delete_event":
                    raise deleted
                update = getattr(value, "updated_app" if kind == "update_event" else "app", None)
            if update is not None and update != last:
                last = update
                yield update


class _Goal:
    def __init__(self, label: str, wait_for: WaitFor, before: Condition | None) -> None:
        self.before = before
        self._label = label
        self._wait_for = wait_for
        self._was_requested = False
        """Whether the app was requested to be up at some time during the wait."""

    def is_reached(self, app: App) -> bool:
        """Whether the app has reached the requested state.

        Raises:
            AppStateError: The app cannot reach that state.
        """
        if self._wait_for == "deactivated" and status.is_deactivated(app):
            return True
        if self._wait_for == "activated" and status.is_active(app):
            return True
        latest = status.condition(app)
        if latest != self.before:
            self.before = None
        if status.deployment_status(app) is DeploymentStatus.FAILED and self.before is None:
            why = "" if latest is None else latest.message.strip().rstrip(".")
            raise AppFailedError(
                f"{self._label} failed while waiting for it to be {self._wait_for}{f': {why}' if why else ''}. "
                "Its logs may say more: app.show_logs()"
            )
        stop_requested = status.desired_state(app) is DesiredState.STOPPED
        if self._wait_for == "activated" and self._was_requested and stop_requested and status.is_deactivated(app):
            raise AppStateError(f"{self._label} was deactivated by another user while waiting for activation")
        self._was_requested = self._was_requested or not stop_requested
        return False
