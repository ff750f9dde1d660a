"""Formatting, and what must hold for every file before any is written."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

from .config import Config
from .diagnostics import CodegenError, Diagnostic, error, fail

_STANDARD = sys.stdlib_module_names


def formatted(files: dict[str, str]) -> dict[str, str]:
    """The files after one pass of ruff over all of them: unused imports removed, sorted, formatted."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for name, content in files.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        isolated = ["--isolated", "--no-cache", "--quiet", "--line-length", "120", "--target-version", "py311"]
        for arguments in (["check", *isolated, "--fix", "--exit-zero", "--select", "F401,I001"], ["format", *isolated]):
            command = [sys.executable, "-m", "ruff", *arguments, str(root)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise fail("ruff", (done.stderr or done.stdout).replace(f"{root}/", "").strip(), "correct the template")
        return {name: (root / name).read_text(encoding="utf-8") for name in files}


def compiled(files: dict[str, str]) -> dict[str, ast.Module]:
    """The syntax trees of the Python files.

    Raises:
        CodegenError: Files that are not Python, each with the line.
    """
    findings: list[Diagnostic] = []
    trees: dict[str, ast.Module] = {}
    for name, content in files.items():
        if name.endswith(".py"):
            try:
                trees[name] = ast.parse(content)
            except SyntaxError as cause:
                line = (cause.text or "").strip()
                findings.append(error(f"{name}:{cause.lineno}", f"{cause.msg}: {line}", "correct the template"))
    if findings:
        raise CodegenError(findings)
    return trees


def check(files: dict[str, str], config: Config) -> None:
    """Refuse output that imports what generated code may not.

    Raises:
        CodegenError: All findings, each with the file and line.
    """
    findings = [f for name, tree in compiled(files).items() for f in _forbidden(name, tree, config)]
    if findings:
        raise CodegenError(findings)


def _forbidden(name: str, tree: ast.AST, config: Config) -> list[Diagnostic]:
    allowed = {config.package, *config.extern.values()}
    # Overlay classes are named in annotations only, and imported under TYPE_CHECKING.
    named = {e.overlay.partition(":")[0] for e in config.entities} | {config.runtime}
    found: list[Diagnostic] = []
    for node in ast.walk(tree):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            top = module.split(".")[0]
            if module in named or top in allowed or top in _STANDARD or top == "attrs":
                continue
            found.append(
                error(f"{name}:{node.lineno}", f"imports {module}", f"generated code may import only {config.runtime}")  # type: ignore[attr-defined]
            )
    return found
