"""The fixture that projects use in their own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from devbox.calls import DEADLINE

TESTS = """
import pytest
from flyte_api.registry import registry
from flyte.remote import Project

seen = []


def test_connected(flyte_devbox):
    assert registry.default.endpoint == flyte_devbox.endpoint
    assert Project.get("flytesnacks").name == "flytesnacks"
    seen.append(flyte_devbox)


def test_not_connected_without_it():
    assert registry.default is None


def test_the_same_one_again(flyte_devbox):
    assert seen == [flyte_devbox]
    assert registry.default is not None
"""


def test_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=2 * DEADLINE, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_it_costs_nothing_until_it_is_used() -> None:
    """pytest loads the plugin for every project that has the SDK installed."""
    code = (
        "import sys, pytest, flyte.devbox.pytest\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('grpclib', 'h2', 'flyte_api')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert done.stdout.strip() == "[]"
