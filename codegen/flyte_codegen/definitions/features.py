"""What a file's syntax or edition means for its fields, after what files, messages and fields set themselves."""

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

from flyte_codegen.diagnostics import fail

Path = tuple[int, ...]
Options = FileOptions | MessageOptions | OneofOptions | FieldOptions | EnumOptions

_EDITION_2023 = {
    "field_presence": "EXPLICIT",
    "enum_type": "OPEN",
    "repeated_field_encoding": "PACKED",
    "utf8_validation": "VERIFY",
    "message_encoding": "LENGTH_PREFIXED",
}
# Edition 2024 changed nothing of how messages are written.
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


@attrs.frozen
class Features:
    """The features of one element: its own, else those of what it is in."""

    values: Mapping[str, str]
    """The names of the values, such as `EXPLICIT`, by feature."""
    origins: Mapping[str, Path] = attrs.field(factory=dict[str, Path])
    """Where a feature is set, as protoc numbers places; nothing for what only the edition says."""

    def within(self, options: Options, path: Path) -> Features:
        """Those of an element with these options, which are at that path."""
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
        """Those of a field; what proto2 and proto3 say in words of their own is said as features."""
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
    """What the file is written in: `proto2`, `proto3`, or an edition."""
    if file.syntax == "editions":
        return Edition.Name(file.edition).lower().replace("_", " ")
    return file.syntax or "proto2"


def of_file(file: FileDescriptorProto) -> Features:
    """The features of a file.

    Raises:
        CodegenError: It is written in an edition whose defaults nobody has taught us.
    """
    written = syntax(file)
    if written not in _DEFAULTS:
        raise fail(file.name, f"{written} is not supported", f"write it in {', '.join(_DEFAULTS)}")
    return Features(_DEFAULTS[written]).within(file.options, (8,))
