"""Protobuf features of fields: the defaults of the file's syntax or edition, overridden by explicit features."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from google.protobuf.descriptor_pb2 import (
    Edition,
    EnumOptions,
    FeatureSet,
    FieldDescriptorProto,
    FieldOptions,
    FileDescriptorProto,
    FileOptions,
    MessageOptions,
    OneofOptions,
)

Path = tuple[int, ...]
Options = FileOptions | MessageOptions | OneofOptions | FieldOptions | EnumOptions

_EDITION_2023 = {
    "field_presence": "EXPLICIT",
    "enum_type": "OPEN",
    "repeated_field_encoding": "PACKED",
    "utf8_validation": "VERIFY",
    "message_encoding": "LENGTH_PREFIXED",
}
# Edition 2024 did not change the encoding of messages.
_DEFAULTS: dict[str, dict[str, str]] = {
    "proto2": {
        **_EDITION_2023,
        "enum_type": "CLOSED",
        "repeated_field_encoding": "EXPANDED",
        "utf8_validation": "NONE",
    },
    "proto3": {**_EDITION_2023, "field_presence": "IMPLICIT"},
    "edition 2023": _EDITION_2023,
    "edition 2024": _EDITION_2023,
}
SYNTAXES = tuple(_DEFAULTS)


@attrs.frozen
class Features:
    """The features of one element: its own, else inherited from the enclosing element."""

    values: Mapping[str, str]
    """Map features to the names of their values, such as `EXPLICIT`."""
    origins: Mapping[str, Path] = attrs.field(factory=dict[str, Path])
    """Map features that are set explicitly to their source path, in protoc's numbering."""

    def within(self, options: Options, path: Path) -> Features:
        """Return the features of a nested element with these options at that source path."""
        if not options.HasField("features"):
            return self
        values, origins = dict(self.values), dict(self.origins)
        number = options.DESCRIPTOR.fields_by_name["features"].number
        for field, value in options.features.ListFields():
            if field.name in values and field.containing_type is FeatureSet.DESCRIPTOR and field.enum_type:
                values[field.name] = field.enum_type.values_by_number[value].name
                origins[field.name] = (*path, number, field.number)
        return Features(values, origins)

    def field(self, proto: FieldDescriptorProto, path: Path) -> Features:
        """Return the features of a field; the labels of proto2 and proto3 are translated to features."""
        found = self.within(proto.options, (*path, 8))
        values = dict(found.values)
        if proto.label == FieldDescriptorProto.LABEL_REQUIRED:
            values["field_presence"] = "LEGACY_REQUIRED"
        if proto.type == FieldDescriptorProto.TYPE_GROUP:
            values["message_encoding"] = "DELIMITED"
        if proto.options.HasField("packed"):
            values["repeated_field_encoding"] = "PACKED" if proto.options.packed else "EXPANDED"
        return Features(values, found.origins)


def syntax(file: FileDescriptorProto) -> str:
    """Return the file's syntax: `proto2`, `proto3`, or an edition."""
    if file.syntax == "editions":
        return Edition.Name(file.edition).lower().replace("_", " ")
    return file.syntax or "proto2"


def of_file(file: FileDescriptorProto) -> Features:
    """Return the features of a file. Files with an unknown edition are refused elsewhere."""
    return Features(_DEFAULTS.get(syntax(file), _EDITION_2023)).within(file.options, (8,))
