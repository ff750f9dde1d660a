"""The manifest of an output folder: what was written, and the seal that says what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flyte_codegen import __version__
from flyte_codegen.configuration.fingerprint import MANIFEST
from flyte_codegen.diagnostics import fail


@attrs.frozen
class Manifest:
    """What a run has written.

    `seal` covers the digest of all inputs, the list of files and the warnings: when it fits, and so do the files, then
    another run would write the same and warn of the same.
    """

    files: Mapping[str, str] = attrs.field(factory=dict[str, str])
    warnings: tuple[str, ...] = ()
    seal: str = ""

    @classmethod
    def of(cls, files: Mapping[str, str], inputs: str = "", warnings: Iterable[object] = ()) -> Manifest:
        """The manifest of files by content; without the digest of the inputs it has no seal."""
        made = cls({name: digest(text.encode()) for name, text in sorted(files.items())}, tuple(map(str, warnings)))
        return attrs.evolve(made, seal=made.sealed(inputs)) if inputs else made

    @classmethod
    def load(cls, output: Path) -> Manifest:
        """The manifest in a folder; an empty one when there is none.

        Raises:
            CodegenError: It can't be read.
        """
        path = output / MANIFEST
        if not path.is_file():
            return cls()
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            listed = {name: str(found) for name, found in data["files"].items()}
            return cls(listed, tuple(map(str, data.get("warnings", ()))), str(data.get("seal", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            remedy = "restore it from version control, or delete the folder"
            raise fail(str(path), "is not a manifest", remedy) from None

    def sealed(self, inputs: str) -> str:
        """The seal that a run with these inputs puts on what is listed here."""
        return digest(json.dumps([inputs, *self.files.items(), *self.warnings]).encode())

    def text(self) -> str:
        """The manifest as it is written."""
        data: dict[str, Any] = {"generator": __version__}
        if self.seal:
            data["seal"] = self.seal
        if self.warnings:
            data["warnings"] = self.warnings
        return json.dumps({**data, "files": self.files}, indent=1) + "\n"


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def present(output: Path) -> dict[str, str]:
    """The files in the folder with their digests, but for what Python puts there.

    Raises:
        CodegenError: One can't be read.
    """
    found = (p for p in output.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if output.is_dir() else ()
    try:
        return {p.relative_to(output).as_posix(): digest(p.read_bytes()) for p in found}
    except OSError as cause:
        raise fail(str(cause.filename or output), f"can't be read: {cause.strerror}", "make it readable") from None


def finished(output: Path, inputs: str) -> Manifest | None:
    """The manifest, when the folder already holds what these inputs give, and nothing else.

    Raises:
        CodegenError: The manifest or a file can't be read.
    """
    recorded = Manifest.load(output)
    if not recorded.seal or recorded.seal != recorded.sealed(inputs):
        return None
    expected = {**recorded.files, MANIFEST: digest(recorded.text().encode())}
    return recorded if present(output) == expected else None
