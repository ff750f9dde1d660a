"""Last stage: compare the output folder with the generated files, and update it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import attrs

from flyte_codegen.configuration.fingerprint import MANIFEST
from flyte_codegen.diagnostics import CodegenError, Diagnostic, error, fail

from .manifest import Manifest, digest, present


@attrs.frozen
class State:
    """The differences between an output folder and the generated files."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]
    obsolete: tuple[str, ...]
    """Files written by an earlier run that are no longer part of the output."""
    edited: tuple[str, ...]
    """Files that match neither the last run nor this one, so somebody edited them."""
    stray: tuple[str, ...]
    """Files that the generator did not write."""

    def __bool__(self) -> bool:
        return any(attrs.astuple(self))


def compare(output: Path, files: Mapping[str, str]) -> State:
    """Compare the folder `output` with `files`.

    Raises:
        CodegenError: The manifest of an earlier run can't be read.
    """
    there, recorded = present(output), Manifest.load(output).files
    wanted = {name: digest(content.encode()) for name, content in files.items()}
    differing = {name for name in wanted if name in there and there[name] != wanted[name]}
    extra = set(there) - set(wanted)
    edited = {name for name in differing | extra if name in recorded and there[name] != recorded[name]}
    stray = {name for name in extra | differing if name not in recorded and name != MANIFEST}
    return State(
        missing=tuple(sorted(set(wanted) - set(there))),
        stale=tuple(sorted(differing - edited - stray)),
        obsolete=tuple(sorted(extra - edited - stray)),
        edited=tuple(sorted(edited)),
        stray=tuple(sorted(stray)),
    )


def write(output: Path, files: Mapping[str, str], *, force: bool = False) -> State:
    """Make `output` contain exactly `files`, or change nothing on failure. Unchanged files keep their time stamps.

    Raises:
        CodegenError: The folder has foreign or edited files (unless `force`), or can't be written.
    """
    state = compare(output, files)
    if not force:
        _refuse(output, state)
    # Write the manifest last: after an interrupted run, files are old or new and do not count as edited.
    changed = sorted(
        {*state.missing, *state.stale, *state.edited, *state.stray} & set(files), key=lambda n: (n == MANIFEST, n)
    )
    gone = sorted({*state.obsolete, *state.edited, *state.stray} - set(files))
    put(output, {name: files[name].encode() for name in changed}, gone)
    return state


def put(output: Path, files: Mapping[str, bytes], gone: Iterable[str]) -> None:
    """Write files to a folder and remove others, or change nothing on failure.

    Args:
        output: The folder; it is created if missing.
        files: Content by path below the folder, written in this order.
        gone: Paths of files to remove.

    Raises:
        CodegenError: The folder can't be written, or a folder is in place of a file or vice versa. Nothing was changed.
    """
    _check_places(output, files)
    try:
        _replace(output, files, tuple(gone))
    except OSError as cause:
        remedy = "nothing was changed; check the free disk space and the folder's permissions"
        raise fail(str(output), f"can't be written: {cause.strerror}", remedy) from None


def _refuse(output: Path, state: State) -> None:
    edit = "move the change to a template, codegen.toml or the overlay; --force discards it"
    stray = "move it elsewhere; --force removes it"
    findings = [error(f"{output.name}/{name}", "was edited by hand", edit) for name in state.edited]
    findings += [error(f"{output.name}/{name}", "was not written by flyte-codegen", stray) for name in state.stray]
    if findings:
        raise CodegenError(findings)


def _check_places(output: Path, names: Iterable[str]) -> None:
    """Refuse to write if a folder is in place of a file, or vice versa."""
    findings: dict[Path, Diagnostic] = {}
    for path in (output / name for name in names):
        above = (folder for folder in path.parents if folder.exists())
        obstacle = path if path.is_dir() else next((folder for folder in above if not folder.is_dir()), None)
        if obstacle is not None:
            message = "this is a folder, not a file" if obstacle == path else "this is a file, not a folder"
            findings[obstacle] = error(str(obstacle), f"can't be written: {message}", "move it elsewhere")
    if findings:
        raise CodegenError(findings.values())


def _replace(output: Path, files: Mapping[str, bytes], gone: Collection[str]) -> None:
    """Move new files into place and remove obsolete ones; if one step fails, undo all.

    Files are first written beside the folder, so that a full disk is noticed before anything is replaced.
    """
    if not files and not gone:
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        for name, content in files.items():
            _parent(new / name).write_bytes(content)
        touched: list[str] = []
        try:
            for name in (*files, *gone):
                target = output / name
                if target.exists():
                    shutil.copy2(target, _parent(old / name))
                touched.append(name)
                if name in files:
                    (new / name).replace(_parent(target))
                else:
                    target.unlink()
            _prune(output)
        except BaseException:  # interrupts must not leave a half-written folder either
            for name in reversed(touched):
                if (old / name).exists():
                    (old / name).replace(_parent(output / name))
                else:
                    (output / name).unlink(missing_ok=True)
            _prune(output)
            raise


def _parent(path: Path) -> Path:
    """Create the parent folder, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _prune(output: Path) -> None:
    """Remove folders that contain only compiled Python."""
    for folder in sorted((p for p in output.rglob("*") if p.is_dir() and p.name != "__pycache__"), reverse=True):
        if all(entry.name == "__pycache__" for entry in folder.iterdir()):
            for compiled in folder.rglob("*.pyc"):
                compiled.unlink()
            for cache in folder.iterdir():
                cache.rmdir()
            folder.rmdir()
