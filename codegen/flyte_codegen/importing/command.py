"""``flyte-codegen import``: its steps and its report."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from flyte_codegen.output.write import put

from . import lock as locking
from . import rules as ruling
from .comments import elements, read_comments
from .config import ImportConfig
from .options import comparable
from .problem import ImportProblem
from .protoc import compile_protos
from .reach import find_files, used_imports
from .render import Renderer
from .symbols import Symbols
from .wheel import Wheel, open_wheel


@attrs.frozen
class Outcome:
    """What an import did.

    Attributes:
        files: All imported ``.proto`` paths, sorted.
        changed: Paths of ``.proto`` files and side tables that changed, sorted.
        removed: Paths from an earlier import that were deleted because no root reaches them any more.
        warnings: One line for each comment that could not be kept.
    """

    files: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]


def main(args: argparse.Namespace) -> int:
    """Run the import and print a report. Return 1 if it failed."""
    try:
        outcome = run(args.wheel, args.out)
    except ImportProblem as problem:
        print(f"flyte-codegen import: {problem}", file=sys.stderr)
        return 1
    for warning in outcome.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for path in outcome.changed:
        print(f"written  {args.out / path}")
    for path in outcome.removed:
        print(f"removed  {args.out / path}")
    print(f"{len(outcome.files)} files imported, {len(outcome.changed)} changed, {len(outcome.removed)} removed")
    return 0


def run(wheel: str | None, out: Path) -> Outcome:
    """Import the definitions listed in ``out/import.toml``.

    Args:
        wheel: Path to a wheel, or a pinned requirement. Default: ``wheel`` in ``import.toml``.
        out: The directory to write to.

    Raises:
        ImportProblem: A wheel, the configuration or an existing file cannot be used. Nothing was written.
        CodegenError: The directory cannot be written. Nothing in it was changed.
    """
    config = ImportConfig.load(out)
    source = wheel or config.wheel
    if not source:
        raise ImportProblem(f"no wheel is set; pass --wheel or set `wheel` in {out / 'import.toml'}")
    return import_definitions([open_wheel(item) for item in (source, *config.also)], config.roots, out)


def import_definitions(wheels: Sequence[Wheel], roots: Sequence[str], out: Path) -> Outcome:
    """Write the files that the roots reach, the rules, and the lock.

    The text is compiled and compared with the wheels' descriptors before anything in ``out`` is touched.

    Args:
        wheels: The wheels to search for files, in this order.
        roots: Paths of the ``.proto`` files to start from.
        out: The directory to write to.

    Raises:
        ImportProblem: See :func:`run`.
        CodegenError: Likewise.
    """
    old = locking.Lock.load(out)
    sources = tuple(locking.Source(wheel.name, wheel.version, wheel.sha256) for wheel in wheels)
    old.check_sources(sources)
    files, owners = find_files(roots, [wheel.files for wheel in wheels])
    existing = [path for path in sorted({*old.files, *files}) if (out / path).is_file()]
    comments, warnings = read_comments(out, existing)
    known = {key for file in files.values() for _, key in elements(file)}
    for key in sorted(set(comments) - known):
        text = " / ".join(line for line in comments[key].split("\n") if line)
        warnings.append(f"{key} no longer exists; its comment was dropped: {text}")

    renderer = Renderer(Symbols(files.values(), owners), comments)
    texts = {path: renderer.file(file, used_imports(file, owners)) for path, file in files.items()}
    _prove(texts, files, owners)
    record = locking.Lock(sources, {path: locking.definitions_hash(text) for path, text in texts.items()})
    texts[ruling.FILE_NAME] = ruling.collect_rules(files, [wheel.files for wheel in wheels]).text()
    texts[locking.FILE_NAME] = record.text()
    removed = tuple(path for path in sorted(set(old.files) - set(files)) if (out / path).is_file())
    changed = tuple(path for path, text in sorted(texts.items()) if not _reads(out / path, text))
    put(out.resolve(), {path: texts[path].encode() for path in changed}, removed)
    return Outcome(tuple(files), changed, removed, tuple(warnings))


def _prove(texts: Mapping[str, str], files: Mapping[str, FileDescriptorProto], owners: Mapping[str, str]) -> None:
    """Compile the text and compare the result with the original descriptors."""
    with tempfile.TemporaryDirectory() as directory:
        put(Path(directory), {path: text.encode() for path, text in texts.items()}, ())
        compiled = compile_protos(Path(directory), list(texts))
    for path, file in files.items():
        if comparable(compiled[path], owners) != comparable(file, owners):
            raise ImportProblem(
                f"{path} has definitions that do not survive a round trip through .proto text; remove it from `roots`"
            )


def _reads(path: Path, text: str) -> bool:
    """Whether the file exists with exactly this text."""
    return path.is_file() and path.read_bytes() == text.encode()
