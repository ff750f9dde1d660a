"""Rows of the tables."""

from __future__ import annotations

import sqlite3
from typing import TypeVar

from attrs import AttrsInstance, fields, frozen

from flyte.devbox.keys import ActionKey, TriggerKey

R = TypeVar("R")


@frozen
class ProjectRow:
    """A project. All projects have the same domains, which are not stored."""

    identifier: str
    name: str
    description: str
    labels: bytes | None
    state: int
    created_at: int
    updated_at: int


@frozen
class TaskRow:
    """One version of a deployed task."""

    project: str
    domain: str
    name: str
    version: str
    environment: str
    function_name: str
    env_description: str
    short_description: str
    spec_digest: str
    created_at: int
    updated_at: int


@frozen
class ActionRow:
    """An action. An action without a parent is a run."""

    project: str
    domain: str
    run_name: str
    name: str
    parent: str | None
    phase: int
    action_type: int
    action_spec: bytes
    inputs_uri: str
    created_at: int
    updated_at: int
    attempts: int = 1
    cache_status: int = 0
    run_source: str | None = None
    action_group: str = ""
    task_project: str | None = None
    task_domain: str | None = None
    task_name: str | None = None
    task_version: str | None = None
    task_type: str | None = None
    task_short_name: str | None = None
    function_name: str | None = None
    environment_name: str | None = None
    spec_digest: str | None = None
    run_spec: bytes = b""
    outputs_uri: str = ""
    signal_output: bytes | None = None
    signal_principal: bytes | None = None
    abort_reason: str | None = None
    created_by: bytes | None = None
    created_by_subject: str | None = None
    ended_at: int | None = None
    duration_ms: int | None = None
    trigger_task_name: str | None = None
    trigger_name: str | None = None
    trigger_revision: int | None = None

    @property
    def key(self) -> ActionKey:
        """The action's key."""
        return ActionKey(self.project, self.domain, self.run_name, self.name)

    @property
    def parent_key(self) -> ActionKey | None:
        """The action that enqueued this one."""
        return None if self.parent is None else self.key.sibling(self.parent)


@frozen
class JobRow:
    """A queued or running attempt. The row is removed when the action has ended."""

    project: str
    domain: str
    run_name: str
    name: str
    attempt: int
    cache_key: str
    queued_at: int
    marker: str | None = None
    """A marker in the environment of the attempt's processes, to find them after a crash; None before the start."""
    pid: int | None = None
    start_time: str | None = None

    @property
    def key(self) -> ActionKey:
        """The action's key."""
        return ActionKey(self.project, self.domain, self.run_name, self.name)


@frozen
class TriggerRow:
    """A trigger at its latest revision. A deleted trigger keeps its row, so that revisions go on if the name is reused."""

    project: str
    domain: str
    task_name: str
    name: str
    revision: int
    task_version: str
    active: int
    automation_type: str
    spec: bytes
    """A TriggerSpec. Its `active` is outdated; the column has the current value."""
    automation_spec: bytes
    deployed_at: int
    updated_at: int
    triggered_at: int | None
    deleted_at: int | None
    scheduled_after: int
    """The scheduler starts runs for scheduled times after this one."""

    @property
    def key(self) -> TriggerKey:
        """The trigger's key."""
        return TriggerKey(self.project, self.domain, self.task_name, self.name)


@frozen
class TriggerRevisionRow:
    """A revision of a trigger."""

    project: str
    domain: str
    task_name: str
    name: str
    revision: int
    action: int
    active: int
    spec: bytes
    automation_spec: bytes
    deployed_at: int
    updated_at: int
    triggered_at: int | None
    deleted_at: int | None


def names(row_type: type[AttrsInstance]) -> tuple[str, ...]:
    """Return the columns of a row type, in its order."""
    return tuple(attribute.name for attribute in fields(row_type))


def column_list(row_type: type[AttrsInstance]) -> str:
    """Return the columns for a SELECT or INSERT."""
    return ", ".join(names(row_type))


def placeholders(row_type: type[AttrsInstance]) -> str:
    """Return a question mark per column."""
    return ", ".join("?" * len(names(row_type)))


def read(row_type: type[R], row: sqlite3.Row) -> R:
    """Convert a row that was selected with `column_list`."""
    return row_type(*row)
