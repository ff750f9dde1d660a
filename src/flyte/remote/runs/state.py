"""The phase of runs and actions, and the newest state that was fetched or watched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flyte.models import ActionPhase
from flyte.remote._common import Phase
from flyte_api.entities.action import action_summary
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
        """The phase when this was read. An unknown phase is shown as `unknown(42)`."""
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
            # A server may send a value that is too large for a timedelta.
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
    """The newest message of an action. A run and its root action share it, so an update of one updates both."""

    __slots__ = ("_message", "_newer")

    def __init__(self, message: Action) -> None:
        self._message = message
        self._newer: ActionDetails | None = None

    def update(self, details: ActionDetails) -> None:
        """Store newer details. They are converted on the next read: a watch delivers many states, and few are read."""
        self._newer = details

    def replace(self, message: Action) -> None:
        """Store a newer message."""
        self._message, self._newer = message, None

    @property
    def message(self) -> Action:
        """The newest message."""
        newer, self._newer = self._newer, None
        if newer is not None:
            identifier = self._message.id
            self._message = action_summary(newer)
            self._message.id = identifier or newer.id
        return self._message


class _NewestMessage:
    """The descriptor behind `pb2` of an entity with `_latest`."""

    def __get__(self, entity: Any, owner: type) -> Any:
        return self if entity is None else entity._newest()

    def __set__(self, entity: Any, message: Any) -> None:
        entity.__dict__["pb2"] = message
        if entity._latest is not None:
            entity._latest.replace(entity._action_of(message))


def _newest_message() -> Any:
    return _NewestMessage()


class HasLatestState(Entity[M], ABC):
    """Mixin for actions and runs. `pb2` is the newest message of all entities that share the state."""

    _latest: LatestState | None = None
    """None until the state is shared or updated, so that listings do not create it."""

    pb2: M = _newest_message()

    @staticmethod
    @abstractmethod
    def _action_of(message: Any) -> Action:
        """Return the action's message in this entity's message."""

    @abstractmethod
    def _with_action(self, message: M, action: Action) -> M:
        """Return this entity's message with a newer message of its action."""

    def _newest(self) -> M:
        message: M = self.__dict__["pb2"]
        if self._latest is not None:
            action = self._latest.message
            if action is not self._action_of(message):
                message = vars(self)["pb2"] = self._with_action(message, action)
        return message

    def _shared_state(self) -> LatestState:
        if self._latest is None:
            self._latest = LatestState(self._action_of(self.__dict__["pb2"]))
        return self._latest

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "pb2": self.pb2, "_latest": None}


class ActionState(HasLatestState[Action]):
    """Mixin for actions."""

    @staticmethod
    def _action_of(message: Action) -> Action:
        return message

    def _with_action(self, message: Action, action: Action) -> Action:
        return action


class RunState(HasRootAction, HasLatestState[Run]):
    """Mixin for runs, which share the state of their root action."""

    @staticmethod
    def _action_of(message: Run) -> Action:
        return message.action or Action()

    def _with_action(self, message: Run, action: Action) -> Run:
        return Run(action=action, labels=message.labels)
