"""What messages may not have: it changes what is on the wire, or what a field that is not there reads as."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from flyte_codegen.diagnostics import Diagnostic, error

from .features import Features, Path
from .places import Places

_THEIRS = (
    "; if the file is not yours, move it from [input] protos to include, from where only what is imported is generated, "
    "or name in [extern] a Python package that has its messages"
)


def message(proto: DescriptorProto, path: Path, places: Places) -> Iterator[Diagnostic]:
    """What is wrong with a message itself."""
    if proto.options.message_set_wire_format:
        what = f"{proto.name} has message_set_wire_format, which is not supported"
        yield _refusal(places.at((*path, 7, 1), path), what, "remove the option, which only protobuf 1 needs")


def field(proto: FieldDescriptorProto, features: Features, path: Path, places: Places) -> Iterator[Diagnostic]:
    """What is wrong with a field that is not a map."""
    if proto.HasField("default_value"):
        what = f"field {proto.name} has a default of its own, {proto.default_value}, which is not supported"
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
        remedy = "make it a message, and a field of that: what is on the wire changes"
        yield _refusal(places.at(path), what, remedy)
    elif proto.type == FieldDescriptorProto.TYPE_MESSAGE and values["message_encoding"] == "DELIMITED":
        what = "features.message_encoding = DELIMITED is not supported: it makes groups of messages"
        remedy = "write LENGTH_PREFIXED, or remove the feature: what is on the wire changes"
        yield _refusal(_origin(features, "message_encoding", path, places), what, remedy)


def extension(proto: FieldDescriptorProto, path: Path, places: Places) -> Diagnostic:
    """What is wrong with a field that is added to a message from outside."""
    target = proto.extendee.lstrip(".")
    what = f"{proto.name} extends {target}, which is not supported: the message would not have it"
    return _refusal(places.at(path), what, f"make it a field of {target}, with the number that it has")


def _origin(features: Features, feature: str, path: Path, places: Places) -> str:
    """The line that sets the feature, which many fields may inherit."""
    return places.at(features.origins.get(feature, path), path)


def _refusal(place: str, what: str, remedy: str) -> Diagnostic:
    return error(place, what, remedy + _THEIRS)
