"""Find hand-written modules that call RPCs, by the constants of services or the methods of client classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Service
from flyte_codegen.python.clients import class_name, method_name

_CONSTANT = re.compile(r"\b([A-Za-z_]\w*)\.([A-Z][A-Z0-9_]*)\b")
_METHOD = re.compile(r"\.([a-z_]\w*)\b")


def callers(config: Config, services: Iterable[Service]) -> Mapping[str, tuple[str, ...]]:
    """Return the modules that call each RPC, by its full name.

    The modules searched are those of the packages with the public classes of entities, if these are installed. Nothing is
    imported.
    """
    texts = dict(_sources({entity.overlay.partition(".")[0].partition(":")[0] for entity in config.entities} - {""}))
    used = {module: (set(_CONSTANT.findall(text)), set(_METHOD.findall(text)), text) for module, text in texts.items()}
    found: dict[str, tuple[str, ...]] = {}
    for service in services:
        client = class_name(service)
        for rpc in service.methods:
            found[rpc.full_name] = tuple(
                module
                for module, (constants, methods, text) in used.items()
                if (service.py_name, rpc.constant) in constants or (method_name(rpc) in methods and client in text)
            )
    return found


def _sources(packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of all modules of some packages."""
    for package in sorted(packages):
        try:
            spec = find_spec(package)
        except ValueError:  # a module without a spec, such as __main__
            continue
        for folder in (spec and spec.submodule_search_locations) or ():
            for file in sorted(Path(folder).rglob("*.py")):
                parts = file.relative_to(folder).with_suffix("").parts
                module = ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))
                yield module, file.read_text("utf-8", "replace")
