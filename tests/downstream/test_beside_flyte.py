"""The official SDK installs the import package `flyte` too: both in one environment are refused, whichever came first."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from downstream.conftest import PIP, REPO, SECONDS, Place

if not os.environ.get("INTEROP"):
    pytest.skip("it installs the official SDK twice; run make interop", allow_module_level=True)
DEPENDENCIES = sorted(REPO.glob(".reference/lib/python*/site-packages"))
if not DEPENDENCIES:
    pytest.skip("there is no environment of the official SDK; make .reference/ready", allow_module_level=True)

OFFICIAL = "flyte==2.12.1"
BOTH = "The distributions flyte-remote and flyte both install the package 'flyte'"


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the official SDK, without what it depends on."""
    folder = tmp_path_factory.mktemp("official")
    subprocess.run([*PIP, "download", "--no-deps", "--dest", folder, OFFICIAL], check=True, timeout=SECONDS)
    (wheel,) = folder.iterdir()
    return wheel


@pytest.fixture
def environment(tmp_path: Path) -> Place:
    """An environment with the dependencies of both distributions, and neither of the two."""
    made = Place(tmp_path)
    venv.create(made.environment, with_pip=False, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(made.environment)})
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for entry in DEPENDENCIES[0].iterdir():
        if entry.name != "flyte" and not entry.name.startswith("flyte-"):
            (theirs / entry.name).symlink_to(entry)
    Path(packages, "third_party.pth").write_text(f"{sysconfig.get_path('purelib')}\n{theirs}\n")
    return made


def install(environment: Place, *wheels: Path) -> None:
    for wheel in wheels:
        pip(environment, "install", "--no-deps", "--no-compile", str(wheel))


def pip(environment: Place, *arguments: str) -> None:
    subprocess.run([*PIP, "--python", environment.python, *arguments], check=True, timeout=SECONDS)


def test_ours_installed_last(wheel: Path, official: Path, environment: Place) -> None:
    install(environment, official, wheel)
    for code in ("import flyte", "from flyte.remote import Run", "import flyte.devbox"):
        said = environment.run(environment.python, "-c", code, succeeds=False)
        assert f"ImportError: {BOTH}" in said and "pip uninstall --yes flyte flyte-remote" in said
    _refused_by_commands(environment)
    pip(environment, "uninstall", "--yes", "flyte")
    said = environment.run(environment.python, "-m", "flyte.devbox", "--help", succeeds=False)
    assert "is incomplete: uninstalling flyte has removed files of flyte-remote" in said
    said = environment.run("flyte-codegen", "--version", succeeds=False)
    assert said.startswith("flyte-codegen: The package 'flyte'") and "--force-reinstall --no-deps flyte-remote" in said
    pip(environment, "install", "--force-reinstall", "--no-deps", "--no-compile", str(wheel))
    assert environment.run(environment.python, "-c", "import flyte.devbox, flyte.remote; print('whole')") == "whole\n"


def test_theirs_installed_last(wheel: Path, official: Path, environment: Place) -> None:
    install(environment, wheel, official)
    _refused_by_commands(environment)


def _refused_by_commands(environment: Place) -> None:
    (environment.root / "test_nothing.py").write_text("def test_nothing(): pass\n")
    for command in (
        (environment.python, "-m", "flyte.devbox", "--help"),
        ("flyte-codegen", "--version"),
        (environment.python, "-m", "pytest", "test_nothing.py"),
    ):
        assert BOTH in environment.run(*command, succeeds=False), command
