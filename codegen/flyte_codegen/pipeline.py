"""The stages in order: load, build, lay out and link, render, format and verify, write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from . import entities, messages, services
from .build import build
from .config import Config
from .diagnostics import CodegenError, Diagnostic, Level
from .load import load
from .model import Api
from .render import render
from .rules import read_rules
from .verify import check, compiled, formatted
from .write import with_manifest


def read_api(config: Config, descriptors: FileDescriptorSet | None = None) -> Api:
    """The intermediate representation; from `descriptors` when they are given, else from the .proto files."""
    return build(load(config.protos) if descriptors is None else descriptors)


def generate(config: Config, descriptors: FileDescriptorSet | None = None) -> dict[str, str]:
    """Everything that belongs into the output folder, by path; nothing is written.

    Raises:
        CodegenError: The definitions, codegen.toml or a template do not give a client; all findings together.
    """
    api = read_api(config, descriptors)
    naming = messages.Naming(api, config.package, dict(config.extern))
    findings: list[Diagnostic] = []
    views: dict[str, Iterable[Any]] = {
        "module": messages.modules(api, naming, findings),
        "service": services.modules(api, naming, config),
        "entity": entities.modules(api, naming, config, read_rules(config)),
    }
    if any(f.level is Level.ERROR for f in findings):
        raise CodegenError(findings)
    files = render(config, views, {"exports": entities.exports(config)})
    compiled(files)
    files = formatted(_with_packages(files))
    check(files, config)
    return with_manifest(files)


def _with_packages(files: dict[str, str]) -> dict[str, str]:
    """The files, and an `__init__.py` for each folder that has none."""
    out = dict(files)
    for name in files:
        for folder in PurePosixPath(name).parents:
            init = (folder / "__init__.py").as_posix()
            out.setdefault(init, "")
    out["py.typed"] = ""
    return out
