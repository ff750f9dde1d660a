"""Waiting until an app is up, or until it is down."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, get_args

from flyte.errors import (
    AppDeletedError,
    AppFailedError,
    AppStateError,
    DeadlineExceededError,
    NotFoundError,
    RpcError,
    UnavailableError,
    WaitTimeoutError,
)
from flyte.models import DeploymentStatus, DesiredState
from flyte.remote._log_replay import with_silences
from flyte_rpc.arguments import seconds
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.entities.watch import Watch

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.app.app_definition import Condition
    from flyte_api.messages.flyteidl2.app.app_payload import WatchResponse

    from .app import App

WaitFor = Literal["activated", "deactivated"]

_SILENCE = 10.0
"""Seconds without an event after which the app is fetched: what happened while a watch was cut may never be told."""


def check_wait(wait_for: str, timeout: float | None) -> None:
    """Raise what is wrong with the arguments of a wait."""
    if wait_for not in get_args(WaitFor):
        raise ValueError(f"wait_for is one of {', '.join(map(repr, get_args(WaitFor)))}, not {wait_for!r}")
    if timeout is not None:
        seconds("timeout", timeout)


def is_down(app: App) -> bool:
    """Whether the app is down and is to stay so."""
    return app.is_deactivated() and app.desired_state not in (DesiredState.ACTIVE, DesiredState.STARTED)


async def settle(
    app: App, what: str, events: Watch[WatchResponse], wait_for: WaitFor, timeout: float | None, known: Condition | None
) -> None:
    """Bring the app up to date until it is where it is wanted.

    Args:
        app: The app.
        what: What errors call it.
        events: What happens to it.
        wait_for: Where it is wanted.
        timeout: Seconds to wait at most; None for as long as it takes.
        known: The condition that it was in before somebody asked for a change: a failure of old is not the end of it.
    """
    clock = asyncio.get_running_loop().time
    begun = clock()
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            await _Wait(app, what, wait_for, known).follow(events)
    except TimeoutError as error:
        if not limit.expired() or isinstance(error, RpcError):
            raise
        seen = str(app.deployment_status)
        raise WaitTimeoutError(f"{what} to be {wait_for}", elapsed=clock() - begun, last_phase=seen) from None


class _Wait:
    def __init__(self, app: App, what: str, wait_for: WaitFor, known: Condition | None) -> None:
        self.app = app
        self.what = what
        self.wait_for = wait_for
        self.known = known
        self.wanted = False  # whether somebody was seen to want the app up

    async def follow(self, events: Watch[WatchResponse]) -> None:
        # First: it may be there already, and it may be gone, which a watch would not tell.
        await self.app.sync.aio()
        if self.wait_for == "deactivated" and self.known is None:
            self.known = self.app.condition  # one may well wait for the end of an app that has failed
        if self.reached():
            return
        async with (
            aclosing(aiter(events)) as source,
            aclosing(with_silences(source, _SILENCE)) as found,
        ):
            async for event in found:
                await (self.look() if event is None else self.learn(event))
                if self.reached():
                    return

    async def look(self) -> None:
        """Fetch the app."""
        try:
            await self.app.sync.aio()
        except NotFoundError:
            raise self.deleted() from None
        except (UnavailableError, DeadlineExceededError):
            return  # the watch notices it too, and knows for how long to try again

    async def learn(self, event: WatchResponse) -> None:
        """Take over what an event says."""
        kind, value = which_one_of(event, "event")
        if kind == "delete_event":
            raise self.deleted()
        message = getattr(value, "updated_app" if kind == "update_event" else "app", None)
        if message is not None:
            self.app.pb2 = message

    def deleted(self) -> AppDeletedError:
        return AppDeletedError(
            f"{self.what} was deleted while it was waited for to be {self.wait_for}; create it again to have it"
        )

    def reached(self) -> bool:
        """Whether the app is where it is wanted.

        Raises:
            AppStateError: It will not come there.
        """
        app = self.app
        if self.wait_for == "deactivated" and app.is_deactivated():
            return True
        if self.wait_for == "activated" and app.is_active():
            return True
        if app.condition != self.known:
            self.known = None
        if app.deployment_status is DeploymentStatus.FAILED and self.known is None:
            why = "" if app.condition is None else app.condition.message.strip().rstrip(".")
            raise AppFailedError(
                f"{self.what} has failed while it was waited for to be {self.wait_for}"
                f"{f': {why}' if why else ''}. Its logs may tell more: app.show_logs()"
            )
        stopped = app.is_deactivated() and app.desired_state is DesiredState.STOPPED
        if self.wait_for == "activated" and stopped and self.wanted:
            raise AppStateError(f"{self.what} was deactivated by somebody else while it was waited for to be activated")
        self.wanted = self.wanted or app.desired_state is not DesiredState.STOPPED
        return False
