"""Where a run of the benchmarks has its interpreters, servers and workers."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from .processes import Command, Piped, run

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
CLIENTS = HERE / "clients"
BUILD = ROOT / "build" / "bench"
INSTALL_SECONDS = 300.0

PYTHONS = {
    "ours": BUILD / "ours" / "bin" / "python",
    "reference": ROOT / ".reference" / "bin" / "python",
    "tools": BUILD / "env" / "bin" / "python",
}
QUIET = {"DO_NOT_TRACK": "1", "FLYTE_DISABLE_TELEMETRY": "1", "FLYTE_DISABLE_SENTRY": "true"}
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class Bench:
    """One run. What it starts, it stops."""

    def __init__(self, *, quick: bool) -> None:
        self.scale = 10 if quick else 1
        self._stack = ExitStack()
        self._servers: dict[str, str] = {}
        self._workers: dict[tuple[str, ...], Piped] = {}

    def __enter__(self) -> Self:
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="flyte-bench-")))
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        pip = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "http", "no_proxy"))
        }
        self.env = {**kept, **pip, **QUIET, "HOME": str(self.directory), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        # Not the one that runs this: betterproto2 imports pydantic where it finds it, and here our tests need it.
        self._environment(BUILD / "ours", ROOT / "pyproject.toml", "-e", f"{ROOT}[codegen]")
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def folder(self) -> Path:
        """A new empty folder that goes when the run ends."""
        return Path(tempfile.mkdtemp(dir=self.directory))

    def endpoint(self, protocol: str) -> str:
        """Address of the server that speaks `grpc` or `connect`."""
        if protocol not in self._servers:
            self.tools()
            server = Piped(
                [PYTHONS["tools"], HERE / "servers" / f"{protocol}_server.py"], cwd=self.directory, env=self.env
            )
            self._stack.callback(server.close)
            self._servers[protocol] = f"http://127.0.0.1:{int(server.line())}"
        return self._servers[protocol]

    def client(self, module: str, *, fresh: bool = False, transport: str = "") -> Piped:
        """A connected worker of a client: `ours`, `reference` or `limit`. The caller closes a fresh one.

        `transport` is that of our client; the default is the client's own.
        """
        key = ("client", module, transport)
        if not fresh and key in self._workers:
            return self._workers[key]
        python = PYTHONS["ours" if module == "ours" else "reference"]
        worker = self._worker(python, module, self.env)
        protocol = "connect" if module == "reference" or transport == "connect" else "grpc"
        options = {"transport": transport} if transport else {}
        worker.ask("connect", endpoint=self.endpoint(protocol), **options)
        if fresh:
            return worker
        return self._workers.setdefault(key, worker)

    def codec(self, implementation: str) -> Piped:
        """A worker of an implementation of messages: `ours`, `betterproto` or `upb`."""
        key = ("codec", implementation)
        if key not in self._workers:
            env, python = self.env, PYTHONS["ours"]
            if implementation == "upb":
                python = PYTHONS["reference"]
            elif implementation == "betterproto":
                python, env = PYTHONS["tools"], {**self.env, "PYTHONPATH": str(self._betterproto_messages())}
            worker = self._worker(python, "codec", env)
            worker.ask("connect", implementation=implementation)
            self._workers[key] = worker
        return self._workers[key]

    def _worker(self, python: Path, module: str, env: dict[str, str]) -> Piped:
        worker = Piped([python, CLIENTS / "worker.py", module], cwd=self.directory, env=env)
        self._stack.callback(worker.close)
        return worker

    def tools(self) -> Path:
        """The interpreter of the servers, of betterproto2, and of grpc's compiler."""
        self._environment(BUILD / "env", HERE / "requirements.txt", "-r", HERE / "requirements.txt")
        return PYTHONS["tools"]

    def _environment(self, folder: Path, requirements: Path, *install: str | Path) -> None:
        """An environment with what a file asks for, made anew when the file changes."""
        wanted = requirements.read_text()
        ready = folder / "ready"
        if ready.exists() and ready.read_text() == wanted:
            return
        print(f"making {folder.relative_to(ROOT)} ...", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", folder], cwd=ROOT, env=self.env)
        pip: Command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *install]
        run(pip, cwd=ROOT, env=self.env, seconds=INSTALL_SECONDS)
        ready.write_text(wanted)

    def _betterproto_messages(self) -> Path:
        """What betterproto2's own compiler makes of protos/, made anew when either changes."""
        self.tools()
        protos = sorted(path.relative_to(ROOT / "protos") for path in (ROOT / "protos").rglob("*.proto"))
        key = hashlib.sha256((HERE / "requirements.txt").read_bytes())
        for proto in protos:
            key.update((ROOT / "protos" / proto).read_bytes())
        target = BUILD / f"betterproto-{key.hexdigest()[:16]}"
        if not target.exists():
            package = self.folder() / "betterproto_messages"
            package.mkdir()
            compile_all: Command = [
                PYTHONS["tools"],
                "-m",
                "grpc_tools.protoc",
                "-I.",
                f"--python_betterproto2_out={package}",
            ]
            path = f"{PYTHONS['tools'].parent}{os.pathsep}{self.env['PATH']}"
            run([*compile_all, *protos], cwd=ROOT / "protos", env={**self.env, "PATH": path})
            shutil.move(package.parent, target)
        return target
