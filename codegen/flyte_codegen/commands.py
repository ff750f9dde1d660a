"""What `flyte-codegen` can do: new, generate, check, explain and import."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from . import config, scaffold
from .diagnostics import CodegenError, Diagnostic
from .importing import command as importing
from .importing.lock import FILE_NAME, verify
from .importing.problem import ImportProblem
from .pipeline import generate
from .write import compare, write


def run(argv: list[str] | None) -> int:
    """Run the command line; returns its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "import":
            return importing.main(arguments)
        if arguments.command == "new":
            return scaffold.main(arguments)
        settings = config.read(arguments.config)
        if arguments.command == "explain":
            from .explain import explain

            print(explain(settings, arguments.name))
            return 0
        return _generate(settings, force=arguments.force) if arguments.command == "generate" else _check(settings)
    except CodegenError as cause:
        _show(cause.diagnostics)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flyte-codegen", description="Generate a typed client from protobuf definitions."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("generate", "write the client"),
        ("check", "fail unless the client in place is exactly what would be generated"),
        ("explain", "tell how an RPC or message is generated, and why"),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--config", type=Path, default=Path("codegen.toml"), help="default: ./codegen.toml")
        if name == "generate":
            sub.add_argument("--force", action="store_true", help="discard what others wrote or edited in the output")
        if name == "explain":
            sub.add_argument(
                "name", help="a method such as RunService.ListRuns, or a message such as common.ListRequest"
            )
    scaffold.add_arguments(commands.add_parser("new", help="write a project that generates a client of its own"))
    importing.add_arguments(commands.add_parser("import", help="write .proto files from a wheel's descriptors"))
    return parser


def _show(diagnostics: Iterable[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        print(diagnostic, file=sys.stderr)


def _generate(settings: config.Config, *, force: bool) -> int:
    started = time.perf_counter()
    output = generate(settings)
    _show(output.warnings)
    done = write(settings.output, output.files, force=force)
    changed, removed = len(done.stale) + len(done.edited), len(done.obsolete) + len(done.stray)
    counts = f"{len(done.missing)} added, {changed} changed, {removed} removed"
    print(f"{len(output.files)} files: {counts} ({time.perf_counter() - started:.1f} s)")
    return 0


def _check(settings: config.Config) -> int:
    output = generate(settings)
    _show(output.warnings)
    state = compare(settings.output, output.files)
    for label, paths in (
        ("edited by hand", state.edited),
        ("missing", state.missing),
        ("stale", state.stale),
        ("obsolete", state.obsolete),
        ("stray", state.stray),
    ):
        for path in paths:
            print(f"{settings.output.name}/{path}: {label}", file=sys.stderr)
    if state:
        print("run flyte-codegen generate", file=sys.stderr)
    drifted = _drifted(settings)
    for line in drifted:
        print(line, file=sys.stderr)
    if state or drifted:
        return 1
    print(f"{settings.output.name} is up to date")
    return 0


def _drifted(settings: config.Config) -> list[str]:
    """Differences between imported definitions and what their lock recorded."""
    try:
        return [line for root in settings.protos if (root / FILE_NAME).is_file() for line in verify(root)]
    except ImportProblem as cause:
        return [str(cause)]
