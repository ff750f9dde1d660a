"""Filters of runs by label."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte.errors import InvalidArgumentError
from flyte.remote import Run
from flyte_api.messages.flyteidl2.common.list import FilterFunction
from flyte_api.messages.flyteidl2.workflow.run_service import ListRunsRequest, ListRunsResponse
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.planes.run import Runs


class Labelled(Runs):
    """Records the filters of a listing. With `rejects` set, it refuses labels, as the open-source server does."""

    def __init__(self, *, rejects: bool = False) -> None:
        super().__init__()
        self.rejects = rejects
        self.filters: list[tuple[FilterFunction, str, list[str]]] = []

    async def list_runs(self, request: ListRunsRequest, call: ServerCall) -> ListRunsResponse:
        assert request.request is not None
        self.filters = [(clause.function, clause.field, clause.values) for clause in request.request.filters]
        if self.rejects:
            abort(Status.INVALID_ARGUMENT, "invalid filter field: labels.team")
        return ListRunsResponse()


async def listed(plane: Labelled, **filters: Any) -> None:
    async with asyncio.timeout(30), await serve([plane]) as server, Client(server.endpoint) as client:
        assert await Run.listall(project="p", domain="d", client=client, **filters).collect.aio() == []


async def test_labels_and_their_keys() -> None:
    plane = Labelled()
    await listed(plane, task_name="t", with_labels={"team": "ml", "a/b": ""}, with_label_keys=["cost", "team"])
    assert plane.filters == [
        (FilterFunction.EQUAL, "task_name", ["t"]),
        (FilterFunction.EQUAL, "labels.team", ["ml"]),
        (FilterFunction.EQUAL, "labels.a/b", [""]),
        (FilterFunction.EXISTS, "labels.cost", []),
        (FilterFunction.EXISTS, "labels.team", []),
    ]


async def test_a_server_without_labels() -> None:
    with pytest.raises(InvalidArgumentError, match="invalid filter field"):
        await listed(Labelled(rejects=True), with_labels={"team": "ml"})


@pytest.mark.parametrize(
    ("filters", "error", "complaint"),
    [
        ({"with_labels": {}}, ValueError, "with_labels is empty; omit it to list all items"),
        ({"with_labels": ["team"]}, TypeError, "with_labels takes a mapping of keys to values, not list"),
        ({"with_labels": {"team": 1}}, TypeError, r"with_labels takes strings, not int \(1\) for 'team'"),
        ({"with_labels": {"": "x"}}, ValueError, "with_labels has an empty key"),
        ({"with_labels": {1: "x"}}, TypeError, "with_labels takes keys that are strings, not int"),
        ({"with_label_keys": []}, ValueError, "with_label_keys is empty"),
        ({"with_label_keys": "team"}, TypeError, r"for one, write with_label_keys=\('team',\)"),
        ({"with_label_keys": iter(["team"])}, TypeError, "with_label_keys takes several keys"),
        ({"with_label_keys": [None]}, TypeError, "with_label_keys takes keys that are strings, not NoneType"),
    ],
)
def test_bad_labels(filters: dict[str, Any], error: type[Exception], complaint: str) -> None:
    with Client("http://localhost:1") as client, pytest.raises(error, match=complaint):
        Run.listall(project="p", domain="d", client=client, **filters)
