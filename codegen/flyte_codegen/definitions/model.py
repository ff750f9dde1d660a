"""The intermediate representation: what the definitions say, frozen, with every name resolved once."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

import attrs

from flyte_codegen.diagnostics import Diagnostic

from .operations import Operation


class Label(enum.Enum):
    """How often a field occurs, and whether absence can be told from the default."""

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
        """The oneof groups of two or more alternatives or of one, by name, in order."""
        groups: dict[str, list[Field]] = {}
        for field in self.fields:
            if field.oneof:
                groups.setdefault(field.oneof, []).append(field)
        return groups

    def field(self, name: str) -> Field | None:
        """The field of that protobuf name."""
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
    """An enum; `prefix` is what all its members' protobuf names start with."""

    full_name: str
    py_name: str
    prefix: str
    members: tuple[Member, ...]
    doc: str
    place: str
    deprecated: bool = False


@attrs.frozen
class Method:
    """One RPC: a handler of servers, and a constant. `idempotency` is the option's name, or empty."""

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
    """What is known of the long-running operation that it starts, if it does."""


@attrs.frozen
class Service:
    """A service, with the dotted module path it is written to below `services`."""

    full_name: str
    py_name: str
    module: str
    methods: tuple[Method, ...]
    doc: str
    place: str
    deprecated: bool = False


@attrs.frozen
class File:
    """One .proto file, with the dotted module path it is written to below `messages`."""

    name: str
    package: str
    module: str
    doc: str
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]
    services: tuple[Service, ...]
    refused: tuple[Diagnostic, ...] = ()
    """What is in the way of generating the file, which does not matter where another package has its types."""

    @property
    def types(self) -> tuple[Message | Enum, ...]:
        """The messages, then the enums."""
        return (*self.messages, *self.enums)


@attrs.frozen
class Api:
    """All the files, and where each message and enum is defined."""

    files: tuple[File, ...]
    messages: Mapping[str, Message]
    enums: Mapping[str, Enum]
    file_of: Mapping[str, File]

    def services(self) -> Iterator[Service]:
        """Every service, in file order."""
        for file in self.files:
            yield from file.services
