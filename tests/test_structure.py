"""Limits on the size of modules and folders."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 400
MOST = 14


def python(folder: str) -> list[Path]:
    found = sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)
    assert found, f"{folder} has no modules"
    return found


@pytest.mark.parametrize("folder", ["src", "codegen", "generated/flyte_api/entities"])
def test_modules_are_short(folder: str) -> None:
    sizes = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in python(folder)}
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


@pytest.mark.parametrize("folder", ["src", "codegen", "tests", "benchmarks"])
def test_folders_are_small(folder: str) -> None:
    counts: dict[str, int] = {}
    for path in python(folder):
        counts[str(path.parent.relative_to(ROOT))] = counts.get(str(path.parent.relative_to(ROOT)), 0) + 1
    assert {name: count for name, count in counts.items() if count > MOST + 1} == {}, "one more for __init__.py"


@pytest.mark.parametrize("folder", ["src", "codegen"])
def test_no_work_is_done_while_an_unrelated_error_is_handled(folder: str) -> None:
    """Errors of such work would show the first error as their context: "During handling of the above exception ..."."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python(folder)
        for handler in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(handler, ast.ExceptHandler)
        for node in ast.walk(handler)
        if (isinstance(node, ast.Return) and isinstance(node.value, ast.Await))
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "bridge.run")
    ]
    assert found == []


def test_only_the_terminal_module_prints() -> None:
    """`print` fails on streams that cannot encode the text; the worker prints on a stream of its own."""
    printing = {
        path.relative_to(ROOT / "src").as_posix()
        for path in python("src")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    }
    assert printing == {"flyte_rpc/terminal.py", "flyte/devbox/executor/processes/worker.py"}


@pytest.mark.parametrize("folder", ["src", "codegen"])
def test_folders_say_what_lives_there(folder: str) -> None:
    silent = [p for p in python(folder) if p.name == "__init__.py" and not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []
