"""The templates: built-in ones are small, custom ones take precedence, and errors in them are reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen.configuration.fingerprint import built_in_templates
from flyte_codegen.diagnostics import Diagnostic
from support.fragments import Fragment
from support.library import library

Mistakes = Callable[[Fragment], list[Diagnostic]]
Command = Callable[..., tuple[int, str, str]]


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
    assert found.place == f"{tmp_path}/templates/messages/%module.py.j2:{line}"
    assert message in found.message
    # The first module in the order of files.
    assert (
        "(while rendering messages/google/protobuf/timestamp.py, for module google/protobuf/timestamp.proto"
        in found.message
    )


@pytest.mark.parametrize(
    ("name", "source", "items"),
    [
        ("messages/%module.py.j2", "{% for m in module.messages if m.name == 'Book' %}\n{{ m.nothing }}\n{% endfor %}",
         "messages/library/books.py, for module library/books.proto, message library.Book"),
        ("messages/%module.py.j2", "{% for e in module.enums %}\n{{ e.nothing }}\n{% endfor %}",
         "messages/library/books.py, for module library/books.proto, enum library.BookState"),
        ("services/%service.py.j2", "{% for r in service.rpcs if r.handler == 'get_book' %}\n{{ r.nothing }}\n{% endfor %}",
         "services/library/library_service.py, for service library.LibraryService, rpc /library.LibraryService/GetBook"),
        ("entities/_method.j2", "{% macro method(item) %}\n{{ item.nothing }}\n{% endmacro %}",
         "entities/book.py, for entity Book, method library.LibraryService.GetBook"),
        ("entities/_property.j2", "{% macro property(item) %}\n{{ item.nothing }}\n{% endmacro %}",
         "entities/book.py, for entity Book, property name"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_the_innermost_item(
    tmp_path: Path, command: Command, name: str, source: str, items: str
) -> None:
    made = with_template(tmp_path, name, source)
    code, out, err = command(made, "generate")
    assert (code, out) == (1, "")
    assert err.startswith(f"{tmp_path}/templates/{name}:2: error: ")
    assert f"has no attribute 'nothing' (while rendering {items})\n    correct the template\n" in err
    assert not made.path.exists()


def test_a_mistake_of_theirs_that_shows_in_ours(tmp_path: Path, command: Command) -> None:
    made = with_template(tmp_path, "entities/_property.j2", "{# no macro called property #}")
    code, _, err = command(made, "generate")
    assert code == 1
    assert err.startswith("@flyte/entities/%entity.py.j2:")
    assert "(while rendering entities/book.py, for entity Book" in err
    assert "    check your templates that replace ones used here" in err


def test_output_that_is_not_python(tmp_path: Path, command: Command) -> None:
    source = "class {{ service.name }}:\n    def\n"
    code, _, err = command(with_template(tmp_path, "services/%service.py.j2", source), "generate")
    assert code == 1
    assert err == (
        "services/library/library_service.py:2: error: invalid syntax: `def` (rendered by "
        f"{tmp_path}/templates/services/%service.py.j2 for service library.LibraryService, in class LibraryService)\n"
        "    correct the template\n"
    )


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("import httpx\nhttpx\n", "imports httpx", "import httpx"),
        ("from flyte_rpc.codec.wire import varint\nvarint\n", "imports flyte_rpc.codec.wire", "from flyte_rpc.codec.wire import varint"),
        ("from flyte_rpc import v1\nv1\n", "imports flyte_rpc", "from flyte_rpc import v1"),
        ("from ..entities import book\nbook\n", "imports ..entities", "from ..entities import book"),
        ("def f():\n    import flyte.remote\n    flyte.remote\n", "imports flyte.remote", "import flyte.remote"),
        ("A = 1\nA = 2\n", "A is defined twice", "A = 2"),
        ("class A:\n    def b(self): ...\n    def b(self): ...\n", "b is defined twice", "def b(self): ..."),
        ("class A:\n    x: int = 1\n    def x(self): ...\n", "x is defined twice", "def x(self): ..."),
    ],
)  # fmt: skip
def test_output_that_is_not_allowed(tmp_path: Path, mistakes: Mistakes, source: str, message: str, line: str) -> None:
    (found, *_) = mistakes(with_template(tmp_path, "services/%service.py.j2", source))
    assert found.place.startswith("services/library/library_service.py:")
    inside = ", in class A" if "class A" in source else ""
    template = f"{tmp_path}/templates/services/%service.py.j2"
    assert found.message == (f"{message}: `{line}` (rendered by {template} for service library.LibraryService{inside})")


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
    assert found.place == f"{tmp_path}/theirs/templates/entities/%entity.py.j2:6"


def test_items_that_do_not_exist(tmp_path: Path, mistakes: Mistakes) -> None:
    (found,) = mistakes(with_template(tmp_path, "x/%servce.py.j2", ""))
    assert str(found) == "x/%servce.py.j2: error: there is no item kind %servce\n    did you mean %service?"


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
