"""The modules of generated types, and their names in the modules that use them."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec

from flyte_codegen.definitions.model import Api, File, Service
from flyte_codegen.diagnostics import fail


@functools.cache
def importable(module: str) -> bool:
    """Whether a module exists in this environment."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class Naming:
    """Finds the module of a generated type: in the output package, or in an [extern] package."""

    def __init__(self, api: Api, package: str, extern: Mapping[str, str]) -> None:
        self.api, self.package, self.extern = api, package, extern

    def is_extern(self, file: File) -> bool:
        """Whether the file's types come from another package."""
        return self._owner(file) != self.package

    def _owner(self, file: File) -> str:
        prefixes = [p for p in self.extern if file.package == p or file.package.startswith(p + ".")]
        if not prefixes:
            return self.package
        owner = self.extern[max(prefixes, key=len)]
        # Other packages contain only what they use: flyte_api has Timestamp but not Empty, so Empty is generated here.
        absent = (file.messages or file.enums) and not importable(f"{owner}.messages.{file.module}")
        return self.package if absent else owner

    def module(self, full_name: str) -> str:
        """Return the module of a message or enum.

        Raises:
            CodegenError: The type does not exist.
        """
        if full_name not in self.api.file_of:
            raise fail(full_name, f"no type named {full_name}", "correct the name in codegen.toml")
        file = self.api.file_of[full_name]
        return f"{self._owner(file)}.messages.{file.module}"

    def service_module(self, service: Service) -> str:
        """Return the module of a service's RPCs."""
        file = next(f for f in self.api.files if service in f.services)
        return f"{self._owner(file)}.services.{service.module}"

    def py_name(self, full_name: str) -> str:
        """Return the class name of a message or enum."""
        found = self.api.messages.get(full_name) or self.api.enums[full_name]
        return found.py_name

    def path(self, full_name: str) -> str:
        """Return the import path of a message or enum, `module:Class`."""
        return f"{self.module(full_name)}:{self.py_name(full_name)}"


class TypeNames:
    """The names of imported types in one module. A second type with the same name gets an alias."""

    def __init__(self, naming: Naming, taken: Iterable[str], own: Collection[str] = ()) -> None:
        """Start with the names `taken`; the types `own` need no import, as the module defines them."""
        self.naming, self.own = naming, own
        self.taken = set(taken)
        self.lines: set[str] = set()
        self.typing_lines: set[str] = set()
        """Imports for annotations only."""
        self._names: dict[str, str] = {}
        self._services: dict[str, str] = {}

    def service(self, service: Service) -> str:
        """Return the module's name for a service's RPCs. The first of several services with one name keeps it."""
        if service.full_name not in self._services:
            cls = service.py_name
            local = self._free(service.full_name, cls) if cls in self._services.values() else cls
            self.taken.add(local)
            self._services[service.full_name] = local
            self.lines.add(f"from {self.naming.service_module(service)} import {_as(cls, local)}")
        return self._services[service.full_name]

    def name(self, full_name: str) -> str:
        """Return the module's name for a type."""
        module, cls = self.naming.module(full_name), self.naming.py_name(full_name)
        if full_name in self.own:
            return cls
        if full_name not in self._names:
            local = self._free(full_name, cls)
            self.taken.add(local)
            self._names[full_name] = local
            self.lines.add(f"from {module} import {_as(cls, local)}")
        return self._names[full_name]

    def line(self, full_name: str) -> str:
        """Return the statement that imports a type; "" for a type of this module."""
        module, local = self.naming.module(full_name), self.name(full_name)
        return "" if full_name in self.own else f"from {module} import {_as(self.naming.py_name(full_name), local)}"

    def service_line(self, service: Service) -> str:
        """Return the statement that imports the RPCs of a service."""
        return f"from {self.naming.service_module(service)} import {_as(service.py_name, self.service(service))}"

    def _free(self, full_name: str, cls: str) -> str:
        """Return the class name; if taken, with the last part of its package in front; if still taken, with an X too."""
        if cls not in self.taken:
            return cls
        *_, scope = ("", *full_name.split(".")[:-1])
        local = scope[:1].upper() + scope[1:] + cls
        while local in self.taken:
            local = "X" + local
        return local


def _as(cls: str, local: str) -> str:
    """Return the part of an import statement that binds a class to `local`."""
    return cls if cls == local else f"{cls} as {local}"
