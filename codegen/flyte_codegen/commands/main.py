"""The command line of `flyte-codegen`. Commands are imported when they run, so a run with nothing to do is fast."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import attrs

from flyte_codegen.configuration import settings as config
from flyte_codegen.configuration.fingerprint import MANIFEST, fingerprint
from flyte_codegen.diagnostics import CodegenError, Diagnostic, error
from flyte_codegen.output.manifest import Manifest, finished
from flyte_rpc.version import VERSION


def run(argv: list[str] | None) -> int:
    """Run the command line; returns its exit code."""
    arguments = _parser().parse_args(argv)
    # Almost all objects live until the run ends, so garbage collection would only cost time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        if arguments.command == "import":
            from flyte_codegen.importing import main

            return main(arguments)
        if arguments.command == "new":
            from flyte_codegen.scaffold import create

            return create(arguments.folder)
        if arguments.command == "schema":
            from .schema import as_json_schema, as_markdown

            print(as_markdown() if arguments.markdown else as_json_schema())
            return 0
        settings = config.read(arguments.config)
        if arguments.command == "explain":
            from .explain import explain

            print(explain(settings, arguments.name))
            return 0
        if arguments.command == "diff":
            return _diff(settings, arguments)
        if arguments.command == "report":
            return _report(settings, strict=arguments.strict, json=arguments.json, names=arguments.names)
        return _generate(settings, force=arguments.force) if arguments.command == "generate" else _check(settings)
    except CodegenError as cause:
        _show(cause.diagnostics)
    except BrokenPipeError:
        raise
    except OSError as cause:
        remedy = "check that the path exists, its permissions, and the free disk space"
        _show([error(str(cause.filename or "flyte-codegen"), cause.strerror or str(cause), remedy)])
    finally:
        if collecting:
            gc.enable()
    # diff returns 1 for breaking changes.
    return 2 if arguments.command == "diff" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flyte-codegen", description="Generate a typed client from protobuf definitions."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("generate", "write the client"),
        ("check", "fail unless the generated client is up to date"),
        ("explain", "explain how an RPC, method, message or generated line comes about"),
        ("diff", "show the changes between two versions of the definitions; fail if one is breaking"),
        ("report", "list how programs reach every RPC, or the reason why they do not"),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--config", type=Path, default=Path("codegen.toml"), help="default: ./codegen.toml")
        if name == "generate":
            text = "regenerate everything and discard manual edits of the output"
            sub.add_argument("--force", action="store_true", help=text)
        if name == "diff":
            for which in ("old", "new"):
                text = "a folder of .proto files, a wheel file, or a pinned requirement such as flyteidl2==2.0.53"
                sub.add_argument(which, metavar=which.upper(), help=text)
            sub.add_argument("--json", action="store_true", help="as JSON, for programs")
        if name == "report":
            sub.add_argument("--json", action="store_true", help="as JSON, for programs")
            text = "fail if an RPC has no entity method, no call elsewhere and no reason in [exclude]"
            sub.add_argument("--strict", action="store_true", help=text)
            text = "a TOML file with the names of another SDK, to list after the RPCs with what they are here"
            sub.add_argument("--names", type=Path, help=text)
        if name == "explain":
            text = (
                "an RPC such as RunService.ListRuns, a method or property such as Run.listall, a message, or FILE:LINE"
            )
            sub.add_argument("name", help=text)
    text = "print the keys of codegen.toml as a JSON Schema"
    schema = commands.add_parser("schema", help=text, description=text)
    schema.add_argument("--markdown", action="store_true", help="as a page in Markdown")
    new = commands.add_parser("new", help="write a new project that generates its own client")
    new.add_argument("folder", type=Path, help="folder to create; its name, such as my-sdk, becomes the project name")
    add_import_arguments(commands.add_parser("import", help="write .proto files from a wheel's descriptors"))
    return parser


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `flyte-codegen import`."""
    text = "a wheel file, or a pinned requirement such as flyteidl2==2.0.53 (default: `wheel` in import.toml)"
    parser.add_argument("--wheel", metavar="WHEEL", help=text)
    parser.add_argument("--out", type=Path, default=Path("protos"), help="directory of import.toml (default: protos)")


def _show(diagnostics: Iterable[Diagnostic | str]) -> None:
    for diagnostic in diagnostics:
        print(diagnostic, file=sys.stderr)


def _generate(settings: config.Config, *, force: bool) -> int:
    started = time.perf_counter()
    done = None if force else finished(settings.output, fingerprint(settings))
    if done is not None:
        _show(done.warnings)
        counts = "nothing to do, inputs and output are unchanged"
        print(f"{len(done.files) + 1} files: {counts} ({time.perf_counter() - started:.1f} s)")
        return 0
    from flyte_codegen.output.write import write
    from flyte_codegen.pipeline import generate

    output = generate(settings)
    _show(output.warnings)
    state = write(settings.output, output.files, force=force)
    changed, removed = len(state.stale) + len(state.edited), len(state.obsolete) + len(state.stray)
    counts = f"{len(state.missing)} added, {changed} changed, {removed} removed"
    print(f"{len(output.files)} files: {counts} ({time.perf_counter() - started:.1f} s)")
    return 0


def _check(settings: config.Config) -> int:
    from flyte_codegen.output.write import compare
    from flyte_codegen.pipeline import generate

    output = generate(settings)
    _show(output.warnings)
    # Another tool version or a new comment changes the seal but not the output; only the output is checked.
    recorded = Manifest.load(settings.output)
    listed = Manifest.of({name: text for name, text in output.files.items() if name != MANIFEST}).files
    state = compare(settings.output, {**output.files, MANIFEST: attrs.evolve(recorded, files=listed).text()})
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


def _report(settings: config.Config, *, strict: bool, json: bool, names: Path | None) -> int:
    from .names import foreign_names
    from .report import as_json, report, summary

    reaches = report(settings)
    foreign = [] if names is None else foreign_names(names)
    print(as_json(reaches, foreign) if json else "\n".join(map(str, [*reaches, *foreign])))
    print(summary(reaches), file=sys.stderr)
    undecided = [reach for reach in reaches if strict and not reach.decided]
    _show(error(settings.name, *reach.missing) for reach in undecided)
    return int(bool(undecided))


def _diff(settings: config.Config, arguments: argparse.Namespace) -> int:
    from flyte_codegen.importing import ImportProblem

    from .changes import as_json, as_text
    from .diff import diff

    try:
        changes = diff(settings, arguments.old, arguments.new)
    except ImportProblem as cause:
        print(f"flyte-codegen diff: {cause}", file=sys.stderr)
        return 2
    print(as_json(changes) if arguments.json else as_text(changes))
    return int(any(change.breaks for change in changes))


def _drifted(settings: config.Config) -> list[str]:
    """Return the differences between the imported definitions and their lock."""
    from flyte_codegen.importing import ImportProblem
    from flyte_codegen.importing.lock import FILE_NAME, verify

    try:
        return [line for root in settings.protos if (root / FILE_NAME).is_file() for line in verify(root)]
    except ImportProblem as cause:
        return [str(cause)]
