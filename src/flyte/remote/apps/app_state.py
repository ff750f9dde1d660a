"""The state of an app, as properties of its class."""

from __future__ import annotations

from typing import Any

from flyte.models import DeploymentStatus, DesiredState, UnknownPhase
from flyte.remote._callable import CallableFlag
from flyte_api.messages.flyteidl2.app.app_definition import Condition
from flyte_rpc.entities.entity import Entity

from . import status


class AppState(Entity[Any]):
    """The part of an app that tells its state when it was read."""

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

    @property
    def is_active(self) -> CallableFlag:
        """Whether the app was up when this was read. Also a method: `is_active()`."""
        return CallableFlag(status.is_active(self.pb2))

    @property
    def is_deactivated(self) -> CallableFlag:
        """Whether the app was down when this was read: stopped, or on no cluster. Also a method: `is_deactivated()`."""
        return CallableFlag(status.is_deactivated(self.pb2))
