"""The state of an app, read from its message."""

from __future__ import annotations

from flyte.models import DeploymentStatus, DesiredState, UnknownPhase
from flyte_api.messages.flyteidl2.app.app_definition import App, Condition


def condition(app: App) -> Condition | None:
    """The latest condition; None before the first."""
    conditions = [] if app.status is None else app.status.conditions
    return conditions[-1] if conditions else None


def deployment_status(app: App) -> DeploymentStatus | UnknownPhase:
    """The state of the deployment; `unspecified` before the first condition."""
    latest = condition(app)
    return DeploymentStatus.from_protobuf(0 if latest is None else int(latest.deployment_status))


def desired_state(app: App) -> DesiredState | UnknownPhase:
    """The state that was requested, or `unspecified`."""
    return DesiredState.from_protobuf(0 if app.spec is None else int(app.spec.desired_state))


def is_active(app: App) -> bool:
    """Whether the app is up."""
    return deployment_status(app) in (DeploymentStatus.ACTIVE, DeploymentStatus.STARTED)


def is_deactivated(app: App) -> bool:
    """Whether the app is down: stopped, or on no cluster."""
    return deployment_status(app) in (DeploymentStatus.STOPPED, DeploymentStatus.UNASSIGNED)


def stays_up(app: App) -> bool:
    """Whether the app is up and no stop is requested."""
    return is_active(app) and desired_state(app) is not DesiredState.STOPPED


def stays_down(app: App) -> bool:
    """Whether the app is down and no start is requested."""
    return is_deactivated(app) and desired_state(app) not in (DesiredState.ACTIVE, DesiredState.STARTED)
