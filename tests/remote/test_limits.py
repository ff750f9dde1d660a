"""Values at their limits: the largest that is allowed is sent, and the next one is not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from flyte import Backoff, Cache, RetryStrategy, Timeout
from flyte.devbox import Devbox
from flyte.errors import NotFoundError, RemoteTaskNotFoundError, RpcError
from flyte.remote import Action, Project, Run, Task


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda: Run.get("x" * 30), NotFoundError),
        (lambda: Run.get("x"), NotFoundError),
        (lambda: Action.get("x" * 30, "y" * 30), NotFoundError),
        (lambda: Project.get("x" * 63), NotFoundError),
        (lambda: Task.get("x" * 255, version="1" * 63).fetch(), RemoteTaskNotFoundError),
        (lambda: Run.get("x", timeout=1e9), NotFoundError),
        (lambda: Run.get("x", timeout=timedelta(seconds=1e9)), NotFoundError),
    ],
)
def test_the_server_is_asked(box: Devbox, ask: Callable[[], object], error: type[RpcError]) -> None:
    with pytest.raises(error):
        ask()


@pytest.mark.parametrize("timeout", [1e9 + 1, timedelta(seconds=1e9, microseconds=1), 0, timedelta(0), -1])
def test_a_timeout_has_a_range(box: Devbox, timeout: float | timedelta) -> None:
    with pytest.raises(ValueError, match="it must be a positive number of seconds, at most 1e\\+09"):
        Run.get("x", timeout=timeout)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Run.listall(in_phase=(True,)),  # type: ignore[arg-type]  # That is the mistake.
        lambda: Backoff(True),
        lambda: Backoff(1, cap=False),
        lambda: Cache("disable", max_age=True),
        lambda: RetryStrategy(True),
        lambda: Timeout(max_queued_time=True),
    ],
)
def test_a_truth_value_is_no_number(box: Devbox, ask: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        ask()


def test_the_longest_texts_of_a_project(box: Devbox) -> None:
    name = f"p{uuid.uuid4().hex}".ljust(63, "x")
    Project.create(name, "n", description="d" * 300)
    found = Project.get(name)
    assert (found.id, found.description) == (name, "d" * 300)


def test_the_smallest_numbers(box: Devbox) -> None:
    assert len(list(Project.listall(limit=1))) == 1
    assert list(Project.listall(limit=0)) == []
    assert len(list(Project.listall(limit=1, page_size=1))) == 1
