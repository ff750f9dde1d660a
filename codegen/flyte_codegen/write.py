"""Last stage: the output folder, made equal to what was generated, and the proof that it still is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from .diagnostics import CodegenError, error, fail
from .manifest import MANIFEST, Manifest, digest, present


@attrs.frozen
class State:
    """How an output folder differs from what belongs there."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]
    obsolete: tuple[str, ...]
    """Written by an earlier run, and no longer part of the output."""
    edited: tuple[str, ...]
    """Neither what an earlier run wrote nor what this one would."""
    stray: tuple[str, ...]
    """Written by somebody else."""

    def __bool__(self) -> bool:
        return any(attrs.astuple(self))


def compare(output: Path, files: Mapping[str, str]) -> State:
    """How `output` differs from `files`.

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
    """Make `output` hold `files` and nothing else; what is unchanged keeps its time stamp.

    Raises:
        CodegenError: The folder holds what somebody else wrote or edited (unless `force`), or can't be written.
    """
    state = compare(output, files)
    if not force:
        _refuse(output, state)
    # The manifest comes last: a run that is cut short leaves files that are either old or new, not edited ones.
    changed = sorted(
        {*state.missing, *state.stale, *state.edited, *state.stray} & set(files), key=lambda n: (n == MANIFEST, n)
    )
    try:
        for name in changed:
            target = output / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[name].encode())
        for name in {*state.obsolete, *state.edited, *state.stray} - set(files):
            (output / name).unlink()
        _prune(output)
    except OSError as cause:
        raise fail(str(output), f"can't be written: {cause.strerror}", "check the folder's permissions") from None
    return state


def _refuse(output: Path, state: State) -> None:
    edit = "move the change to a template, codegen.toml or the overlay; --force discards it"
    stray = "move it elsewhere; --force removes it"
    findings = [error(f"{output.name}/{name}", "was edited by hand", edit) for name in state.edited]
    findings += [error(f"{output.name}/{name}", "was not written by this tool", stray) for name in state.stray]
    if findings:
        raise CodegenError(findings)


def _prune(output: Path) -> None:
    """Remove folders that hold nothing any more but compiled code."""
    for folder in sorted((p for p in output.rglob("*") if p.is_dir() and p.name != "__pycache__"), reverse=True):
        if all(entry.name == "__pycache__" for entry in folder.iterdir()):
            for compiled in folder.rglob("*.pyc"):
                compiled.unlink()
            for cache in folder.iterdir():
                cache.rmdir()
            folder.rmdir()
