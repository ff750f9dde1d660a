from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyte_api.registry import registry


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A home and working directory without configuration, no variables of Flyte tools, and no default client."""
    for name in list(os.environ):
        if name.startswith(("FLYTE_", "_U_", "FLYTECTL_", "UCTL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(work)
    previous = registry.default
    registry.set_default(None)
    yield
    registry.set_default(previous)


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration file."""

    def write(text: str | bytes, path: str = "work/config.yaml") -> Path:
        at = tmp_path / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(text if isinstance(text, bytes) else text.encode())
        return at

    return write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a folder in it, which is the working directory."""
    root = tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root
