"""Long-running operations in the manner of Google's API guide: RPCs that reply at once with what can be asked later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

OPERATION = "google.longrunning.Operation"
_THEIRS = OPERATION.rpartition(".")[0]
_NUMBER = 1049  # of the option google.longrunning.operation_info
_NAMES = ("response_type", "metadata_type")


@attrs.frozen
class Operation:
    """What an operation ends with and what it tells meanwhile, by full name; empty where nobody says."""

    response: str = ""
    metadata: str = ""

    def __str__(self) -> str:
        ends = f"ends with {self.response}" if self.response else ""
        tells = f"tells {self.metadata} meanwhile" if self.metadata else ""
        return ", ".join(part for part in (f"replies with {OPERATION}", ends, tells) if part)


class Operations:
    """Tells which RPCs of a file start operations."""

    def __init__(self, package: str, types: frozenset[str]) -> None:
        self.package, self.types = package, types
        self._reader: Any = None

    def of(self, method: MethodDescriptorProto) -> Operation | None:
        """What is known of the operation that an RPC starts; None when it starts none."""
        streams = method.client_streaming or method.server_streaming
        # The service that tells how operations are getting on replies with them, too, and starts none.
        if streams or method.output_type.lstrip(".") != OPERATION or self.package == _THEIRS:
            return None
        if self._reader is None:
            self._reader = _options_class()
        options = self._reader.FromString(method.options.SerializeToString())
        return Operation(*(self._resolved(getattr(options.operation_info, name)) for name in _NAMES))

    def _resolved(self, name: str) -> str:
        """A name as protobuf looks it up, from the innermost package outwards; as it is written when nothing fits."""
        absolute = name.lstrip(".")
        found = (candidate for candidate in _candidates(self.package, absolute) if candidate in self.types)
        return next(found, absolute)


def _candidates(package: str, name: str) -> Iterator[str]:
    while package:
        yield f"{package}.{name}"
        package = package.rpartition(".")[0]
    yield name


def _options_class() -> Any:
    """A message with the one option of methods that matters here, in a pool of its own.

    Reading it from the options' bytes works whether the process knows the extension or not, which others decide.
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
