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
        rules = ["check", "--fix", "--quiet", "--select", "F401,I001", "--exit-zero"]
        for arguments in (rules, ["format", "--quiet"]):
            options = ["--isolated", "--no-cache", "--line-length", "120", "--target-version", "py311"]
            command = [
                sys.executable,
                "-m",
                "ruff",
                *arguments[:1],
                *options[:2],
                *options[2:4],
                *options[4:],
                *arguments[1:],
            ]
            done = subprocess.run([*command, str(root)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise fail(
                    "ruff", done.stderr.replace(f"{root}/", "").strip() or done.stdout.strip(), "correct the template"
                )
        return {name: (root / name).read_text(encoding="utf-8") for name in files}


def check(files: dict[str, str], config: Config) -> None:
    """Refuse output that does not compile, or that imports what generated code may not.

    Raises:
        CodegenError: All findings, each with the file and line.
    """
    findings: list[Diagnostic] = []
    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        try:
            tree = ast.parse(content)
        except SyntaxError as cause:
            findings.append(error(f"{name}:{cause.lineno}", f"does not compile: {cause.msg}", "correct the template"))
            continue
        findings.extend(_forbidden(name, tree, config))
    if findings:
        raise CodegenError(findings)


def _forbidden(name: str, tree: ast.AST, config: Config) -> list[Diagnostic]:
    allowed = {config.package, *config.extern.values()}
    found: list[Diagnostic] = []
    for node in ast.walk(tree):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            top = module.split(".")[0]
            if module == config.runtime or top in allowed or top in _STANDARD or top == "attrs":
                continue
            found.append(
                error(f"{name}:{node.lineno}", f"imports {module}", f"generated code may import only {config.runtime}")  # type: ignore[attr-defined]
            )
    return found
