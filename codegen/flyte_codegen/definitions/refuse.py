"""Refuse unsupported features of messages, which change the encoding or the value of unset fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from flyte_codegen.diagnostics import Diagnostic, error

from .features import SYNTAXES, Features, Path, syntax
from .places import Places

_THEIRS = (
    "; if the file is not yours, move it from [input] protos to [input] include, where only imported files are generated, "
    "or add a Python package with its messages to [extern]"
)


def file(proto: FileDescriptorProto) -> Iterator[Diagnostic]:
    """Yield errors about a file itself."""
    written = syntax(proto)
    if written not in SYNTAXES:
        yield error(proto.name, f"{written} is not supported", f"use one of {', '.join(SYNTAXES)}")


def message(proto: DescriptorProto, path: Path, places: Places) -> Iterator[Diagnostic]:
    """Yield errors about a message itself."""
    if proto.options.message_set_wire_format:
        what = f"{proto.name} has message_set_wire_format, which is not supported"
        yield _refusal(places.at((*path, 7, 1), path), what, "remove the option; only protobuf 1 needs it")


def field(
    proto: FieldDescriptorProto, features: Features, path: Path, places: Places, first_values: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """Yield errors about a field that is not a map. `first_values` has the first value of each enum, its default."""
    if proto.HasField("default_value") and proto.default_value != _zero(proto, first_values):
        what = f"field {proto.name} has a custom default, {proto.default_value}, which is not supported"
        remedy = "remove the default, and document what an unset field means"
        yield _refusal(places.at((*path, 7), path), what, remedy)
    values = features.values
    if values["field_presence"] == "LEGACY_REQUIRED":
        if proto.label == FieldDescriptorProto.LABEL_REQUIRED:
            what, remedy = f"field {proto.name} is required, which is not supported", "write optional"
        else:
            what = "features.field_presence = LEGACY_REQUIRED is not supported"
            remedy = "write EXPLICIT, or remove the feature"
        yield _refusal(_origin(features, "field_presence", path, places), what, remedy)
    if proto.type == FieldDescriptorProto.TYPE_GROUP:
        what = f"group {proto.type_name.rpartition('.')[2]} is not supported"
        remedy = "replace it with a message and a field of that type; this changes the encoding"
        yield _refusal(places.at(path), what, remedy)
    elif proto.type == FieldDescriptorProto.TYPE_MESSAGE and values["message_encoding"] == "DELIMITED":
        what = "features.message_encoding = DELIMITED is not supported; it encodes messages as groups"
        remedy = "write LENGTH_PREFIXED, or remove the feature; this changes the encoding"
        yield _refusal(_origin(features, "message_encoding", path, places), what, remedy)


def extension(proto: FieldDescriptorProto, path: Path, places: Places) -> Diagnostic:
    """Return the error about an extension field."""
    target = proto.extendee.lstrip(".")
    what = f"{proto.name} extends {target}, which is not supported; the generated message would lack the field"
    return _refusal(places.at(path), what, f"make it a field of {target} with the same number")


def _zero(proto: FieldDescriptorProto, first_values: Mapping[str, str]) -> str:
    """Return the default of a field that declares none, as protoc writes it."""
    if proto.type == FieldDescriptorProto.TYPE_ENUM:
        return first_values.get(proto.type_name.lstrip("."), "")
    if proto.type in (FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES):
        return ""
    return "false" if proto.type == FieldDescriptorProto.TYPE_BOOL else "0"


def _origin(features: Features, feature: str, path: Path, places: Places) -> str:
    """Return the line that sets a feature, possibly on an enclosing element."""
    return places.at(features.origins.get(feature, path), path)


def _refusal(place: str, what: str, remedy: str) -> Diagnostic:
    return error(place, what, remedy + _THEIRS)
