"""Values exchanged with the `flyte` distribution, which runs in a separate environment."""

from __future__ import annotations

import base64
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from flyte.artifacts import TimePartition
from flyte.remote.artifacts.partitions import as_messages, selecting
from flyte.types import Dir, File, StructuredDataset, literal_type_of, literals_to_python, to_literal
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_api.messages.flyteidl2.core.artifact_id import Partitions
from flyte_api.messages.flyteidl2.core.artifact_id import TimePartition as TimePartitionMessage
from flyte_api.messages.flyteidl2.core.interface import Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

sys.path.insert(0, str(Path(__file__).parent))
import other_sdk

if not other_sdk.INTERPRETER:
    pytest.skip("there is no other SDK to exchange values with; make .reference/ready", allow_module_level=True)

import shapes  # Beside this file, for the other environment imports it as well.

REFERENCES: dict[str, tuple[Any, Any]] = {
    "file": (File, File("s3://b/k.csv", "csv", "h")),
    "dir": (Dir, Dir("s3://b/d")),
    "data frame": (StructuredDataset, StructuredDataset("s3://b/f", "parquet")),
}
ALL = shapes.every_shape() | REFERENCES
# What that SDK cannot read without the class, whoever wrote it: it takes the first variant of a union inside a class,
# knows no class that contains itself, and no nested tuple inside a tuple.
PICKLED = {name: (kind, value) for name, (kind, value, _) in shapes.PICKLED.items()}
_UNGUESSED = {"large dataclass", "recursive dataclass", "model", "optional model", "nested tuple", "tuple of scalars"}


def _ask(requests: list[dict[str, Any]], directory: Path) -> list[dict[str, Any]]:
    return other_sdk.ask("peer.py", requests, directory)


def _encoded(message: Any) -> str:
    return base64.b64encode(bytes(message)).decode()


def _read_request(name: str, literal: Literal, literal_type: LiteralType) -> dict[str, Any]:
    return {"do": "read", "name": name, "type": _encoded(literal_type), "literal": _encoded(literal)}


def _received(reply: dict[str, Any]) -> tuple[Literal, LiteralType]:
    assert "error" not in reply, reply
    return Literal.parse(base64.b64decode(reply["literal"])), LiteralType.parse(base64.b64decode(reply["type"]))


def _read(literal: Literal, literal_type: LiteralType, as_type: Any = None) -> Any:
    declared = VariableMap(variables=[VariableEntry(key="x", value=Variable(type=literal_type))])
    wanted = {"x": as_type} if as_type is not None else None
    found = literals_to_python([NamedLiteral(name="x", value=literal)], declared, as_types=wanted)
    assert found.unsupported == {}
    return found.values["x"]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the other SDK writes, by name of the shape."""
    names = [*ALL, *PICKLED, "pickle"]
    replies = _ask([{"do": "write", "name": name} for name in names], tmp_path_factory.mktemp("theirs"))
    return dict(zip(names, replies, strict=True))


@pytest.fixture(scope="module")
def read_by_them(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the other SDK says about what we write."""
    requests: list[dict[str, Any]] = []
    for name, (kind, value) in (ALL | PICKLED).items():
        literal_type = literal_type_of(kind)
        requests.append(_read_request(name, to_literal(value, literal_type, name=name), literal_type))
    return dict(zip(ALL | PICKLED, _ask(requests, tmp_path_factory.mktemp("ours")), strict=True))


@pytest.fixture(scope="module")
def returned(theirs: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the other SDK says about its own values, read here without their classes and written again."""
    requests: list[dict[str, Any]] = []
    for name in ALL:
        literal, literal_type = _received(theirs[name])
        again = to_literal(_read(literal, literal_type), literal_type, name=name)
        requests.append(_read_request(name, again, literal_type))
    return dict(zip(ALL, _ask(requests, tmp_path_factory.mktemp("returned")), strict=True))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and bool(left == right)


@pytest.mark.parametrize("name", ALL)
def test_they_read_what_we_write(name: str, read_by_them: dict[str, dict[str, Any]]) -> None:
    reply = read_by_them[name]
    assert reply.get("same") is True, reply
    if name not in _UNGUESSED:
        assert "guessed" in reply, reply


@pytest.mark.parametrize("name", ALL)
def test_we_read_what_they_write(name: str, theirs: dict[str, dict[str, Any]]) -> None:
    kind, value = ALL[name]
    literal, literal_type = _received(theirs[name])
    assert _same(_read(literal, literal_type, kind), value)


@pytest.mark.parametrize("name", ALL)
def test_what_they_wrote_can_be_sent_back_without_its_class(name: str, returned: dict[str, dict[str, Any]]) -> None:
    assert returned[name].get("same") is True, returned[name]


# Theirs does not tell a date from a moment; ours says which, and they take it.
@pytest.mark.parametrize("name", [name for name in ALL if "model" not in name and name != "date"])
def test_types_are_written_with_their_tags(name: str, theirs: dict[str, dict[str, Any]]) -> None:
    _, literal_type = _received(theirs[name])
    own = literal_type_of(ALL[name][0])
    assert _tags(own) == _tags(literal_type)


def _tags(literal_type: LiteralType) -> Any:
    """Kind, tag and annotation of a type and all it holds, with the names that its schema requires."""
    variants = literal_type.union_type.variants if literal_type.union_type is not None else []
    inner = [part for part in (literal_type.collection_type, literal_type.map_value_type) if part is not None]
    schema = literal_type.metadata.to_python() if literal_type.metadata is not None else {}
    return (
        literal_type.simple,
        literal_type.structure.tag if literal_type.structure is not None else "",
        literal_type.annotation.annotations.to_python() if literal_type.annotation is not None else {},  # type: ignore[union-attr]
        schema.get("title"),
        schema.get("required"),
        sorted(schema.get("properties", {})),
        [_tags(part) for part in [*variants, *inner]],
    )


@pytest.mark.parametrize("name", PICKLED)
def test_what_they_pickle_is_read_on_request_only(name: str, theirs: dict[str, dict[str, Any]]) -> None:
    literal, literal_type = _received(theirs[name])
    declared = VariableMap(variables=[VariableEntry(key="x", value=Variable(type=literal_type))])
    named = [NamedLiteral(name="x", value=literal)]
    unread = literals_to_python(named, declared)
    assert "pickled" in str(unread.unsupported) or unread.values["x"] in ([], {})
    assert literals_to_python(named, declared, allow_pickle=True).values["x"] == PICKLED[name][1]


@pytest.mark.parametrize(
    ("name", "read"),
    {
        "set": "[1, 2, 3]",
        "frozenset": "['a', 'b']",
        "tuple of any length": "[1, 2, 3]",
        "empty tuple of any length": "[]",
        "list of sets": "[[1], []]",
        "json of anything": "{'a': 1, 'b': [None, 'x']}",
    }.items(),
)
def test_what_they_pickle_is_written_here_for_a_type_they_read(
    name: str, read: str, read_by_them: dict[str, dict[str, Any]]
) -> None:
    assert read_by_them[name].get("read") == read, read_by_them[name]


def test_large_bytes_are_written_here_so_that_they_read_them(read_by_them: dict[str, dict[str, Any]]) -> None:
    assert read_by_them["large bytes"].get("same") is True


def test_a_choice_is_an_enum_to_them(read_by_them: dict[str, dict[str, Any]]) -> None:
    assert "slow" in read_by_them["choice"]["read"], read_by_them["choice"]


def test_a_pickle_of_theirs_is_loaded_on_request_only(theirs: dict[str, dict[str, Any]]) -> None:
    literal, literal_type = _received(theirs["pickle"])
    declared = VariableMap(variables=[VariableEntry(key="x", value=Variable(type=literal_type))])
    named = [NamedLiteral(name="x", value=literal)]
    assert literals_to_python(named, declared).values["x"] is literal
    assert literals_to_python(named, declared, allow_pickle=True).values["x"] == {1}


def test_both_mean_the_same_partitions_of_artifacts(tmp_path: Path) -> None:
    ours = shapes.partitions(TimePartition)
    replies = _ask([{"do": "partition", "name": name} for name in ours], tmp_path)
    for reply, partitions in zip(replies, ours.values(), strict=True):
        assert "error" not in reply, reply
        kinds = (("texts", Partitions), ("time", TimePartitionMessage))
        theirs = [kind.parse(base64.b64decode(reply[key])) if reply[key] else None for key, kind in kinds]
        assert [*as_messages(partitions)] == theirs
        assert selecting(partitions) == [Filter.parse(base64.b64decode(each)) for each in reply["filters"]]
