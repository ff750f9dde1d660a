"""Values that describe runs, tasks and apps, independent of the wire format."""

from __future__ import annotations

import enum
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from flyte_rpc.lazy import lazy_exports

if TYPE_CHECKING:
    from ._context import TaskContext
    from .types import NativeInterface

__all__ = [
    "MAX_INLINE_IO_BYTES",
    "ActionID",
    "ActionPhase",
    "CheckpointPaths",
    "CodeBundle",
    "DeploymentStatus",
    "DesiredState",
    "GroupData",
    "NativeInterface",
    "PathRewrite",
    "RawDataPath",
    "TaskContext",
    "UnknownPhase",
]


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


MAX_INLINE_IO_BYTES = 10 * 2**20
"""Default limit for the size of the inputs, and of the outputs, of a call: 10 MiB."""


@attrs.frozen(kw_only=True)
class ActionID:
    """The identifier of an action within a run.

    Args:
        name: Name of the action; "a0" is the root action.
        run_name: Name of the run. Default: `name`.
        project: Project id.
        domain: Domain id.
        org: Organization.
    """

    name: str
    run_name: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True))
    project: str | None = None
    domain: str | None = None
    org: str | None = None

    @classmethod
    def create_random(cls) -> ActionID:
        """Return an identifier with a random name."""
        return cls(name=str(uuid.uuid4()))

    def new_sub_action(self, name: str | None = None) -> ActionID:
        """Return the identifier of another action of the same run.

        Args:
            name: Its name. Default: a random one.
        """
        return attrs.evolve(self, name=name or str(uuid.uuid4()))

    def unique_id_str(self, salt: str | None = None) -> str:
        """Return `project-domain-run-action`.

        Args:
            salt: Text to append after a dash. Default: none.
        """
        parts = [str(self.project), str(self.domain), self.run_name, self.name, *([] if salt is None else [salt])]
        return "-".join(parts)


def _set(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not value:
        raise ValueError(f"PathRewrite.{attribute.name} must not be empty")


@attrs.frozen
class PathRewrite:
    """The replacement of a prefix of paths.

    Args:
        old_prefix: The prefix to replace.
        new_prefix: The prefix to put in its place.

    Raises:
        ValueError: A prefix is empty, or both are equal.
    """

    old_prefix: str = attrs.field(validator=_set)
    new_prefix: str = attrs.field(validator=_set)

    def __attrs_post_init__(self) -> None:
        if self.old_prefix == self.new_prefix:
            raise ValueError(f"PathRewrite replaces {self.old_prefix!r} with itself")

    @classmethod
    def from_str(cls, pattern: str) -> PathRewrite:
        """Parse `old->new`.

        Raises:
            ValueError: The text has another form.
        """
        old, arrow, new = pattern.partition("->")
        if not arrow or "->" in new:
            raise ValueError(f"a path rewrite has the form 'old->new', not {pattern!r}")
        return cls(old, new)

    def __str__(self) -> str:
        return f"{self.old_prefix}->{self.new_prefix}"


@attrs.frozen(kw_only=True)
class RawDataPath:
    """A location for large data of tasks.

    Args:
        path: URI or directory.
        path_rewrite: A replacement for paths below it. Default: none.
    """

    path: str
    path_rewrite: PathRewrite | None = None

    def get_random_remote_path(self, file_name: str | None = None) -> str:
        """Return a new location below the path. Nothing is created.

        Args:
            file_name: Name to append after the random part. Default: none.
        """
        parts = [self.path.rstrip("/"), uuid.uuid4().hex, *([file_name] if file_name else [])]
        return "/".join(parts)


@attrs.frozen
class GroupData:
    """A group of actions.

    Args:
        name: Name of the group.
    """

    name: str


@attrs.frozen
class CheckpointPaths:
    """Locations of checkpoints.

    Args:
        prev_checkpoint_path: The checkpoint of the previous attempt, if there was one.
        checkpoint_path: Where this attempt stores its own.
    """

    prev_checkpoint_path: str | None
    checkpoint_path: str | None


@attrs.frozen
class CodeBundle:
    """The packaged code of a task.

    Args:
        computed_version: Hash of the code.
        destination: Directory to extract it to. Default: ".".
        tgz: URI of the archive, if the code is in files.
        pkl: URI of the pickle, if the code comes from a notebook.
        downloaded_path: Where it was extracted, if it was.
        files: Names of the files in it, if known.

    Raises:
        ValueError: Neither `tgz` nor `pkl` is given.
    """

    computed_version: str
    destination: str = "."
    tgz: str | None = None
    pkl: str | None = None
    downloaded_path: Path | None = None
    files: list[str] | None = attrs.field(default=None, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.tgz is None and self.pkl is None:
            raise ValueError("CodeBundle needs tgz or pkl")

    def with_downloaded_path(self, path: Path) -> CodeBundle:
        """Return a copy that was extracted to a path."""
        return attrs.evolve(self, downloaded_path=path)


__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "flyte._context": ("TaskContext",),
        "flyte.types": ("NativeInterface",),
    },
)
