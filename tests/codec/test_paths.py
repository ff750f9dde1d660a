"""Values read from bytes equal those of the attributes, for any input."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    Action,
    ActionMetadata,
    ActionStatus,
    Run,
    TaskActionMetadata,
    TraceActionMetadata,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.codec.paths import Reads, at_path
from flyte_rpc.codec.paths import path as path_of
from flyte_rpc.codec.wire import DecodeError

PATHS = (
    "action.id.run.name",
    "action.metadata.task.id.name",
    "action.metadata.trace.name",
    "action.status.phase",
    "action.status.attempts",
    "action.status.end_time",
    "action.metadata.source",
)
text = st.text(max_size=8) | st.just("x" * 200)
times = st.builds(Timestamp, seconds=st.integers(0, 2**40), nanos=st.integers(0, 10**9 - 1))
metadata = st.one_of(
    st.builds(
        ActionMetadata,
        parent=text,
        source=st.integers(0, 3),
        task=st.builds(TaskActionMetadata, id=st.none() | st.builds(TaskIdentifier, name=text, version=text)),
    ),
    st.builds(ActionMetadata, trace=st.builds(TraceActionMetadata, name=text)),
)
phases = st.sampled_from([0, 4, 5, 99, -1])
status = st.builds(ActionStatus, phase=phases, attempts=st.integers(0, 300), end_time=st.none() | times)
identifier = st.builds(ActionIdentifier, run=st.builds(RunIdentifier, project=text, name=text), name=text)
action = st.builds(Action, id=st.none() | identifier, metadata=st.none() | metadata, status=st.none() | status)
runs = st.builds(Run, action=st.none() | action)


def by_attributes(data: bytes, path: str) -> Any:
    found = at_path(Run.parse(data), path)
    if found is not None:
        return found
    # A message on the way is missing.
    return ActionPhase(0) if path.endswith("phase") else None


def same(data: bytes) -> None:
    for path in PATHS:
        read: Reads[Any] = path_of(Run, path)
        try:
            expected = by_attributes(data, path)
        except DecodeError:
            # Nothing but this error, if the walk comes across what is wrong at all.
            with suppress(DecodeError):
                read(Run.parse(data))
            continue
        found = read(Run.parse(data))
        assert found == expected or (expected is None and not found), path
        message = Run.parse(data)
        at_path(message, path)
        again = read(message)
        assert again == expected or (expected is None and not again), path


@given(runs)
def test_whole_messages(run: Run) -> None:
    same(bytes(run))


@given(runs, runs)
def test_fields_that_occur_twice_merge(first: Run, second: Run) -> None:
    same(bytes(first) + bytes(second))


@given(runs, metadata, metadata, st.binary(max_size=20))
def test_inner_messages_that_occur_twice(run: Run, one: ActionMetadata, other: ActionMetadata, noise: bytes) -> None:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2]) + (bytes([len(data)]) if len(data) < 128 else _length(len(data))) + data

    inner = field(2, bytes(one) + bytes(other)) + field(1, noise)
    same(bytes(run) + field(1, inner))


def _length(size: int) -> bytes:
    return bytes([size & 127 | 128, size >> 7])


@given(runs, st.data())
def test_mutated_bytes(run: Run, data: st.DataObject) -> None:
    raw = bytearray(bytes(run) or b"\x0a\x00")
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        try:
            Run.parse(damaged)
        except DecodeError:
            continue
        same(damaged)


def test_of_what_lies_between_nothing_is_built() -> None:
    name: Reads[str] = path_of(Run, "action.id.run.name")
    built = Run(action=Action(id=ActionIdentifier(run=RunIdentifier(name="r1"))))
    run = Run.parse(bytes(built))
    assert name(run) == "r1"
    assert run.action is not None
    assert "id" not in vars(run.action) and "*id" in vars(run.action)
    assert run.action.id is not None and run.action.id.run is not None
    run.action.id.run.name = "r2"
    assert name(run) == "r2", "what was changed is read as it is now"


def test_a_path_that_does_not_exist_is_noticed() -> None:
    wrong: Reads[str] = path_of(Run, "action.id.nope.name")
    with pytest.raises(AttributeError, match="nope"):
        wrong(Run.parse(b""))
