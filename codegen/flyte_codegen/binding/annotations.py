"""The annotations of fields in entity modules, and the names of generated types in them."""

from __future__ import annotations

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Api, Field, Label, Service
from flyte_codegen.kinds.code import Code, Literal, Name, Of, call, optional
from flyte_codegen.kinds.filters import FilterParam
from flyte_codegen.python import types as python_types
from flyte_codegen.python.type_names import TypeNames

from .choices import choice_of, choices

PLAIN = {
    "google.protobuf.Timestamp": (Name("datetime"), "as_timestamp"),
    "google.protobuf.Duration": (Name("timedelta"), "as_duration"),
    "google.protobuf.Struct": (Of(Name("Mapping"), (Name("str"), Name("object"))), "as_struct"),
}
"""Well-known messages with a plain Python equivalent: its annotation, and the runtime function that converts it."""


class Types:
    """The names of generated types in one module, as code."""

    def __init__(self, api: Api, config: Config, names: TypeNames) -> None:
        self._api, self._config, self._names = api, config, names
        self._choices = choices(api, config)

    @property
    def taken(self) -> set[str]:
        """The names of the types that the module imports. Parameters must not shadow them."""
        return self._names.taken

    @property
    def filter(self) -> Code:
        """The message of one filter."""
        return self.message(self._config.listing.filter if self._config.listing else "")

    def message(self, full_name: str) -> Name:
        """The class of a message or an enum."""
        local = self._names.name(full_name)
        return Name(local, self._names.line(full_name))

    def enum(self, full_name: str) -> Code:
        """The class of an enum."""
        return self.message(full_name)

    def service(self, service: Service) -> Name:
        """The class with the RPCs of a service."""
        return Name(self._names.service(service), self._names.service_line(service))

    def choice(self, param: FilterParam) -> Code:
        """The type of the names of an enum's members."""
        name = choice_of(self._choices, param).name
        return Name(name, f"from {self._config.package}.choices import {name}", typing=True)

    def single(self, field: Field) -> Code:
        """The type of one value of a field; for maps, of one entry's value."""
        if field.type_name:
            return self.message(field.type_name)
        return Name(python_types.scalar(field.map_value if field.label is Label.MAP else field.kind))

    def whole(self, field: Field) -> Code:
        """The type of a whole field, as messages hold it."""
        one = self.single(field)
        if field.label is Label.MAP:
            return Of(Name("dict"), (Name(python_types.scalar(field.map_key)), one))
        if field.label is Label.REPEATED:
            return Of(Name("list"), (one,))
        return optional(one) if field.label is Label.OPTIONAL else one

    def argument(self, field: Field) -> Code:
        """The type of a parameter. Lists and maps accept more general types than the message stores."""
        if field.type_name in PLAIN and field.label is Label.OPTIONAL:
            return PLAIN[field.type_name][0]
        one = self.single(field)
        if field.label is Label.REPEATED:
            return Of(Name("Collection"), (one,))
        if field.label is Label.MAP:
            return Of(Name("Mapping"), (Name(python_types.scalar(field.map_key)), one))
        return one

    def zero(self, field: Field) -> Code:
        """The value of an unset field without presence."""
        if field.kind == "enum":
            return call(self.single(field), Literal(0))
        return Name(python_types.zero(field.kind))
