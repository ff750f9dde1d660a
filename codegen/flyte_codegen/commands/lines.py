"""Find the definition that a line comes from: a line of a generated file, of codegen.toml or of a .proto file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Api, Enum, Message, Method, Service
from flyte_codegen.diagnostics import fail
from flyte_codegen.names import snake
from flyte_codegen.output.manifest import Manifest

_LINE = re.compile(r"(?P<file>.+\.py):(?P<line>\d+)(:\d+)?")
_INPUT = re.compile(r"(?P<file>.+\.(toml|proto)):(?P<line>\d+)(:\d+)?")


def name_at(api: Api, config: Config, name: str) -> str:
    """Return the name of the definition that a line comes from. Return other names unchanged.

    Args:
        api: All definitions.
        config: The configuration.
        name: `FILE:LINE`, with a path relative to the current directory or to the output folder; or any other name. The file
            may be generated, codegen.toml, or a .proto file.

    Raises:
        CodegenError: The name is empty, the file is none of these, has no such line, or the line belongs to nothing.
    """
    if not name.strip():
        raise fail("explain", "the name is empty", "pass an RPC, a method or property, a message, or FILE:LINE")
    if found := _INPUT.fullmatch(name):
        file, line = found["file"], int(found["line"])
        return _of_definition(api, name, file, line) if file.endswith(".proto") else _of_table(config, name, file, line)
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
    if line < 1:
        raise fail(name, "there is no such line: the first is line 1", f"try {file}:1")
    if line > len(text.splitlines()):
        raise fail(name, f"the file has {len(text.splitlines())} lines")
    kind, *module = path.resolve().relative_to(folder).with_suffix("").parts
    module = module[:-1] if module[-1:] == ["__init__"] else module
    target = _target(api, config, kind, ".".join(module), _around(ast.parse(text), line), text.splitlines()[line - 1])
    if not target:
        raise fail(name, "belongs to no method, property, RPC or message", "name a line within a class")
    if kind == "entities" and "." not in target:
        table = f"[entities.{target}] in {config.source.at(('entities', target))}"
        raise fail(name, f"belongs to the entity {target} as a whole: {table}", "name a line of a method or property")
    return target


def _of_definition(api: Api, name: str, file: str, line: int) -> str:
    """Return the name of the RPC, service, message or enum that is defined at a line of a definition."""
    services = list(api.services())
    rpcs = [rpc for service in services for rpc in service.methods]
    here: list[str] = []
    known: list[Method | Service | Message | Enum] = [*rpcs, *services, *api.messages.values(), *api.enums.values()]
    for found in known:
        path, number = (*found.place.split(":"), "")[:2]
        if (path == file or file.endswith(f"/{path}")) and number == str(line):
            here.append(found.full_name)
    if not here:
        raise fail(name, "no RPC, service, message or enum is defined at this line", "name the line of its first word")
    return here[0]


def _of_table(config: Config, name: str, file: str, line: int) -> str:
    """Return the RPC or the property of the table or key at a line of codegen.toml."""
    if Path(file).name != Path(config.name).name:
        raise fail(name, f"is not {config.name}", "correct the path")
    match config.source.keys_at(line):
        case ("entities", owner, "properties", member, *_):
            return f"{owner}.{member}"
        case ("entities", owner, "methods", label, *_):
            entity = next(e for e in config.entities if e.name == owner)
            return next(entity.full_name(method) for method in entity.methods if method.table == label)
        case ():
            raise fail(name, "no table or key starts at this line", "name the line of a method or property")
        case keys:
            raise fail(name, f"is {'.'.join(keys)}, which is no method or property", "name the line of one")


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
        return f"{owner}.{member}" if owner and member and not member.startswith("_") else owner
    if kind in ("services", "clients"):
        service = next((s for s in api.services() if s.module == module), None)
        rpcs = service.methods if service else ()
        called = re.search(r"\.([A-Z][A-Z0-9_]*)\)", text)
        names = (member, called[1] if called else "")
        whole = service.full_name if service else ""
        return next((m.full_name for m in rpcs if m.constant in names or m.py_name in names), whole)
    if kind == "messages":
        files = (file for file in api.files if file.module == module)
        return next((t.full_name for file in files for t in file.types if t.py_name == cls), "")
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
