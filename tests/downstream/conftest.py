"""The setup of another team: an environment with our wheel but not our checkout, and projects in it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
EXAMPLE = REPO / "examples/downstream"
SECONDS = 300
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


class Place:
    """An environment with our wheel, and a folder for projects that use it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = root / "venv"

    @property
    def python(self) -> Path:
        return self.environment / "bin/python"

    def run(self, *command: str | Path, cwd: Path | None = None, succeeds: bool = True) -> str:
        """Run a command as that team would, and return what it prints."""
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "PYTHON"))}
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.root,
            # A shared mypy cache, because most of the checked code is our package.
            env={**kept, "PATH": path, "MYPY_CACHE_DIR": str(self.root / "mypy")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode == 0) is succeeds, f"{command} exited with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def settle(self, project: Path) -> Path:
        """Give a project the environment, as its own `make setup` would by way of a package registry."""
        (project / ".venv").symlink_to(self.environment)
        (project / ".venv/ready").touch()
        return project


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Our wheel, built once for all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if hasattr(request.config, "workerinput") else own) / "wheels"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(shared.glob("*.whl")):
            subprocess.run([*PIP, "wheel", "--no-deps", "--wheel-dir", shared, REPO], check=True, timeout=SECONDS)
    (wheel,) = shared.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The environment, made once: what ours depends on comes from the environment of this test, ours from the wheel."""
    made = Place(tmp_path_factory.mktemp("place"))
    venv.create(made.environment, with_pip=False, symlinks=True)
    subprocess.run(
        [*PIP, "--python", made.python, "install", "--no-deps", "--no-compile", wheel], check=True, timeout=SECONDS
    )
    # A path in a .pth file is searched, but .pth files in it are not read: the checkout installed there stays out.
    packages = sysconfig.get_path("purelib", vars={"base": str(made.environment)})
    Path(packages, "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


@pytest.fixture(scope="session")
def example(place: Place) -> Path:
    """The example, copied out of the repository."""
    caches = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "dist")
    return place.settle(Path(shutil.copytree(EXAMPLE, place.root / "library-sdk", ignore=caches)))


@pytest.fixture(scope="session")
def scaffolded(place: Place) -> Path:
    """A project as `flyte-codegen new` writes it."""
    place.run("flyte-codegen", "new", "my-sdk")
    return place.settle(place.root / "my-sdk")


@pytest.fixture(params=["example", "scaffolded"])
def project(request: pytest.FixtureRequest) -> Path:
    """Each of the two."""
    found: Path = request.getfixturevalue(request.param)
    return found
