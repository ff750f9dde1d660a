"""The manifest of an output folder: the written files, and a seal that covers the inputs."""

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
    """The record of what a run wrote.

    `seal` is a hash over the digest of all inputs, the list of files and the warnings. If the seal and the files match,
    another run would write the same files and show the same warnings.
    """

    files: Mapping[str, str] = attrs.field(factory=dict[str, str])
    warnings: tuple[str, ...] = ()
    seal: str = ""

    @classmethod
    def of(cls, files: Mapping[str, str], inputs: str = "", warnings: Iterable[object] = ()) -> Manifest:
        """Build the manifest of files. Without the digest of the inputs, it has no seal."""
        made = cls({name: digest(text.encode()) for name, text in sorted(files.items())}, tuple(map(str, warnings)))
        return attrs.evolve(made, seal=made.sealed(inputs)) if inputs else made

    @classmethod
    def load(cls, output: Path) -> Manifest:
        """Read the manifest in a folder. Without one, return an empty manifest.

        Raises:
            CodegenError: The manifest can't be read.
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
        """Return the seal for these inputs and the files listed here."""
        return digest(json.dumps([inputs, *self.files.items(), *self.warnings]).encode())

    def text(self) -> str:
        """Return the manifest as text."""
        data: dict[str, Any] = {"generator": __version__}
        if self.seal:
            data["seal"] = self.seal
        if self.warnings:
            data["warnings"] = self.warnings
        return json.dumps({**data, "files": self.files}, indent=1) + "\n"


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def present(output: Path) -> dict[str, str]:
    """Return the files in the folder with their digests, without Python's caches.

    Raises:
        CodegenError: A file can't be read.
    """
    found = (p for p in output.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if output.is_dir() else ()
    try:
        return {p.relative_to(output).as_posix(): digest(p.read_bytes()) for p in found}
    except OSError as cause:
        raise fail(str(cause.filename or output), f"can't be read: {cause.strerror}", "make it readable") from None


def finished(output: Path, inputs: str) -> Manifest | None:
    """Return the manifest if the folder already has exactly the output of these inputs, else None.

    Raises:
        CodegenError: The manifest or a file can't be read.
    """
    recorded = Manifest.load(output)
    if not recorded.seal or recorded.seal != recorded.sealed(inputs):
        return None
    expected = {**recorded.files, MANIFEST: digest(recorded.text().encode())}
    return recorded if present(output) == expected else None
