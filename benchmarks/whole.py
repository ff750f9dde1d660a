"""Measures of whole processes: imports, the first call, memory, the generator, installing."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from .bench import INSTALL_SECONDS, PYTHONS, ROOT, Bench
from .harness import LIMIT, OURS, REFERENCE, SIDES, Measure, Sample, Value
from .processes import Command, run

MEGABYTE = 1_000_000
IMPORT = "from flyte.remote import Run"

LIST_ONE_PAGE = """
import sys
import flyte
from flyte.remote import Run
flyte.init(endpoint=sys.argv[1], insecure=True, org="acme", project="flytesnacks", domain="development")
names = [run.name for run in Run.listall(project="runs-100")]
print(len(names), names[-1])
"""
LIST_ONE_PAGE_BY_HAND = """
import sys
import grpc
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from flyteidl2.common.list_pb2 import ListRequest
from flyteidl2.workflow.run_service_pb2 import ListRunsRequest
from flyteidl2.workflow.run_service_pb2_grpc import RunServiceStub
project = ProjectIdentifier(organization="acme", domain="development", name="runs-100")
with grpc.insecure_channel(sys.argv[1].removeprefix("http://")) as channel:
    page = RunServiceStub(channel).ListRuns(ListRunsRequest(request=ListRequest(limit=100), project_id=project))
names = [run.action.id.run.name for run in page.runs]
print(len(names), names[-1])
"""


def imported(python: str) -> Sample:
    def sample(bench: Bench) -> dict[str, Any]:
        ended = run([PYTHONS[python], "-c", IMPORT], cwd=bench.directory, env=bench.env)
        return {"seconds": 1000 * ended.seconds, "peak": ended.peak_bytes / MEGABYTE}

    return sample


def first_call(side: str) -> Sample:
    def sample(bench: Bench) -> dict[str, Any]:
        code = LIST_ONE_PAGE_BY_HAND if side == LIMIT else LIST_ONE_PAGE
        python = PYTHONS[OURS if side == OURS else REFERENCE]
        endpoint = bench.endpoint("connect" if side == REFERENCE else "grpc")
        ended = run([python, "-c", code, endpoint], cwd=bench.directory, env=bench.env)
        return {"value": 1000 * ended.seconds, "check": ended.output.strip().splitlines()[-1]}

    return sample


def memory(module: str) -> Sample:
    def sample(bench: Bench) -> dict[str, Any]:
        worker = bench.client(module, fresh=True)
        try:
            worker.ask("list_async", count=1000)
            result: dict[str, Any] = worker.ask("memory", count=100_000 // bench.scale)
        finally:
            worker.close()
        return result

    return sample


def generate(bench: Bench) -> dict[str, Any]:
    """Generate the whole client from copies of its inputs, and once more."""
    folder = bench.folder()
    for name in ("protos", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "codegen.toml", folder)
    command: Command = [PYTHONS[OURS].parent / "flyte-codegen", "generate"]
    scratch = run(command, cwd=folder, env=bench.env)
    unchanged = run(command, cwd=folder, env=bench.env)
    manifest = (folder / "generated" / "flyte_api" / "MANIFEST.json").read_bytes()
    shutil.rmtree(folder)
    return {
        "scratch": scratch.seconds,
        "unchanged": unchanged.seconds,
        "peak": scratch.peak_bytes / MEGABYTE,
        "check": hashlib.sha256(manifest).hexdigest(),
    }


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def installed(side: str) -> Sample:
    """Install into a new environment; what was in it before does not count."""

    def sample(bench: Bench) -> dict[str, Any]:
        folder = bench.folder()
        if side == OURS:
            build: Command = [PYTHONS[OURS], "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
            run(build, cwd=folder, env=bench.env, seconds=INSTALL_SECONDS)
            (what,) = (str(wheel) for wheel in folder.glob("*.whl"))
        else:
            what = "flyte==2.12.1"
        run([PYTHONS[OURS], "-m", "venv", folder / "env"], cwd=folder, env=bench.env)
        (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
        before, there = size(packages), set(packages.glob("*.dist-info"))
        pip: Command = [folder / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", what]
        run(pip, cwd=folder, env=bench.env, seconds=INSTALL_SECONDS)
        found = {
            "packages": len(set(packages.glob("*.dist-info")) - there),
            "megabytes": (size(packages) - before) / MEGABYTE,
        }
        shutil.rmtree(folder)
        return found

    return sample


MEASURES: tuple[Measure, ...] = (
    Measure(
        (Value("import_run", "ms", "seconds"), Value("import_memory", "MB peak", "peak")),
        {side: imported(side) for side in (OURS, REFERENCE)},
    ),
    Measure((Value("first_call", "ms"),), {side: first_call(side) for side in SIDES}),
    Measure(
        (Value("memory_per_run", "bytes", "untouched"), Value("memory_per_run_touched", "bytes", "touched")),
        {side: memory(side) for side in SIDES},
        warm=False,
    ),
    Measure(
        (
            Value("generate", "s", "scratch"),
            Value("generate_unchanged", "s", "unchanged"),
            Value("generate_memory", "MB peak", "peak"),
        ),
        {OURS: generate},
        warm=False,
    ),
    Measure(
        (Value("install_packages", "packages", "packages"), Value("install_megabytes", "MB", "megabytes")),
        {side: installed(side) for side in (OURS, REFERENCE)},
        once=True,
        warm=False,
    ),
)
