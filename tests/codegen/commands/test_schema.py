"""The keys of codegen.toml as a JSON Schema and as a page, both from the tables that read the file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from flyte_codegen import cli
from support.library import TOML, library

REPO = Path(__file__).parents[3]
FILES = {"schema": "codegen.schema.json", "schema --markdown": "codegen-toml.md"}


@pytest.fixture
def schema(capsys: pytest.CaptureFixture[str]) -> Any:
    assert cli.main(["schema"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", FILES)
def test_the_files_in_docs_are_up_to_date(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(command.split()) == 0
    there = (REPO / "docs" / FILES[command]).read_text("utf-8")
    assert capsys.readouterr().out == there, f"run flyte-codegen {command} > docs/{FILES[command]}"


def tomls() -> Iterator[tuple[str, str]]:
    for path in ("codegen.toml", "examples/downstream/codegen.toml"):
        yield path, (REPO / path).read_text("utf-8")
    scaffold = REPO / "codegen/flyte_codegen/scaffold/project/codegen.toml.j2"
    yield "scaffold", scaffold.read_text("utf-8").replace("{{ package }}", "my_sdk")
    yield "library", TOML


@pytest.mark.parametrize(("name", "toml"), list(tomls()), ids=lambda value: value if "\n" not in value else "")
def test_files_in_use_are_accepted(schema: Any, name: str, toml: str) -> None:
    Draft7Validator.check_schema(schema)
    errors = [f"{list(e.path)}: {e.message}" for e in Draft7Validator(schema).iter_errors(tomllib.loads(toml))]
    assert not errors, name


@pytest.mark.parametrize(
    "toml",
    [
        "zzz = 1",
        "[input]\nprotos = 'x'",
        "[output]\npackage = 'my-api'",
        "[listing]\nrequest = 'a.B'",
        "[filters.a]\nkind = 'equals'",
        "[entities.Book]\nidentty = 'id'",
        "[entities.Book]\nproperties = [5]",
        "[entities.Book.methods]\nGet = { kind = 'zzz' }",
        "[entities.Book.methods]\nGet = { missing_ok = 'yes' }",
        "[[entities.Book.methods.Get]]\nname = 'def'",
        "[rules.\"a.B.c\"]\nmax_len = -1",
        "[sort_keys]\nK = 'a'",
    ],
)  # fmt: skip
def test_mistakes_are_refused(schema: Any, toml: str) -> None:
    assert list(Draft7Validator(schema).iter_errors(tomllib.loads(toml)))


def test_every_key_is_described(schema: Any) -> None:
    def lacking(path: str, table: Any) -> Iterator[str]:
        for name, inner in table.get("properties", {}).items():
            if not inner.get("description") and name != "methods":
                yield f"{path}.{name}"
            yield from lacking(f"{path}.{name}", inner)
        if isinstance(inner := table.get("additionalProperties"), dict):
            for variant in inner.get("anyOf", [inner]):
                yield from lacking(f"{path}.*", variant)

    assert list(lacking("", schema)) == []


def test_lists_of_tables_for_a_method_are_described(
    schema: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """And the example on the page is one that is accepted."""
    methods = schema["properties"]["entities"]["additionalProperties"]["properties"]["methods"]
    assert "list of methods" in methods["additionalProperties"]["description"]
    assert cli.main(["schema", "--markdown"]) == 0
    _, _, after = capsys.readouterr().out.partition("One RPC can give several methods.")
    example = after.partition("```toml\n")[2].partition("```")[0]
    assert not list(Draft7Validator(schema).iter_errors(tomllib.loads(example)))
    toml = TOML.replace("GetBook = {}\n", example.replace("[entities.Book]\nmethods.", ""))
    entity = library(tmp_path, toml).outcome().files["entities/book.py"]
    assert "async def get(" in entity and "async def refresh(self" in entity
