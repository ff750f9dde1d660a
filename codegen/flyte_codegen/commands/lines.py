"""Find the definition that a line of a generated file comes from: a method, a property, an RPC or a message."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Api
from flyte_codegen.diagnostics import fail
from flyte_codegen.names import snake
from flyte_codegen.output.manifest import Manifest

_LINE = re.compile(r"(?P<file>.+\.py):(?P<line>\d+)(:\d+)?")


def name_at(api: Api, config: Config, name: str) -> str:
    """Return the name of the definition that a line of a generated file comes from. Return other names unchanged.

    Args:
        api: All definitions.
        config: The configuration.
        name: `FILE:LINE`, with a path relative to the current directory or to the output folder; or any other name.

    Raises:
        CodegenError: The file is not generated, has no such line, or the line belongs to no definition.
    """
    found = _LINE.fullmatch(name)
    if not found:
        return name
    file, line = Path(found["file"]), int(found["line"])
    path = next((p for p in (file, config.output / file) if p.is_file()), file)
    generated = Manifest.load(config.output).files
    folder = config.output.resolve()
    if not path.resolve().is_relative_to(folder) or path.resolve().relative_to(folder).as_posix() not in generated:
        raise fail(
            name, f"is not a generated file of {config.output.name}", "run flyte-codegen generate, or correct the path"
        )
    text = path.read_text("utf-8")
    if not 1 <= line <= len(text.splitlines()):
        raise fail(name, f"the file has {len(text.splitlines())} lines")
    kind, *module = path.resolve().relative_to(folder).with_suffix("").parts
    module = module[:-1] if module[-1:] == ["__init__"] else module
    target = _target(api, config, kind, ".".join(module), _around(ast.parse(text), line), text.splitlines()[line - 1])
    if not target:
        raise fail(name, "belongs to no method, property, RPC or message", "name a line within a class")
    return target


def _around(tree: ast.Module, line: int) -> list[ast.AST]:
    """Return the class around a line, and the function or assignment in it."""
    found: list[ast.AST] = []
    body: list[ast.stmt] = tree.body
    while inner := next((node for node in body if _first(node) <= line <= (node.end_lineno or 0)), None):
        found.append(inner)
        body = inner.body if isinstance(inner, ast.ClassDef) else []
    return found


def _first(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _target(api: Api, config: Config, kind: str, module: str, around: list[ast.AST], text: str) -> str:
    if not around or not isinstance(around[0], ast.ClassDef):
        return ""
    cls, member = around[0].name, _bound(around[-1])
    if kind == "entities":
        owner = next((e.name for e in config.entities if snake(e.name) == module), "")
        return f"{owner}.{member}" if owner and member else ""
    if kind in ("services", "clients"):
        service = next((s for s in api.services() if s.module == module), None)
        rpcs = service.methods if service else ()
        called = re.search(r"\.([A-Z][A-Z0-9_]*)\)", text)
        names = (member, called[1] if called else "")
        return next((m.full_name for m in rpcs if m.constant in names or m.py_name in names), "")
    if kind == "messages":
        files = (file for file in api.files if file.module == module)
        return next((t.full_name for file in files for t in file.messages if t.py_name == cls), "")
    return ""


def _bound(node: ast.AST) -> str:
    """Return the name that a statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node.name
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""
