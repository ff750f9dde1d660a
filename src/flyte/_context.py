"""What a task may know about its own execution."""

from __future__ import annotations

import os

import attrs


@attrs.frozen
class TaskContext:
    """The execution that this code is part of; falsy, with empty fields, where there is none."""

    version: str | None = None
    run_name: str | None = None
    action_name: str | None = None
    project: str | None = None
    domain: str | None = None
    attempt: int | None = None

    def __bool__(self) -> bool:
        return self.action_name is not None


def ctx() -> TaskContext:
    """The execution that this code is part of.

    Returns:
        The context; outside a task a falsy one, all of whose fields are None.
    """
    env = os.environ.get
    action = env("FLYTE_ACTION_NAME")
    if not action:
        return TaskContext()
    attempt = env("FLYTE_ATTEMPT", "")
    return TaskContext(
        version=env("FLYTE_TASK_VERSION"),
        run_name=env("FLYTE_RUN_NAME"),
        action_name=action,
        project=env("FLYTE_PROJECT"),
        domain=env("FLYTE_DOMAIN"),
        attempt=int(attempt) if attempt.isdigit() else None,
    )
