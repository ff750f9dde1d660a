"""The intermediate representation: the definitions as frozen objects, with all names resolved."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

import attrs

from flyte_codegen.diagnostics import Diagnostic

from .operations import Operation


class Label(enum.Enum):
    """How often a field occurs, and whether an unset field differs from the default."""

    IMPLICIT = "implicit"
    OPTIONAL = "optional"
    REPEATED = "repeated"
    MAP = "map"


@attrs.frozen
class Field:
    """One field of a message. `kind` is the protobuf type, such as `int32`, `message` or `enum`."""

    name: str
    py_name: str
    number: int
    kind: str
    label: Label
    type_name: str
    oneof: str
    json_name: str
    packed: bool
    deprecated: bool
    doc: str
    place: str
    map_key: str = ""
    map_value: str = ""


@attrs.frozen
class Message:
    """A message; nested ones are flattened, so `Filter.Function` is `FilterFunction`."""

    full_name: str
    py_name: str
    fields: tuple[Field, ...]
    deprecated: bool
    doc: str
    place: str

    @property
    def oneofs(self) -> dict[str, list[Field]]:
        """The oneofs by name, in order, including those with a single member."""
        groups: dict[str, list[Field]] = {}
        for field in self.fields:
            if field.oneof:
                groups.setdefault(field.oneof, []).append(field)
        return groups

    def field(self, name: str) -> Field | None:
        """Return the field with that protobuf name."""
        return next((f for f in self.fields if f.name == name), None)


@attrs.frozen
class Member:
    """One value of an enum."""

    name: str
    py_name: str
    number: int
    doc: str
    deprecated: bool = False


@attrs.frozen
class Enum:
    """An enum; `prefix` is the common prefix of its members' protobuf names."""

    full_name: str
    py_name: str
    prefix: str
    members: tuple[Member, ...]
    doc: str
    place: str
    deprecated: bool = False


@attrs.frozen
class Method:
    """One RPC. `idempotency` is the name of the option's value, or empty."""

    name: str
    full_name: str
    py_name: str
    constant: str
    request: str
    response: str
    client_streaming: bool
    server_streaming: bool
    idempotency: str
    deprecated: bool
    doc: str
    place: str
    operation: Operation | None = None
    """The long-running operation that the RPC starts, if any."""


@attrs.frozen
class Service:
    """A service; `module` is its dotted module path below `services`."""

    full_name: str
    py_name: str
    module: str
    methods: tuple[Method, ...]
    doc: str
    place: str
    deprecated: bool = False


@attrs.frozen
class File:
    """One .proto file; `module` is its dotted module path below `messages`."""

    name: str
    package: str
    module: str
    doc: str
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]
    services: tuple[Service, ...]
    refused: tuple[Diagnostic, ...] = ()
    """Errors that prevent generating the file. They do not matter if another package provides its types."""

    @property
    def types(self) -> tuple[Message | Enum, ...]:
        """The messages, then the enums."""
        return (*self.messages, *self.enums)


@attrs.frozen
class Api:
    """All files, and the file of each message and enum."""

    files: tuple[File, ...]
    messages: Mapping[str, Message]
    enums: Mapping[str, Enum]
    file_of: Mapping[str, File]

    def services(self) -> Iterator[Service]:
        """Every service, in file order."""
        for file in self.files:
            yield from file.services
