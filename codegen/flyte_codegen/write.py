"""Last stage: the output folder, made equal to what was generated, and the proof that it still is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import attrs

from . import __version__
from .diagnostics import CodegenError, error, fail

MANIFEST = "MANIFEST.json"


@attrs.frozen
class Changes:
    """What a run did, or would do."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def digest(content: str) -> str:
    """The hash that the manifest records."""
    return hashlib.sha256(content.encode()).hexdigest()


def with_manifest(files: dict[str, str]) -> dict[str, str]:
    """The files, and the manifest that lists them."""
    listed = {name: digest(content) for name, content in sorted(files.items())}
    manifest = {"generator": __version__, "files": listed}
    return {**files, MANIFEST: json.dumps(manifest, indent=1) + "\n"}


def _present(output: Path) -> dict[str, str]:
    return {
        p.relative_to(output).as_posix(): p.read_text(encoding="utf-8")
        for p in sorted(output.rglob("*"))
        if p.is_file() and "__pycache__" not in p.parts
    }


def compare(output: Path, files: dict[str, str]) -> Changes:
    """What would have to change in `output` for it to be `files` and nothing else."""
    present = _present(output) if output.is_dir() else {}
    return Changes(
        added=tuple(sorted(set(files) - set(present))),
        changed=tuple(sorted(n for n in files if n in present and present[n] != files[n])),
        removed=tuple(sorted(set(present) - set(files))),
    )


def edited_by_hand(output: Path) -> list[str]:
    """Files that differ from what the manifest recorded when they were written."""
    manifest = output / MANIFEST
    if not manifest.is_file():
        return []
    try:
        listed: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError):
        raise fail(
            str(manifest), "is not a manifest", "restore it from version control, or delete the folder"
        ) from None
    present = _present(output)
    return sorted(n for n, known in listed.items() if n in present and digest(present[n]) != known)


def write(output: Path, files: dict[str, str], *, force: bool = False) -> Changes:
    """Make `output` hold `files` and nothing else; what is unchanged keeps its time stamp.

    Raises:
        CodegenError: A generated file was edited by hand (unless `force`), or the folder can't be written.
    """
    edited = [] if force else edited_by_hand(output)
    if edited:
        remedy = "move the change to a template, codegen.toml or the overlay; --force overwrites it"
        raise CodegenError([error(f"{output.name}/{name}", "was edited by hand", remedy) for name in edited])
    if output.is_dir() and any(output.iterdir()) and not (output / MANIFEST).is_file() and not force:
        raise fail(
            str(output), "holds files that this tool did not write", "choose another [output] path, or use --force"
        )
    changes = compare(output, files)
    try:
        for name in (*changes.added, *changes.changed):
            target = output / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[name], encoding="utf-8")
        for name in changes.removed:
            (output / name).unlink()
        _prune(output)
    except OSError as cause:
        raise fail(str(output), f"can't be written: {cause.strerror}", "check the folder's permissions") from None
    return changes


def _prune(output: Path) -> None:
    """Remove folders that hold nothing any more."""
    for folder in sorted((p for p in output.rglob("*") if p.is_dir()), reverse=True):
        if folder.name != "__pycache__" and not any(p.name != "__pycache__" for p in folder.iterdir()):
            for cached in folder.rglob("*.pyc"):
                cached.unlink()
            for empty in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
                empty.rmdir()
            folder.rmdir()
