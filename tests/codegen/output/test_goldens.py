"""One generated module of each kind, stored for reviewers: they show the effect of template changes.

`UPDATE_GOLDENS=1 pytest tests/codegen -k goldens` updates them.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from support.library import library

GOLDENS = Path(__file__).parents[1] / "goldens"
MODULES = {
    "messages.py.txt": "messages/library/common.py",
    "service.py.txt": "services/library/library_service.py",
    "entity.py.txt": "entities/book.py",
    "exports.py.txt": "exports.py",
}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = library(tmp_path_factory.mktemp("golden"))
    # The name decides how imports are sorted and wrapped, so it is set before and not replaced afterwards.
    text = made.config_path.read_text("utf-8").replace(made.package, "library_api")
    made.config_path.write_text(text, encoding="utf-8")
    return made.outcome().files


@pytest.mark.parametrize("golden", MODULES)
def test_a_module_is_what_it_was(golden: str, generated: dict[str, str]) -> None:
    path, content = GOLDENS / golden, generated[MODULES[golden]]
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(content, encoding="utf-8")
    diff = difflib.unified_diff(
        path.read_text("utf-8").splitlines(), content.splitlines(), golden, "generated", lineterm=""
    )
    assert content == path.read_text("utf-8"), "\n".join(diff)


def test_goldens_are_few_and_small() -> None:
    files = sorted(GOLDENS.iterdir())
    assert [f.name for f in files] == sorted(MODULES)
    assert sum(len(f.read_text("utf-8").splitlines()) for f in files) <= 1500
