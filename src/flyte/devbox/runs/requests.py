"""Helpers for reading requests."""

from __future__ import annotations

from flyte.devbox.keys import ActionKey, RunKey
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_rpc.serving.server import Status, abort


def run_key(identifier: RunIdentifier | None) -> RunKey:
    """Return the run of a request; INVALID_ARGUMENT if it names none."""
    if identifier is None:
        abort(Status.INVALID_ARGUMENT, "run_id is required")
    return RunKey.of(identifier)


def action_key(identifier: ActionIdentifier | None) -> ActionKey:
    """Return the action of a request; INVALID_ARGUMENT if it names none."""
    if identifier is None or identifier.run is None:
        abort(Status.INVALID_ARGUMENT, "action_id with its run is required")
    return ActionKey.of(identifier)


def require_project(store: Store, project: str) -> None:
    """Abort with NOT_FOUND for a nonexistent project; with INTERNAL for an empty id, like the real backend."""
    if not project:
        abort(Status.INTERNAL, "failed to validate project: project.id is required")
    if store.projects.get(project) is None:
        abort(Status.NOT_FOUND, f'project "{project}" not found')
