"""Format the files, and check all of them before any is written."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from flyte_codegen.configuration.settings import Config
from flyte_codegen.diagnostics import CodegenError, Diagnostic, error, fail

_CLASS = re.compile(r"class (\w+)")
_Mistake = tuple[int, str, str]  # the line, the error, and the remedy


def formatted(files: dict[str, str], origins: Mapping[str, str]) -> dict[str, str]:
    """Format all files in one pass of ruff: remove unused imports, sort imports, format.

    Args:
        files: Text by path.
        origins: The template and item of each file, for errors.

    Raises:
        CodegenError: A file is not valid Python, or ruff is not installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for name, content in files.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        isolated = ["--isolated", "--no-cache", "--quiet", "--line-length", "120", "--target-version", "py311"]
        imports = [
            "--fix",
            "--exit-zero",
            "--select",
            "F401,I001",
            "--config",
            "lint.isort.split-on-trailing-comma=false",
        ]
        for arguments in (["check", *isolated, *imports], ["format", *isolated]):
            command = [*_ruff(), *arguments, "."]
            # Run in the folder: ruff's notion of first-party imports, and so their order, depends on where it runs.
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
            if done.returncode:
                syntax_trees(files, origins)  # reports syntax errors more briefly
                absent = "No module named ruff" in done.stderr
                remedy = "pip install 'flyte-remote[codegen]'" if absent else "correct the template"
                raise fail("ruff", (done.stderr or done.stdout).strip(), remedy)
        return {name: (root / name).read_text(encoding="utf-8") for name in files}


def _ruff() -> list[str]:
    """Return the command that starts ruff. Its program starts twice as fast as `python -m ruff`, but older versions hide its path."""
    try:
        return [import_module("ruff").find_ruff_bin()]
    except (ImportError, AttributeError, FileNotFoundError):
        return [sys.executable, "-m", "ruff"]


def syntax_trees(files: dict[str, str], origins: Mapping[str, str]) -> dict[str, ast.Module]:
    """Parse and compile the Python files. Some mistakes, such as a parameter that occurs twice, parse but do not compile.

    Raises:
        CodegenError: Files that do not compile, each with the line.
    """
    findings: list[Diagnostic] = []
    trees: dict[str, ast.Module] = {}
    for name, content in files.items():
        if name.endswith(".py"):
            try:
                trees[name] = ast.parse(content)
                compile(trees[name], name, "exec", dont_inherit=True)
            except SyntaxError as cause:
                findings.append(_finding(name, content, cause.lineno or 1, cause.msg, origins))
    if findings:
        raise CodegenError(findings)
    return trees


def check(files: dict[str, str], config: Config, origins: Mapping[str, str]) -> None:
    """Refuse output with forbidden imports or duplicate names.

    Raises:
        CodegenError: All findings, each with the file and line, the line's text, and its template and item.
    """
    findings = [
        _finding(name, files[name], line, message, origins, remedy)
        for name, tree in syntax_trees(files, origins).items()
        for line, message, remedy in (*_forbidden(tree, config), *_doubled(tree))
    ]
    if findings:
        raise CodegenError(findings)


def _finding(
    name: str, content: str, line: int, message: str, origins: Mapping[str, str], remedy: str = "correct the template"
) -> Diagnostic:
    """Return an error in a generated file that points to its template."""
    lines = content.split("\n")
    text = lines[line - 1].strip() if line <= len(lines) else ""
    around = next((found[1] for above in reversed(lines[:line]) if (found := _CLASS.match(above))), "")
    where = f", in class {around}" if around else ""
    origin = f" (rendered by {origins[name]}{where})" if origins.get(name) else ""
    return error(f"{name}:{line}", f"{message}: `{text}`{origin}", remedy)


def _forbidden(tree: ast.Module, config: Config) -> Iterator[_Mistake]:
    within = tuple(f"{package}." for package in (config.package, *config.extern.values()))
    # Classes of the overlay occur only in annotations, so their imports belong under TYPE_CHECKING.
    classes = [e.overlay for e in config.entities] + [f.accepts for f in config.filters.values()]
    overlays = {path.partition(":")[0] for path in classes}
    for statement in tree.body:
        type_only = isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
        for node, module in _imports(statement):
            known = module == config.runtime or module.partition(".")[0] in sys.stdlib_module_names
            known = known or module.startswith("._")  # the parts of a large module
            if known or f"{module}.".startswith(within) or (type_only and module in overlays):
                continue
            remedy = f"generated code may import only {config.runtime} and its own package"
            yield node.lineno, f"imports {module}", remedy


def _imports(statement: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    """Yield the imports in a statement. Expressions, the bulk of a tree, contain none and are skipped."""
    if isinstance(statement, ast.Import):
        yield from ((statement, alias.name) for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield statement, "." * statement.level + (statement.module or "")
    else:
        for inner in _inner(statement):
            yield from _imports(inner)


def _inner(node: ast.stmt | ast.excepthandler | ast.match_case) -> Iterator[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(node, name, ())
    for name in ("handlers", "cases"):
        for branch in getattr(node, name, ()):
            yield from _inner(branch)


def _doubled(tree: ast.Module) -> Iterator[_Mistake]:
    """Yield names bound twice in a module or class body: the second would silently replace the first."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for body in (tree.body, *(scope.body for scope in classes)):
        seen: set[str] = set()
        for node, bound in _bound(body):
            if bound in seen:
                yield node.lineno, f"{bound} is defined twice", "rename one of them"
            seen.add(bound)


def _bound(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    for node in body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node, node.name
            case ast.AnnAssign(target=ast.Name(id=bound)) | ast.Assign(targets=[ast.Name(id=bound)]):
                yield node, bound
            case ast.Import() | ast.ImportFrom():
                yield from ((node, alias.asname or alias.name) for alias in node.names)
            case ast.If():
                yield from _bound(node.body)
            case _:
                pass
