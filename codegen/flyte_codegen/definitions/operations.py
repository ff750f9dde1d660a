"""Long-running operations as in Google's API guide: RPCs that reply at once with an operation to poll later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

OPERATION = "google.longrunning.Operation"
_THEIRS = OPERATION.rpartition(".")[0]
_NUMBER = 1049  # the field number of the option google.longrunning.operation_info
_NAMES = ("response_type", "metadata_type")


@attrs.frozen
class Operation:
    """The result and metadata messages of an operation, by full name; empty if not declared."""

    response: str = ""
    metadata: str = ""

    def __str__(self) -> str:
        ends = f"result {self.response}" if self.response else ""
        tells = f"metadata {self.metadata}" if self.metadata else ""
        return ", ".join(part for part in (f"replies with {OPERATION}", ends, tells) if part)


class Operations:
    """Determines which RPCs of a file start operations."""

    def __init__(self, package: str, types: frozenset[str]) -> None:
        self.package, self.types = package, types
        self._reader: Any = None

    def of(self, method: MethodDescriptorProto) -> Operation | None:
        """Return the operation that an RPC starts, or None."""
        streams = method.client_streaming or method.server_streaming
        # The service that polls operations also replies with them, but starts none.
        if streams or method.output_type.lstrip(".") != OPERATION or self.package == _THEIRS:
            return None
        if self._reader is None:
            self._reader = _options_class()
        options = self._reader.FromString(method.options.SerializeToString())
        return Operation(*(self._resolved(getattr(options.operation_info, name)) for name in _NAMES))

    def _resolved(self, name: str) -> str:
        """Resolve a name as protobuf does, from the innermost package outwards. Unknown names are returned unchanged."""
        absolute = name.lstrip(".")
        found = (candidate for candidate in _candidates(self.package, absolute) if candidate in self.types)
        return next(found, absolute)


def _candidates(package: str, name: str) -> Iterator[str]:
    while package:
        yield f"{package}.{name}"
        package = package.rpartition(".")[0]
    yield name


def _options_class() -> Any:
    """Return a message class with only the option `operation_info`, in a separate pool.

    The option can then be parsed from bytes whether or not other code has registered the extension in this process.
    """
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    file = FileDescriptorProto(name="options.proto", syntax="proto3")
    info = file.message_type.add(name="OperationInfo")
    for i, name in enumerate(_NAMES, 1):
        info.field.add(name=name, number=i, label=optional, type=FieldDescriptorProto.TYPE_STRING)
    options = file.message_type.add(name="Options")
    one = options.field.add(name="operation_info", number=_NUMBER, label=optional, type_name=".OperationInfo")
    one.type = FieldDescriptorProto.TYPE_MESSAGE
    pool = DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Options"))
