"""What becomes of an app: whether it is up, having it up or down, and waiting for that."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, cast

from flyte.errors import FlyteError, NotFoundError
from flyte.models import DeploymentStatus, DesiredState, UnknownPhase
from flyte.remote._common import Placed
from flyte_api.entities.app import AppBase
from flyte_api.messages.flyteidl2.app.app_definition import Condition, SpecDesiredState
from flyte_rpc.sync.decorators import blocking

from .messages import with_desired_state
from .waiting import WaitFor, check_wait, is_down, settle

if TYPE_CHECKING:
    from .app import App

_ACTIVATED = "User requested to activate app from flyte-sdk"
_DEACTIVATED = "User requested to deactivate app from flyte-sdk"


class HasLifecycle(Placed, AppBase):
    """An app that is up or down. `App` is the one class that derives from it."""

    @property
    def condition(self) -> Condition | None:
        """The latest condition, with its message and when it came about; None before the first."""
        conditions = [] if self.pb2.status is None else self.pb2.status.conditions
        return conditions[-1] if conditions else None

    @property
    def deployment_status(self) -> DeploymentStatus | UnknownPhase:
        """The state when this was read; `unspecified` before the first. One that this release does not know reads
        `unknown(42)`."""
        condition = self.condition
        return DeploymentStatus.from_protobuf(0 if condition is None else int(condition.deployment_status))

    @property
    def desired_state(self) -> DesiredState | UnknownPhase:
        """What was wanted of the app when this was read, or `unspecified`."""
        spec = self.pb2.spec
        return DesiredState.from_protobuf(0 if spec is None else int(spec.desired_state))

    def is_active(self) -> bool:
        """Whether it was up when this was read."""
        return self.deployment_status in (DeploymentStatus.ACTIVE, DeploymentStatus.STARTED)

    def is_deactivated(self) -> bool:
        """Whether it was down when this was read: stopped, or not on any cluster."""
        return self.deployment_status in (DeploymentStatus.STOPPED, DeploymentStatus.UNASSIGNED)

    @blocking
    async def sync(self) -> App:
        """Bring the app up to date.

        Returns:
            This app.

        Raises:
            NotFoundError: There is no such app any more.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Get`.
        """
        self.pb2 = (await type(self).get.aio(self.name, **self.place, client=self.client)).pb2
        return cast("App", self)

    @blocking
    async def watch(self, wait_for: WaitFor = "activated", timeout: float | None = None) -> App:
        """Wait until the app is up, or until it is down. It is asked for nothing: see `activate` and `deactivate`.

        A lost connection is taken up again.

        Args:
            wait_for: "activated" or "deactivated". Default: "activated".
            timeout: Seconds to wait at most. Default: as long as it takes.

        Returns:
            This app, as it is then.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            AppFailedError: It could not be deployed, or broke.
            AppDeletedError: It was deleted.
            AppStateError: Somebody else has deactivated it while it was to become active.
            NotFoundError: There is no such app.
            WaitTimeoutError: `timeout` is over. Nothing is done to the app.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Get` and `Watch`.
        """
        check_wait(wait_for, timeout)
        await settle(cast("App", self), self._label(), self._watch(), wait_for, timeout, None)
        return cast("App", self)

    @blocking
    async def activate(self, wait: bool = False, timeout: float | None = None) -> App:
        """Have the app up. Nothing is sent when it is, and is to stay so.

        Args:
            wait: Whether to wait until it is up. Default: False.
            timeout: Seconds to wait for that at most. Default: as long as it takes.

        Returns:
            This app, as it is then.

        Raises:
            ValueError: `timeout` is not usable; nothing was sent.
            AppFailedError: It could not be deployed, or broke, while this waited; so with the other errors of `watch`.
            NotFoundError: There is no such app.
            WaitTimeoutError: `timeout` is over. The app may come up later.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Get` and `Update`, and `Watch` when it waits.
        """
        return await self._move("activated", wait, timeout)

    @blocking
    async def deactivate(self, wait: bool = False, timeout: float | None = None) -> App:
        """Have the app down. Nothing is sent when it is, and is to stay so.

        Args:
            wait: Whether to wait until it is down. Default: False.
            timeout: Seconds to wait for that at most. Default: as long as it takes.

        Returns:
            This app, as it is then.

        Raises:
            ValueError: `timeout` is not usable; nothing was sent.
            AppStateError: It failed or was deleted while this waited.
            NotFoundError: There is no such app.
            WaitTimeoutError: `timeout` is over. The app may go down later.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Get` and `Update`, and `Watch` when it waits.
        """
        return await self._move("deactivated", wait, timeout)

    async def _move(self, wanted: WaitFor, wait: bool, timeout: float | None) -> App:
        check_wait(wanted, timeout)
        # What others have changed since this was read must not be taken back by sending it.
        await self.sync.aio()
        before = self.condition
        if wanted == "activated":
            settled = self.is_active() and self.desired_state is not DesiredState.STOPPED
            state, reason = SpecDesiredState.ACTIVE, _ACTIVATED
        else:
            settled = is_down(cast("App", self))
            state, reason = SpecDesiredState.STOPPED, _DEACTIVATED
        if not settled:
            message = with_desired_state(self.pb2, state)
            self.pb2 = (await type(self)._update.aio(message, reason, client=self.client)).pb2
            if wait:
                await settle(cast("App", self), self._label(), self._watch(), wanted, timeout, before)
        return cast("App", self)

    @asynccontextmanager
    async def ephemeral_ctx(self, timeout: float | None = None) -> AsyncGenerator[App]:
        """Have the app up inside an `async with` block, and down after it, whatever happens in it.

        Args:
            timeout: Seconds to wait at most until it is up, and again until it is down. Default: as long as it takes.

        Yields:
            This app, once it is up.

        Raises:
            ValueError: `timeout` is not usable; nothing was sent.
            AppStateError: It failed or was deleted while this waited.
            NotFoundError: There is no such app.
            WaitTimeoutError: `timeout` is over. The app was asked to go down all the same.
            RpcError: The call failed; its subclasses say how.

        Calls what `activate` and `deactivate` call.
        """
        check_wait("activated", timeout)
        try:
            await self.activate.aio(wait=True, timeout=timeout)
            yield cast("App", self)
        except BaseException as cause:
            await self._leave.aio(cause, timeout)
            raise
        await self.deactivate.aio(wait=True, timeout=timeout)

    @contextmanager
    def ephemeral_ctx_sync(self, timeout: float | None = None) -> Generator[App]:
        """`ephemeral_ctx` for a `with` block.

        Args:
            timeout: Seconds to wait at most until it is up, and again until it is down. Default: as long as it takes.

        Yields:
            This app, once it is up.

        Raises:
            AppStateError: It failed or was deleted while this waited; the other errors are those of `ephemeral_ctx`.

        Calls what `activate` and `deactivate` call.
        """
        check_wait("activated", timeout)
        try:
            self.activate(wait=True, timeout=timeout)
            yield cast("App", self)
        except BaseException as cause:
            self._leave(cause, timeout)
            raise
        self.deactivate(wait=True, timeout=timeout)

    @blocking
    async def _leave(self, cause: BaseException, timeout: float | None) -> None:
        """Deactivate the app on the way out with an error, which stays the one that is raised."""
        try:
            # An interrupt or a cancellation is not held up by waiting.
            await self.deactivate.aio(wait=isinstance(cause, Exception), timeout=timeout)
        except NotFoundError:
            pass  # nothing of it is left that could be up
        except FlyteError as failure:
            cause.add_note(f"{self._label()} may still be up, as it could not be deactivated: {failure}")
