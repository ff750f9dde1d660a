"""The phase of runs and actions, and the newest state that was fetched or watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flyte.models import ActionPhase
from flyte.remote._common import Phase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionDetails, ActionStatus, Run
from flyte_rpc.codec.message import Message
from flyte_rpc.entities.entity import Entity

M = TypeVar("M", bound=Message)

_MAX_MILLISECONDS = timedelta.max // timedelta(milliseconds=1)


class HasPhase(Entity[Any]):
    """Mixin for entities with the status of an action."""

    def _status(self) -> ActionStatus | None:
        status: ActionStatus | None = self.pb2.status
        return status

    @property
    def raw_phase(self) -> int:
        """The number of the phase on the wire; 0 if the server did not send one."""
        status = self._status()
        return 0 if status is None else int(status.phase)

    @property
    def phase(self) -> Phase:
        """The phase when this was read. A phase that this release does not know reads `unknown(42)`."""
        return ActionPhase.from_protobuf(self.raw_phase)

    @property
    def attempts(self) -> int:
        """The number of the latest attempt, from 1; 0 before the first."""
        status = self._status()
        return 0 if status is None else status.attempts

    @property
    def runtime(self) -> timedelta | None:
        """The time from creation to the end, or until now; None if the server did not send the time of creation."""
        status = self._status()
        if status is None or status.start_time is None:
            return None
        end = status.end_time.to_datetime() if status.end_time is not None else None
        if end is None and self.done() and status.duration_ms is not None:
            # A server may send more than a timedelta can hold.
            return timedelta(milliseconds=min(status.duration_ms, _MAX_MILLISECONDS))
        return (end or datetime.now(UTC)) - status.start_time.to_datetime()

    def done(self) -> bool:
        """Whether the phase was terminal when this was read."""
        return self.phase.is_terminal


class HasRootAction(HasPhase):
    """Mixin for entities whose phase is their root action's."""

    def _status(self) -> ActionStatus | None:
        status: ActionStatus | None = None if self.pb2.action is None else self.pb2.action.status
        return status


class LatestState:
    """The newest message of an action. A run and its root action share one, so that both show what either learns."""

    __slots__ = ("_message", "_newer")

    def __init__(self, message: Action) -> None:
        self._message = message
        self._newer: ActionDetails | None = None

    def update(self, details: ActionDetails) -> None:
        """Note newer details. They are converted when somebody asks: a watch brings many states, of which few are read."""
        self._newer = details

    def replace(self, message: Action) -> None:
        """Note a newer message."""
        self._message, self._newer = message, None

    @property
    def message(self) -> Action:
        """The newest message."""
        newer, self._newer = self._newer, None
        if newer is not None:
            self._message = action_summary(newer, self._message)
        return self._message


def action_summary(details: ActionDetails, before: Action | None = None) -> Action:
    """The short message of an action, as listings have it."""
    identifier = before.id if before is not None and before.id is not None else details.id
    return Action(id=identifier, metadata=details.metadata, status=details.status)


class ActionState(Entity[Action]):
    """Mixin for actions: `pb2` is the newest message."""

    _latest: LatestState | None = None

    # A settable property does for an attribute what pyright doubts: it is read, assigned and given to the constructor alike.
    @property
    def pb2(self) -> Action:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The message the entity wraps."""
        latest = self._latest
        message: Action = self.__dict__["pb2"] if latest is None else latest.message
        return message

    @pb2.setter
    def pb2(self, message: Action) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.__dict__["pb2"] = message
        if self._latest is not None:
            self._latest.replace(message)

    def _shared_state(self) -> LatestState:
        if self._latest is None:
            self._latest = LatestState(self.__dict__["pb2"])
        return self._latest

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "pb2": self.pb2, "_latest": None}


class RunState(HasRootAction, Entity[Run]):
    """Mixin for runs: `pb2` is the newest message, with the newest state of the root action."""

    _latest: LatestState | None = None

    @property
    def pb2(self) -> Run:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The message the entity wraps."""
        message: Run = self.__dict__["pb2"]
        latest = self._latest
        if latest is not None and latest.message is not message.action:
            message = Run(action=latest.message, labels=message.labels)
            self.__dict__["pb2"] = message
        return message

    @pb2.setter
    def pb2(self, message: Run) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.__dict__["pb2"] = message
        if self._latest is not None:
            self._latest.replace(message.action or Action())

    def _shared_state(self) -> LatestState:
        if self._latest is None:
            self._latest = LatestState(self.pb2.action or Action())
        return self._latest

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "pb2": self.pb2, "_latest": None}
