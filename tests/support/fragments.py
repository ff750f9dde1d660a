"""Small definitions, written into a test, generated into a folder of its own, and imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flyte_codegen.configuration import settings as config
from flyte_codegen.output.write import write
from flyte_codegen.pipeline import Output, generate

_numbers = count()


class Fragment:
    """A project of its own: protos, codegen.toml, and after `generate` a package that can be imported.

    Each has another package name, so that what one generates never stands in for what another does.
    """

    def __init__(self, root: Path, protos: dict[str, str], toml: str = "", *, output: str = "") -> None:
        self.root = root
        self.package = f"fragment_{next(_numbers)}"
        for name, text in protos.items():
            path = root / "protos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        table = f'[output]\npackage = "{self.package}"\npath = "out/{self.package}"\n{output}\n'
        self.config_path = root / "codegen.toml"
        self.config_path.write_text(table + toml, encoding="utf-8")

    @property
    def config(self) -> config.Config:
        return config.read(self.config_path)

    @property
    def path(self) -> Path:
        """The folder that the package is written to."""
        return self.root / "out" / self.package

    def outcome(self) -> Output:
        """What would be written."""
        return generate(self.config)

    def generate(self) -> Fragment:
        """Write the package; `importable` says where it can be imported."""
        write(self.path, self.outcome().files)
        importlib.invalidate_caches()
        return self

    def load(self, module: str) -> ModuleType:
        """A module of the package."""
        return importlib.import_module(f"{self.package}.{module}")

    def get(self, path: str) -> Any:
        """An object of the package, `module:name`."""
        module, _, name = path.partition(":")
        return getattr(self.load(module), name)


@contextmanager
def importable(root: Path) -> Iterator[None]:
    """Lets the packages of the fragments in a folder be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "out"))
        yield


def proto(body: str, *, package: str = "test") -> str:
    """A proto3 file around some definitions."""
    return f'syntax = "proto3";\npackage {package};\n{body}'
