"""The foreign programs that the client is tested with: where they are, how they are built, and their versions."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SUPPORT = _ROOT / "tests/support"
_FOLDERS = (_ROOT / ".peers/bin", Path("/usr/sbin"), Path("/usr/local/sbin"))

_HINTS = {
    "envoy": "`make interop` installs it into .peers where the package index has it for this system",
    "go": "https://go.dev/dl",
    "npm": "https://nodejs.org",
}

_VERSION_FLAGS = {"envoy": "--version", "caddy": "version", "go": "version", "node": "--version"}


@cache
def program(name: str) -> Path:
    """Find a program. Skips the test if it is not installed."""
    found = shutil.which(name) or next((hit for folder in _FOLDERS if (hit := shutil.which(name, path=folder))), None)
    if found is None:
        pytest.skip(f"{name} is not installed; {_HINTS.get(name, 'install it with the package manager')}")
    return Path(found)


@cache
def version(name: str) -> str:
    """The version of an installed program."""
    done = subprocess.run(
        [program(name), _VERSION_FLAGS.get(name, "-v")], capture_output=True, text=True, check=True, timeout=20
    )
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found.group() if found else "?"


def build_grpc_go(folder: Path) -> Path:
    """Build the grpc-go server. Skips the test if that is impossible."""
    made = folder / "grpc_go"
    return _built([program("go"), "build", "-o", made, "."], _SUPPORT / "grpc_go", made, "grpc-go")


def grpc_go_version() -> str:
    """The version of grpc-go that the server is built with."""
    return (_SUPPORT / "grpc_go/go.mod").read_text().partition("google.golang.org/grpc v")[2].split()[0]


def build_grpc_js(folder: Path) -> Path:
    """Install grpc-js beside a copy of the server. Skips the test if that is impossible."""
    npm = program("npm")
    program("node")
    shutil.copytree(_SUPPORT / "grpc_js", folder, dirs_exist_ok=True)
    quick = ["--fetch-retries=1", "--fetch-timeout=30000"]
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", *quick]
    return _built(command, folder, folder / "server.js", "grpc-js")


def grpc_js_version() -> str:
    """The version of grpc-js that the server asks for."""
    return (_SUPPORT / "grpc_js/package.json").read_text().partition('grpc-js": "')[2].partition('"')[0]


def _built(command: list[str | Path], cwd: Path, made: Path, what: str) -> Path:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the {what} server cannot be built: it takes more than two minutes")
    if done.returncode:
        pytest.skip(f"the {what} server cannot be built: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    return made


def once(build: Callable[[], Path]) -> Callable[[], Path]:
    """Build at the first call. Later calls return the same path, or skip their test for the same reason."""
    outcomes: list[Path | pytest.skip.Exception] = []

    def get() -> Path:
        if not outcomes:
            try:
                outcomes.append(build())
            except pytest.skip.Exception as skipped:
                outcomes.append(skipped)
        if isinstance(outcomes[0], Path):
            return outcomes[0]
        raise outcomes[0]

    return get


@contextmanager
def listening_server(command: list[str | Path]) -> Iterator[int]:
    """Run a server that prints its port and ends when its standard input does. Gives the port."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(20)
