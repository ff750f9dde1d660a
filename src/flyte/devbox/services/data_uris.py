"""Locations of an action's inputs and outputs."""

from __future__ import annotations

from typing import NamedTuple

from flyte.devbox import phases
from flyte.devbox.keys import ActionKey
from flyte.devbox.runs import attempts
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionType
from flyte_rpc.serving.server import Status, abort


class DataUris(NamedTuple):
    """URIs of an action's files. The URI of outputs is empty while there are none."""

    inputs: str
    outputs: str


def find(store: Store, key: ActionKey) -> DataUris:
    """Return the URIs of an action's files.

    Raises:
        Abort: NOT_FOUND for an unknown action, and for one that succeeded without reporting its outputs.
    """
    row = store.actions.get(key)
    if row is None:
        abort(Status.NOT_FOUND, f"action not found: {key.name}")
    if row.phase not in phases.WITH_OUTPUTS:
        return DataUris(row.inputs_uri, "")
    if row.action_type == ActionType.TRACE:
        return DataUris(row.inputs_uri, row.outputs_uri)
    merged = attempts.merge(store.events.of_action(key))
    outputs = merged[-1].outputs if merged else None
    if outputs is None or not outputs.output_uri:
        abort(Status.NOT_FOUND, f"outputs not available for action {key.name}")
    return DataUris(row.inputs_uri, outputs.output_uri)


def report(store: Store, key: ActionKey, attempt: int) -> str:
    """Return the URI of an attempt's report; NOT_FOUND for an unknown action or attempt."""
    if store.actions.get(key) is None:
        abort(Status.NOT_FOUND, f"action not found: {key.name}")
    found = {merged.attempt: merged.outputs for merged in attempts.merge(store.events.of_action(key))}
    references = found.get(attempt)
    if references is None or not references.report_uri:
        abort(Status.NOT_FOUND, f"action {key.name} has no attempt {attempt} with a report")
    return references.report_uri
