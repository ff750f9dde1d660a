"""The stages in order: load, build, classify and link, render, format and verify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, cast

import attrs
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from .binding import entities, references
from .binding.choices import choices
from .binding.model import PyEntity
from .configuration.fingerprint import MANIFEST, fingerprint
from .configuration.rules import read_rules
from .configuration.settings import Config
from .definitions.build import build
from .definitions.load import load, own_files
from .definitions.model import Api
from .diagnostics import Diagnostic, raise_errors
from .output.manifest import Manifest
from .output.render import render
from .output.verify import check, formatted
from .python import clients, messages, services
from .python.type_names import Naming


@attrs.frozen
class Output:
    """The content of the output folder by path, and the warnings."""

    files: dict[str, str]
    warnings: tuple[Diagnostic, ...] = ()


def read_api(config: Config, descriptors: FileDescriptorSet | None = None) -> Api:
    """Return the intermediate representation of `descriptors`, or by default of the .proto files."""
    names = frozenset(text for text in _texts(config) if " " not in text)
    if descriptors is not None:
        return build(descriptors, mentioned=names)
    return build(load(config.protos, config.include), own_files(config.protos), names)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in the configuration, keys included."""
    kind = type(value)
    if isinstance(value, str):
        yield value
    elif attrs.has(kind):
        for attribute in attrs.fields(kind):
            yield from _texts(getattr(value, attribute.name))
    elif isinstance(value, Mapping):
        for pair in cast("Mapping[object, object]", value).items():
            yield from _texts(pair)
    elif isinstance(value, (tuple, list)):
        for item in cast("Iterable[object]", value):
            yield from _texts(item)


def link(config: Config, api: Api) -> list[PyEntity]:
    """Return the entities with their methods, as they would be rendered.

    Raises:
        CodegenError: The definitions or codegen.toml do not give a client; all findings together.
    """
    findings: list[Diagnostic] = []
    raise_errors(references.check(api, config))
    naming = Naming(api, config.package, config.extern)
    made = entities.modules(api, naming, config, read_rules(config), findings)
    raise_errors(findings)
    return made


def generate(config: Config, descriptors: FileDescriptorSet | None = None) -> Output:
    """Generate the client in memory; nothing is written.

    Raises:
        CodegenError: The definitions, codegen.toml or a template do not give a client; all findings together.
    """
    # Compute the digest first: if an input changes during the run, the next run generates again. Descriptors have none.
    inputs = fingerprint(config) if descriptors is None else ""
    api = read_api(config, descriptors)
    naming = Naming(api, config.package, config.extern)
    rules = read_rules(config)
    findings: list[Diagnostic] = []
    raise_errors(references.check(api, config))  # before any lookup of names that may not exist
    views: dict[str, Iterable[Any]] = {
        "module": messages.modules(api, naming),
        "large_module": messages.indexes(api, naming),
        "service": services.modules(api, naming, config),
        "client": clients.modules(api, naming),
        "entity": entities.modules(api, naming, config, rules, findings),
    }
    raise_errors(findings)
    rendered = render(config, views, {"exports": entities.exports(config), "choices": choices(api, config)})
    origins = _as_packages(rendered.origins)
    files = formatted(_as_packages(rendered.files), origins)
    check(files, config, origins)
    return Output({**files, MANIFEST: Manifest.of(files, inputs, findings).text()}, tuple(findings))


def _as_packages(files: dict[str, str]) -> dict[str, str]:
    """Return the files, with an `__init__.py` for each folder: empty, or the module with the folder's name."""
    folders = {folder for name in files for folder in PurePosixPath(name).parents}
    out = {str(folder / "__init__.py"): "" for folder in folders}
    for name, content in files.items():
        module = PurePosixPath(name).with_suffix("")
        shared = name.endswith(".py") and module in folders
        out[str(module / "__init__.py") if shared else name] = content
    return {**out, "py.typed": ""}
