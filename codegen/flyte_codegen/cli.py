"""The command `flyte-codegen`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import config, pipeline
from .diagnostics import CodegenError
from .importing import command as importing
from .write import compare, edited_by_hand, write


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
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
            sub.add_argument("--force", action="store_true", help="overwrite files that were edited by hand")
        if name == "explain":
            sub.add_argument(
                "name", help="a method such as RunService.ListRuns, or a message such as common.ListRequest"
            )
    importing.add_arguments(commands.add_parser("import", help="write .proto files from a wheel's descriptors"))
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "import":
            return importing.main(arguments)
        settings = config.read(arguments.config)
        if arguments.command == "explain":
            from .explain import explain

            print(explain(settings, arguments.name))
            return 0
        return _generate(settings, arguments) if arguments.command == "generate" else _check(settings)
    except CodegenError as cause:
        for diagnostic in cause.diagnostics:
            print(diagnostic, file=sys.stderr)
        return 1


def _generate(settings: config.Config, arguments: argparse.Namespace) -> int:
    started = time.perf_counter()
    files = pipeline.generate(settings)
    changes = write(settings.output, files, force=arguments.force)
    counts = f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.removed)} removed"
    print(f"{len(files)} files: {counts} ({time.perf_counter() - started:.1f} s)")
    return 0


def _check(settings: config.Config) -> int:
    edited = edited_by_hand(settings.output)
    changes = compare(settings.output, pipeline.generate(settings))
    for label, paths in (
        ("edited by hand", edited),
        ("missing", changes.added),
        ("stale", [c for c in changes.changed if c not in edited]),
        ("stray", changes.removed),
    ):
        for path in paths:
            print(f"{settings.output.name}/{path}: {label}", file=sys.stderr)
    if changes or edited:
        print("run flyte-codegen generate", file=sys.stderr)
        return 1
    print(f"{settings.output.name} is up to date")
    return 0
