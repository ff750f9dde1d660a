"""Values that describe runs, tasks and apps, independent of the wire format."""

from __future__ import annotations

import enum
import warnings
from typing import TYPE_CHECKING, Any, Self

from flyte_rpc.lazy import lazy_exports

if TYPE_CHECKING:
    from .types import NativeInterface

__all__ = ["ActionPhase", "DeploymentStatus", "DesiredState", "NativeInterface", "UnknownPhase"]


class _LowerCase(enum.StrEnum):
    """An enum of lower-case strings that warns about comparisons with other spellings.

    A comparison that ignored case would break sets and dicts: equal objects need equal hashes, and `"FAILED"` and `"failed"`
    have different ones.
    """

    def __eq__(self, other: object) -> bool:
        if self is not other:
            _check_spelling(type(self), other)
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if self is not other:
            _check_spelling(type(self), other)
        return str.__ne__(self, other)

    __hash__ = str.__hash__


def _check_spelling(members: type[enum.StrEnum], text: object) -> None:
    """Warn at the line that compares a member with `"FAILED"`, which may be a condition that is never true."""
    if not isinstance(text, str) or isinstance(text, enum.Enum):
        return
    lower = text.lower()
    if lower != text and lower in members._value2member_map_:
        warnings.warn(
            f"{text!r} is not equal to any {members.__name__}, whose values are in lower case; write {lower!r} or "
            f"{members.__name__}.{lower.upper()}",
            _spelling_warning(),
            stacklevel=3,
        )


def _spelling_warning() -> type[Warning]:
    from .errors import PhaseSpellingWarning

    return PhaseSpellingWarning


class ActionPhase(_LowerCase):
    """The phase of a run or an action. Members are strings too: `ActionPhase.FAILED == "failed"`.

    A comparison with another spelling, such as `phase == "FAILED"`, is False and issues a `PhaseSpellingWarning`. Arguments,
    such as `in_phase=` of listings, take names in any case.
    """

    QUEUED = "queued"
    WAITING_FOR_RESOURCES = "waiting_for_resources"
    INITIALIZING = "initializing"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMED_OUT = "timed_out"
    PAUSED = "paused"
    RECOVERED = "recovered"

    @property
    def is_terminal(self) -> bool:
        """Whether the phase is final: the action succeeded, failed, was aborted, timed out, or was recovered."""
        return self in _TERMINAL

    @property
    def is_success(self) -> bool:
        """Whether the action has outputs: it succeeded, or was recovered from an earlier run."""
        return self in _SUCCESS

    def to_protobuf_name(self) -> str:
        """Return the name in the definitions, such as `ACTION_PHASE_FAILED`."""
        return f"ACTION_PHASE_{self.name}"

    def to_protobuf_value(self) -> int:
        """The number on the wire."""
        return _NUMBERS[self]

    @classmethod
    def from_protobuf(cls, number: int) -> ActionPhase | UnknownPhase:
        """Return the phase with a number; an `UnknownPhase` if this release does not know it."""
        return _BY_NUMBER.get(number) or UnknownPhase(int(number))


class UnknownPhase(str):
    """A phase or state that a newer server sent: shown as `unknown(42)`, never terminal, never an error.

    Attributes:
        number: The number on the wire. 0 is "not set".
    """

    number: int
    is_terminal = False
    is_success = False

    def __new__(cls, number: int) -> UnknownPhase:
        made = super().__new__(cls, "unspecified" if number == 0 else f"unknown({number})")
        made.number = number
        return made

    @property
    def value(self) -> str:
        """The text, like `ActionPhase.value`."""
        return str(self)

    @property
    def name(self) -> str:
        """The text in capitals, like `ActionPhase.name`."""
        return self.upper()

    def to_protobuf_value(self) -> int:
        """The number on the wire."""
        return self.number

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.number,)

    def __repr__(self) -> str:
        return f"<UnknownPhase: {str(self)!r}>"


class _Numbered(_LowerCase):
    """An enum with numbers on the wire: from 1, in the order of the members."""

    def to_protobuf_value(self) -> int:
        """The number on the wire."""
        return list(type(self)).index(self) + 1

    @classmethod
    def from_protobuf(cls, number: int) -> Self | UnknownPhase:
        """Return the member with a number; an `UnknownPhase` if this release does not know it."""
        members = list(cls)
        return members[number - 1] if 0 < number <= len(members) else UnknownPhase(int(number))


class DeploymentStatus(_Numbered):
    """The state of an app's deployment. Members are strings too: `DeploymentStatus.ACTIVE == "active"`."""

    UNASSIGNED = "unassigned"
    """No cluster serves it."""
    ASSIGNED = "assigned"
    PENDING = "pending"
    STOPPED = "stopped"
    STARTED = "started"
    """The name of `ACTIVE` on older servers."""
    FAILED = "failed"
    ACTIVE = "active"
    """It answers requests, and starts a replica first if there is none."""
    SCALING_UP = "scaling_up"
    SCALING_DOWN = "scaling_down"
    DEPLOYING = "deploying"


class DesiredState(_Numbered):
    """The desired state of an app. Members are strings too: `DesiredState.STOPPED == "stopped"`."""

    STOPPED = "stopped"
    STARTED = "started"
    """The name of `ACTIVE` in older clients."""
    ACTIVE = "active"


# The members are in the order of their numbers on the wire.
_NUMBERS = {phase: number for number, phase in enumerate(ActionPhase, start=1)}
_BY_NUMBER = {number: phase for phase, number in _NUMBERS.items()}
_SUCCESS = frozenset({ActionPhase.SUCCEEDED, ActionPhase.RECOVERED})
_TERMINAL = _SUCCESS | {ActionPhase.FAILED, ActionPhase.ABORTED, ActionPhase.TIMED_OUT}


__getattr__, __dir__ = lazy_exports(__name__, {"flyte.types": ("NativeInterface",)})
