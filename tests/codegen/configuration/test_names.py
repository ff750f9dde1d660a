"""Python names for protobuf names."""

from __future__ import annotations

import ast
import doctest
import keyword
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import flyte_rpc.v1 as contract
from flyte_codegen import names
from flyte_rpc.codec.message import Enum
from flyte_rpc.codec.spec import json_name
from flyte_rpc.entities.entity import Entity
from support.library import library

RESERVED = {name: value for name, value in vars(names).items() if name.startswith("RESERVED_")}
PROTO_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
LIKELY = st.one_of(
    PROTO_NAMES,
    st.tuples(st.sampled_from(["", "_", "__", "x", "xx_", "x_"]), st.sampled_from(["class", "list", "x", ""]))
    .map("".join)
    .flatmap(lambda name: st.sampled_from(["", "_", "__"]).map(lambda end: name + end))
    .filter(bool),
)


@pytest.mark.parametrize("scope", RESERVED)
@given(left=LIKELY, right=LIKELY)
@example(left="class", right="class_")
@example(left="_a", right="x_a")
@example(left="__a", right="x__a")
def test_no_two_names_become_one(scope: str, left: str, right: str) -> None:
    if left != right:
        assert names.escape(left, RESERVED[scope]) != names.escape(right, RESERVED[scope])


@pytest.mark.parametrize("scope", RESERVED)
@given(name=LIKELY)
def test_escaped_names_are_free_public_identifiers(scope: str, name: str) -> None:
    escaped = names.escape(name, RESERVED[scope])
    assert escaped.isidentifier()
    assert not keyword.iskeyword(escaped)
    assert escaped not in RESERVED[scope]
    assert not escaped.startswith("_")


@given(PROTO_NAMES)
def test_names_that_are_free_stay(name: str) -> None:
    if name not in names.RESERVED_IN_MESSAGE and not name.startswith(("_", "x")) and not name.endswith("_"):
        assert names.escape(name, names.RESERVED_IN_MESSAGE) == name


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("ListRuns", "list_runs"),
        ("GetActionDataURIs", "get_action_data_uris"),
        ("GetOAuth2Metadata", "get_o_auth2_metadata"),
        ("HTTPServer", "http_server"),
        ("GetURL", "get_url"),
        ("ListIDs", "list_ids"),
        ("GetIDsOf", "get_ids_of"),
        ("Sha256Sum", "sha256_sum"),
        ("already_snake", "already_snake"),
        ("Get_Thing", "get_thing"),
        ("A", "a"),
        ("AB", "ab"),
        ("X509", "x509"),
        ("_", "_"),
    ],
)
def test_snake(name: str, snake: str) -> None:
    assert names.snake(name) == snake


@given(st.lists(st.sampled_from(["get", "run", "action", "id", "list"]), min_size=1, max_size=4))
def test_snake_undoes_camel(words: list[str]) -> None:
    assert names.snake("".join(word.capitalize() for word in words)) == "_".join(words)


@given(PROTO_NAMES)
def test_snake_gives_names_and_stays(name: str) -> None:
    snake = names.snake(name)
    assert snake.isidentifier() or snake[0].isdigit()
    assert names.snake(snake) == snake or "_" not in snake


@pytest.mark.parametrize(
    ("enum", "members", "prefix"),
    [
        ("ActionPhase", ["ACTION_PHASE_QUEUED", "ACTION_PHASE_RUNNING"], "ACTION_PHASE_"),
        ("Function", ["EQUAL", "CONTAINS"], ""),
        ("Version", ["VERSION_1", "VERSION_2"], ""),
        ("Mixed", ["MIXED_A", "OTHER"], ""),
        ("OAuth2Kind", ["O_AUTH2_KIND_A"], "O_AUTH2_KIND_"),
    ],
)
def test_the_prefix_of_enum_members(enum: str, members: list[str], prefix: str) -> None:
    assert names.member_prefix(enum, members) == prefix


def test_modules_can_be_imported() -> None:
    assert names.module("my-api.v1.import.2024") == "my_api.v1.import_.n2024"
    assert names.module("a b.c") == "a_b.c"


@given(PROTO_NAMES)
def test_generator_and_runtime_agree_on_json_names(name: str) -> None:
    assert names.json_name(name) == json_name(name)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(names).failed == 0


def test_what_generated_modules_may_import_is_what_the_contract_offers() -> None:
    assert set(contract.__all__) == (
        names.MESSAGE_RUNTIME
        | names.LARGE_MODULE_RUNTIME
        | names.SERVICE_RUNTIME
        | names.CLIENT_RUNTIME
        | names.ENTITY_RUNTIME
        | names.REGISTRY_RUNTIME
    )
    assert all(hasattr(contract, name) for name in contract.__all__)


def test_attributes_of_the_bases_are_reserved() -> None:
    public = {name for name in dir(Enum) if not name.startswith("_")}
    assert {"proto_name", "name", "value", "from_string"} <= names.RESERVED_IN_ENUM
    assert public - {"name", "value"} <= names.RESERVED_IN_ENUM
    assert {
        name for name in [*dir(Entity), "pb2"] if not name.startswith(("__", "_is_protocol"))
    } <= names.RESERVED_IN_ENTITY


def test_every_name_that_generated_modules_use_by_themselves_is_reserved_in_them(tmp_path: Path) -> None:
    kinds = {
        "messages": names.MESSAGE_MODULE,
        "services": names.SERVICE_MODULE,
        "clients": names.CLIENT_MODULE,
        "entities": names.ENTITY_MODULE,
    }
    seen: dict[str, set[str]] = {kind: set() for kind in kinds}
    for path, content in library(tmp_path).outcome().files.items():
        kind = path.split("/")[0]
        if kind in kinds and content:
            seen[kind] |= set(_imported(ast.parse(content)))
    for kind, reserved in kinds.items():
        assert seen[kind] <= reserved
        assert seen[kind] > {"annotations"}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("fragment_"):
            yield from (alias.asname or alias.name for alias in node.names)


def test_the_lists_are_frozen() -> None:
    """Reserving another word renames what users have; taking one away does too. So each change is made here as well."""
    sizes = {name: len(value) for name, value in RESERVED.items()}
    assert sizes == {
        "RESERVED_IN_MESSAGE": 70,
        "RESERVED_IN_ENUM": 53,
        "RESERVED_IN_ENTITY": 85,
        "RESERVED_IN_CLIENT": 40,
        "RESERVED_IN_SERVICE": 45,
        "RESERVED_AS_PARAMETER": 94,
        "RESERVED_AS_MODULE": 35,
        "RESERVED_AS_MESSAGE": 104,
        "RESERVED_AS_SERVICE": 71,
    }
