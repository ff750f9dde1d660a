"""Who may import whom, and how long a module may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400

FORBIDDEN = {
    "generated/flyte_api": r"flyte(\.|$)|flyte_rpc(?!\.v1$)|flyte_codegen",
    "src/flyte_rpc": r"flyte_api|flyte(\.|$)|flyte_codegen",
    "src/flyte/remote": r"flyte\.devbox|flyte_codegen|grpclib|h2",
    "src/flyte/types": r"flyte\.(remote|devbox|controller)|flyte_codegen",
    "src/flyte/devbox": r"flyte_codegen",
    "codegen/flyte_codegen": r"flyte(\.|$)|flyte_api",
}
"""What the modules of a folder must not import when they run."""


def python(folder: str) -> list[Path]:
    found = sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)
    assert found, f"{folder} has no modules"
    return found


def imports(path: Path, *, type_only: bool = False) -> Iterator[str]:
    """The modules that a module imports; those under TYPE_CHECKING, or the others. Relative ones in full."""
    tree = ast.parse(path.read_text("utf-8"))
    guarded = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if (id(node) in guarded) != type_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield full_name(path, node)


def full_name(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    top = next(part for part in ("src", "generated", "codegen") if path.is_relative_to(ROOT / part))
    package = path.relative_to(ROOT / top).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_modules_import_only_what_is_below_them(folder: str) -> None:
    wrong = [(p.name, m) for p in python(folder) for m in imports(p) if re.match(FORBIDDEN[folder], m)]
    assert wrong == []


def test_generated_modules_name_overlays_for_type_checkers_only() -> None:
    named = {m for p in python("generated/flyte_api") for m in imports(p, type_only=True)}
    assert {m for m in named if not m.startswith("flyte_api.")} <= {
        ".".join(p.relative_to(ROOT / "src").with_suffix("").parts) for p in python("src/flyte/remote")
    }
    for folder in ("messages", "services"):
        named = {m for p in python(f"generated/flyte_api/{folder}") for m in imports(p, type_only=True)}
        assert all(m.startswith(("flyte_api.messages.", "typing")) for m in named)


def test_generated_messages_and_services_do_not_depend_on_entities() -> None:
    for folder in ("messages", "services"):
        found = {m for p in python(f"generated/flyte_api/{folder}") for m in imports(p)}
        assert not any(m.startswith("flyte_api.") for m in found), "messages are resolved when they are used"


def test_the_generator_stands_alone() -> None:
    found = {m.split(".")[0] for p in python("codegen/flyte_codegen") for m in imports(p)}
    assert not found & {"flyte", "flyte_api", "betterproto2", "grpclib"}


@pytest.mark.parametrize("folder", ["src", "codegen", "generated/flyte_api/entities"])
def test_modules_can_be_held_in_mind(folder: str) -> None:
    sizes = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in python(folder)}
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}
