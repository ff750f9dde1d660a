"""One digest of everything that determines the output: the same digest means the same output.

A single digest, because with one per kind of input, a line-by-line merge of two branches could produce a manifest that
fits the merged inputs although no run has seen them.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from flyte_codegen.diagnostics import fail

from .settings import Config

MANIFEST = "MANIFEST.json"
"""The file in an output folder that records what was written, and from which inputs."""
RULES = "rules.toml"
# The formatter, the compiler with its bundled definitions, the template engine, and the descriptor library.
_TOOLS = ("ruff", "grpcio-tools", "jinja2", "protobuf")
_GENERATOR = Path(__file__).parents[1]


def built_in_templates() -> Path:
    """Return the folder of built-in templates: inside the package in a wheel, at the top level in a checkout."""
    packaged = Path(str(files("flyte_codegen") / "templates"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "templates"


def fingerprint(config: Config) -> str:
    """Return the digest of definitions, rules, codegen.toml, templates, this generator, and the tools it runs.

    Paths are relative to their input folder, so that the digest does not depend on where the project is.

    Raises:
        CodegenError: An input can't be read.
    """
    digest = hashlib.sha256()
    for line in (f"codegen.toml {config.digest}", *_tools(), *_others(config), *_contents(config)):
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def _tools() -> Iterator[str]:
    yield f"python {sys.version_info.major}.{sys.version_info.minor}"
    for name in _TOOLS:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} absent"


def _others(config: Config) -> Iterator[str]:
    """Yield the digests of what [extern] packages contain, which decides what is generated here."""
    for package in sorted(set(config.extern.values())):
        spec = find_spec(package)
        manifests = [Path(folder, MANIFEST) for folder in (spec.submodule_search_locations or ())] if spec else []
        for path in manifests:
            yield f"extern {package} {hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else 'unlisted'}"


def _contents(config: Config) -> Iterator[str]:
    for kind, number, root in (
        *(("definitions", number, root) for number, root in enumerate((*config.protos, *config.include))),
        *(("templates", number, root) for number, root in enumerate(config.templates)),
        ("our templates", 0, built_in_templates()),
        ("generator", 0, _GENERATOR),
    ):
        for path in _below(root):
            if kind == "generator" and path.suffix != ".py":
                continue
            if kind == "definitions" and path.suffix != ".proto" and path != root / RULES:
                continue
            try:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as cause:
                raise fail(str(path), f"can't be read: {cause.strerror}", "make it readable, or remove it") from None
            yield f"{kind} {number} {path.relative_to(root).as_posix()} {content}"


def _below(root: Path) -> list[Path]:
    """Return all files below a folder, sorted. Symlinked folders count, since imports and includes reach into them."""
    found: list[Path] = []
    seen: set[str] = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        inner.sort()
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder that was already visited
            inner.clear()
            continue
        seen.add(real)
        found += (Path(folder, name) for name in names)
    return sorted(found)
