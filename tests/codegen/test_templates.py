"""The templates: ours are small and total, those of others come first, and mistakes in them are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen.diagnostics import Diagnostic
from flyte_codegen.inputs import built_in_templates
from support.fragments import Fragment
from support.library import library

Mistakes = Callable[[Fragment], list[Diagnostic]]


def with_template(root: Path, name: str, source: str) -> Fragment:
    path = root / "templates" / name
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    made = library(root)
    text = made.config_path.read_text("utf-8").replace("[output]\n", '[output]\ntemplates = ["templates"]\n', 1)
    made.config_path.write_text(text, encoding="utf-8")
    return made


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("line\n{{ module.nothing }}\n", 2, "has no attribute 'nothing'"),
        ("\n\n{{ undefined_name }}\n", 3, "'undefined_name' is undefined"),
        ("{{ 1 + 'a' }}\n", 1, "unsupported operand"),
        ("\n{{ module.path | nope }}\n", 2, "No filter named 'nope'"),
        ("\n{% if %}\n", 2, "Expected an expression"),
        ("{% for x in module.messages %}\n{{ x.fields[99].name }}\n{% endfor %}", 2, "has no element 99"),
        ("{% include 'absent.j2' %}", 1, "absent.j2"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("\n{% macro f() %}{{ f() }}{% endmacro %}\n{{ f() }}", 2, "recursion"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_item(
    tmp_path: Path, mistakes: Mistakes, source: str, line: int, message: str
) -> None:
    (found,) = mistakes(with_template(tmp_path, "messages/%module.py.j2", source))
    assert found.place == f"messages/%module.py.j2:{line}" or (message == "absent.j2" and "absent" in found.place)
    assert message in found.message
    assert "(while rendering messages/" in found.message


def test_a_mistake_in_a_macro_is_told_where_it_is(tmp_path: Path, mistakes: Mistakes) -> None:
    macro = "{% macro property(item) %}\n\n{{ item.nothing }}\n{% endmacro %}"
    (found,) = mistakes(with_template(tmp_path, "entities/_property.j2", macro))
    assert found.place == "entities/_property.j2:3"
    assert "(while rendering entities/book.py)" in found.message


def test_output_that_is_not_python(tmp_path: Path, mistakes: Mistakes) -> None:
    (found, *_) = mistakes(with_template(tmp_path, "services/%service.py.j2", "class {{ service.name }}:\n    def\n"))
    assert found.place == "services/library/library_service.py:2"
    assert found.remedy == "correct the template"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import httpx\nhttpx\n", "imports httpx"),
        ("from flyte.runtime.wire import varint\nvarint\n", "imports flyte.runtime.wire"),
        ("from flyte.runtime import v1\nv1\n", "imports flyte.runtime"),
        ("from ..entities import book\nbook\n", "imports ..entities"),
        ("def f():\n    import flyte.remote\n    flyte.remote\n", "imports flyte.remote"),
        ("A = 1\nA = 2\n", "A is there twice"),
        ("class A:\n    def b(self): ...\n    def b(self): ...\n", "b is there twice"),
        ("class A:\n    x: int = 1\n    def x(self): ...\n", "x is there twice"),
    ],
)
def test_output_that_is_not_allowed(tmp_path: Path, mistakes: Mistakes, source: str, message: str) -> None:
    (found, *_) = mistakes(with_template(tmp_path, "services/%service.py.j2", source))
    assert found.place.startswith("services/library/library_service.py:")
    assert found.message == message


def test_templates_of_a_project_replace_and_add(tmp_path: Path) -> None:
    made = with_template(
        tmp_path, "entities/_property.j2", "{% macro property(item) %}\n{{ item.name }} = 1\n{% endmacro %}"
    )
    (tmp_path / "templates" / "reports").mkdir()
    (tmp_path / "templates" / "reports" / "%service.md.j2").write_text(
        "# {{ service.name }}: {{ service.rpcs | length }}\n"
    )
    (tmp_path / "templates" / "_partial.j2").write_text("never written")
    files = made.outcome().files
    assert "    title = 1\n" in files["entities/book.py"]
    assert files["reports/library/library_service.md"] == "# LibraryService: 4\n"
    assert not any("partial" in name for name in files)


def test_a_block_of_ours_may_be_replaced_alone(tmp_path: Path, mistakes: Mistakes) -> None:
    """The rest of the file stays ours, and follows it."""
    source = (
        '{% extends "@flyte/entities/%entity.py.j2" %}\n{% block methods %}\n{{ super() }}\n'
        "    @property\n    def shelf_mark(self) -> str:\n        return {{ entity.name | literal }}\n{% endblock %}\n"
    )
    ours = library(tmp_path / "ours").outcome().files["entities/book.py"].splitlines()
    made = with_template(tmp_path / "theirs", "entities/%entity.py.j2", source)
    files = made.outcome().files
    added = [line for line in files["entities/book.py"].splitlines() if line not in ours and made.package not in line]
    assert added == ["    def shelf_mark(self) -> str:", '        return "Book"']
    assert not any("@" in name for name in files)
    broken = source.replace("entity.name", "entity.nothing")
    (tmp_path / "theirs/templates/entities/%entity.py.j2").write_text(broken, encoding="utf-8")
    (found,) = mistakes(made)
    assert found.place == "entities/%entity.py.j2:6"


def test_items_that_do_not_exist(tmp_path: Path, mistakes: Mistakes) -> None:
    (found,) = mistakes(with_template(tmp_path, "x/%servce.py.j2", ""))
    assert str(found) == "x/%servce.py.j2: error: there are no items called %servce\n    did you mean %service?"


def test_a_folder_of_templates_that_is_not_there(tmp_path: Path, mistakes: Mistakes) -> None:
    made = library(tmp_path)
    made.config_path.write_text('[output]\ntemplates = ["nowhere"]\n', encoding="utf-8")
    (found,) = mistakes(made)
    assert found.place.endswith("nowhere")
    assert found.message == "no such folder of templates"


def test_ours_are_small() -> None:
    sizes = {p.name: len(p.read_text("utf-8").splitlines()) for p in built_in_templates().rglob("*.j2")}
    assert len(sizes) > 8
    assert {name: size for name, size in sizes.items() if size > 80} == {}
