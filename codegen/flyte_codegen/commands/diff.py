"""`flyte-codegen diff`: what another version of the definitions adds, changes and breaks."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from flyte_codegen.configuration.fingerprint import RULES
from flyte_codegen.configuration.rules import read_rules
from flyte_codegen.configuration.settings import Config
from flyte_codegen.diagnostics import CodegenError, fail
from flyte_codegen.importing import import_definitions
from flyte_codegen.importing.config import FILE_NAME, ImportConfig
from flyte_codegen.importing.wheel import Wheel, open_wheel
from flyte_codegen.pipeline import read_api

from .changes import Change
from .compare import compare
from .compare_client import Client, compare_clients
from .compare_rules import compare_rules


def diff(config: Config, old: str, new: str) -> list[Change]:
    """Compare two versions of the definitions.

    Args:
        config: The client to compare; each version replaces the first folder of its `[input] protos`.
        old: A folder of .proto files, a wheel file, or a pinned requirement such as `flyteidl2==2.0.53`.
        new: Likewise.

    Raises:
        CodegenError: A version can't be read.
        ImportProblem: A wheel can't be read.
    """
    with _folders(config, (old, new)) as folders:
        was, now = (_version(config, folder, source) for folder, source in zip(folders, (old, new), strict=True))
        found = [*compare_clients(was, now), *compare(was.api, now.api)]
        if all((folder / RULES).is_file() for folder in folders):
            found += compare_rules(was.api, now.api, was.rules, now.rules)
        return found


def _version(config: Config, folder: Path, source: str) -> Client:
    here = attrs.evolve(config, protos=(folder, *config.protos[1:]))
    try:
        return Client(here, read_api(here), read_rules(here))
    except CodegenError as cause:
        # Paths are relative to a folder; prefix them with the version they belong to.
        inside = [d for d in cause.diagnostics if (folder / d.place.partition(":")[0]).is_file()]
        named = {d: attrs.evolve(d, place=str(Path(source, d.place))) for d in inside}
        raise CodegenError(named.get(d, d) for d in cause.diagnostics) from None


@contextmanager
def _folders(config: Config, sources: Sequence[str]) -> Generator[list[Path]]:
    """Yield the folder with the definitions. Definitions from a wheel are written to a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        also: list[Wheel] = []
        folders: list[Path] = []
        for number, source in enumerate(sources):
            if not _is_wheel(source):
                folders.append(_folder(source))
                continue
            wanted = _imports(config)
            also = also or [open_wheel(item) for item in wanted.also]
            wheels = [open_wheel(source), *also]
            # A root that only one version has is a difference, not a mistake in `roots`.
            roots = [root for root in wanted.roots if any(root in wheel.files for wheel in wheels)]
            if not roots:
                raise fail(source, f"contains none of {', '.join(wanted.roots)}", f"correct roots in {FILE_NAME}")
            folder = Path(scratch, str(number))
            folder.mkdir()
            import_definitions(wheels, roots, folder)
            folders.append(folder)
        yield folders


def _folder(source: str) -> Path:
    if not Path(source).is_dir():
        remedy = "pass a folder of .proto files, a wheel file, or a requirement such as flyteidl2==2.0.53"
        raise fail(source, "no such folder", remedy)
    return Path(source).resolve()


def _is_wheel(source: str) -> bool:
    return source.endswith(".whl") or ("==" in source and not Path(source).is_dir())


def _imports(config: Config) -> ImportConfig:
    """Return which files of a wheel to read."""
    for folder in config.protos:
        if (folder / FILE_NAME).is_file():
            return ImportConfig.load(folder)
    message = f"no {FILE_NAME}, which lists the files of a wheel to compare"
    raise fail(str(config.protos[0]), message, "write one as for `flyte-codegen import`, or compare folders")
