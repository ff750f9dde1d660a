"""Filters on labels: `labels` for keys with values, `label_keys` for keys alone."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from flyte_codegen.commands.explain import explain
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, importable, proto

BODY = """
enum Direction { DESCENDING = 0; ASCENDING = 1; }
message Sort { string key = 1; Direction direction = 2; }
enum Function { EQUAL = 0; EXISTS = 1; }
message Filter { Function function = 1; string field = 2; repeated string values = 3; }
message ListRequest { uint32 limit = 1; string token = 2; repeated Filter filters = 3; repeated Sort sorts = 4; }

message Tree { string id = 1; map<string, string> labels = 2; }
message ListTreesRequest { ListRequest request = 1; }
message ListTreesResponse { repeated Tree trees = 1; string token = 2; }

service Forest { rpc ListTrees(ListTreesRequest) returns (ListTreesResponse); }
"""
TOML = """
[listing]
request = "test.ListRequest"
filter = "test.Filter"
sort = "test.Sort"
filters_field = "filters"
sort_field = "sorts"

[filters.with_labels]
field = "meta.labels"
kind = "labels"
doc = "Only trees with all these labels."

[filters.with_label_keys]
field = "meta.labels"
kind = "label_keys"
doc = "Only trees with labels of all these keys."

[entities.Tree]
message = "test.Tree"
service = "test.Forest"
identity = "id"

[entities.Tree.properties]
id = "id"

[entities.Tree.methods]
ListTrees = { filters = ["with_labels", "with_label_keys"] }
"""


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragment]:
    root = tmp_path_factory.mktemp("forest")
    with importable(root):
        yield Fragment(root, {"test/test.proto": proto(BODY)}, TOML).generate()


@pytest.fixture
def service(forest: Fragment) -> Any:
    types = forest.load("messages.test.test")

    class Forest(forest.get("services.test.forest:ForestBase")):  # type: ignore[misc]
        def __init__(self) -> None:
            self.asked: list[Any] = []

        async def list_trees(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            return types.ListTreesResponse(trees=[types.Tree(id="oak")])

    return Forest()


@pytest.fixture
async def client(service: Any) -> AsyncIterator[Client]:
    async with await serve([service]) as running, Client(running.endpoint, timeout=20) as made:
        yield made


@pytest.fixture
def Tree(forest: Fragment) -> Any:
    return forest.get("entities.tree:TreeBase")


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, []),
        (
            {"with_labels": {"team": "vision", "tier.1/x": ""}},
            [("EQUAL", "meta.labels.team", ["vision"]), ("EQUAL", "meta.labels.tier.1/x", [""])],
        ),
        (
            {"with_label_keys": ("team", "cost")},
            [("EXISTS", "meta.labels.team", []), ("EXISTS", "meta.labels.cost", [])],
        ),
        (
            {"with_labels": {"a": "b"}, "with_label_keys": {"c"}},
            [("EQUAL", "meta.labels.a", ["b"]), ("EXISTS", "meta.labels.c", [])],
        ),
    ],
)
async def test_labels_become_filters(
    arguments: dict[str, Any], sent: list[tuple[str, str, list[str]]], Tree: Any, service: Any, client: Client
) -> None:
    assert [tree.id for tree in await Tree.listall(**arguments, client=client).collect.aio()] == ["oak"]
    (request,) = service.asked
    assert [(f.function.name, f.field, f.values) for f in request.request.filters] == sent


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"with_labels": ["a"]}, TypeError, "with_labels takes a mapping of keys to values, not list"),
        ({"with_labels": {}}, ValueError, "with_labels is empty; omit it to list all items"),
        ({"with_labels": {"a": 1}}, TypeError, r"with_labels takes strings, not int \(1\) for 'a'"),
        ({"with_labels": {1: "a"}}, TypeError, r"with_labels takes keys that are strings, not int \(1\)"),
        ({"with_labels": {"": "a"}}, ValueError, "with_labels has an empty key"),
        ({"with_label_keys": "team"}, TypeError, r"with_label_keys takes several keys; for one, write .*=\('team',\)"),
        ({"with_label_keys": 3}, TypeError, "with_label_keys takes several keys"),
        ({"with_label_keys": []}, ValueError, "with_label_keys is empty; omit it to list all items"),
        ({"with_label_keys": [1]}, TypeError, r"with_label_keys takes keys that are strings, not int \(1\)"),
        ({"with_label_keys": [""]}, ValueError, "with_label_keys has an empty key"),
    ],
)
async def test_labels_that_are_none_send_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str, Tree: Any, service: Any, client: Client
) -> None:
    with pytest.raises(error, match=message):
        await Tree.listall(**arguments, client=client).collect.aio()
    assert service.asked == []


def test_the_signature_tells_their_types(Tree: Any, forest: Fragment) -> None:
    parameters = inspect.signature(Tree.listall).parameters
    assert parameters["with_labels"].annotation == "Mapping[str, str] | None"
    assert parameters["with_label_keys"].annotation == "Several[str] | None"
    assert "with_labels: Only trees with all these labels." in (Tree.listall.__doc__ or "")
    assert "with_label_keys: Several[str] | None" in explain(forest.config, "ListTrees")
