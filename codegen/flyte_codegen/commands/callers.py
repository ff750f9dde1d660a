"""Find hand-written modules that call RPCs, by the constants of services or the methods of client classes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Set
from importlib.util import find_spec
from pathlib import Path

import attrs

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Service
from flyte_codegen.python.clients import class_name, method_name


def callers(config: Config, services: Iterable[Service]) -> Mapping[str, tuple[str, ...]]:
    """Return the modules that call each RPC, by its full name.

    The modules searched are those of the packages with the public classes of entities, if these are installed. Nothing is
    imported.
    """
    known = list(services)
    packages = {entity.overlay.partition(".")[0].partition(":")[0] for entity in config.entities} - {""}
    used = {module: _used(text) for module, text in _sources(packages)}
    places = {
        *(f"{config.package}.services.{service.module}.{service.py_name}" for service in known),
        *(f"{config.package}.clients.{service.module}.{class_name(service)}" for service in known),
    }
    found: dict[str, tuple[str, ...]] = {}
    for service in known:
        own = _Class(f"{config.package}.services.{service.module}", service.py_name, places)
        client = _Class(f"{config.package}.clients.{service.module}", class_name(service), places)
        for rpc in service.methods:
            found[rpc.full_name] = tuple(
                module
                for module, names in used.items()
                if any(own.is_at(path) for path in names.owners.get(rpc.constant, ()))
                or (method_name(rpc) in names.owners and any(map(client.is_at, names.paths)))
            )
    return found


@attrs.frozen
class _Class:
    """A generated class. Others of its name are told apart by the modules that they are imported from."""

    module: str
    name: str
    places: Set[str]

    def is_at(self, path: str) -> bool:
        """Whether a dotted path is the class, as far as the path tells."""
        if path in self.places:
            return path == f"{self.module}.{self.name}"
        return path.rpartition(".")[2] == self.name


@attrs.frozen
class _Names:
    """The names that the code of a module uses: all dotted paths, and the paths with each attribute."""

    paths: Set[str]
    owners: Mapping[str, Set[str]]


def _used(text: str) -> _Names:
    """Return the names in the code of a module; comments and strings do not count."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):  # a template or a test case: it can't be imported, so it calls nothing
        return _Names(frozenset(), {})
    imported: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            imported |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            imported |= {alias.asname: alias.name for alias in node.names if alias.asname}
    paths, owners = set(imported.values()), dict[str, set[str]]()
    for node in nodes:
        if isinstance(node, ast.Attribute):
            owners.setdefault(node.attr, set()).add(_path(node.value, imported))
        if isinstance(node, (ast.Attribute, ast.Name)):
            paths.add(_path(node, imported))
    return _Names(paths, owners)


def _path(node: ast.expr, imported: Mapping[str, str]) -> str:
    """Return the dotted path of an expression, from the module that it is imported from; "" for other expressions."""
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value, imported)}.{node.attr}"
    return ""


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
