"""Type references: the shortest spelling that protoc resolves to the right type."""

from collections.abc import Iterable

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from .reach import messages_of

# protoc parses a field or rpc type that starts with one of these as another statement or as a scalar.
# fmt: off
_TAKEN = frozenset({
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
    "sfixed64", "bool", "string", "bytes", "optional", "required", "repeated", "map", "oneof", "group", "message",
    "enum", "extend", "extensions", "option", "reserved", "rpc", "stream", "returns",
})
# fmt: on


class Symbols:
    """Every name defined in a set of files, packages included."""

    def __init__(self, files: Iterable[FileDescriptorProto], types: Iterable[str] = ()) -> None:
        """Collect the names in ``files``, and ``types`` from other files with their packages."""
        names: set[str] = set()
        for file in files:
            prefix = f"{file.package}." if file.package else ""
            names.add(file.package)
            names.update(prefix + enum.name for enum in file.enum_type)
            names.update(prefix + service.name for service in file.service)
            names.update(prefix + value.name for enum in file.enum_type for value in enum.value)
            for service in file.service:
                names.update(f"{prefix}{service.name}.{method.name}" for method in service.method)
            for name, message in messages_of(file):
                names.add(name)
                members = [field.name for field in message.field]
                members += [oneof.name for oneof in message.oneof_decl] + [enum.name for enum in message.enum_type]
                names.update(f"{name}.{member}" for member in members)
                names.update(f"{name}.{value.name}" for enum in message.enum_type for value in enum.value)
        names.update(types)
        for name in list(names):
            while "." in name:
                name = name.rpartition(".")[0]
                names.add(name)
        self._names = frozenset(names - {""})

    def reference(self, target: str, scope: str, package: str) -> str:
        """Return how to spell the type ``target`` (a full name) in ``scope``, a message or package in ``package``."""
        target = target.removeprefix(".")
        if package and target.startswith(f"{package}."):
            enclosing = scope
            while enclosing != package and not target.startswith(f"{enclosing}."):
                enclosing = enclosing.rpartition(".")[0]
            short = target[len(enclosing) + 1 :]
            if self._resolves(short, target, scope):
                return short
        return target if self._resolves(target, target, scope) else f".{target}"

    def _resolves(self, spelling: str, target: str, scope: str) -> bool:
        """Whether protoc resolves the spelling to the target: it searches the innermost scope that has the first part."""
        first = spelling.partition(".")[0]
        if first in _TAKEN:
            return False
        while True:
            prefix = f"{scope}." if scope else ""
            if prefix + first in self._names:
                return prefix + spelling == target
            if not scope:
                return False
            scope = scope.rpartition(".")[0]
