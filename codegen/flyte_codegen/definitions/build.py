"""Second stage: turn a descriptor set into the intermediate representation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodOptions,
    ServiceDescriptorProto,
)

from flyte_codegen import names
from flyte_codegen.diagnostics import Diagnostic, error

from . import refuse
from .features import Features, Path, of_file
from .model import Api, Enum, Field, File, Label, Member, Message, Method, Service
from .operations import Operations
from .places import Places
from .screen import defined, enums, extensions, invalid_names, is_option, needed

_NOT_PACKABLE = frozenset({"string", "bytes", "message", "map"})


def build(descriptors: FileDescriptorSet, own: Collection[str] | None = None, mentioned: Collection[str] = ()) -> Api:
    """Read a descriptor set, with comments and Python names. Errors are stored with the file that they concern.

    Args:
        descriptors: All files; see `screen.needed` for those that are read.
        own: The names of the user's own files; None if all are.
        mentioned: Names in codegen.toml.
    """
    protos = sorted(needed(descriptors, own, mentioned), key=lambda f: f.name)
    types = frozenset(name for proto in protos for name in defined(proto))
    first_values = {name: enum.value[0].name for proto in protos for name, enum in enums(proto) if enum.value}
    files = tuple(_FileReader(proto, types, first_values).read() for proto in protos)
    files = _with_extensions(_with_clashes(files), descriptors)
    return Api(
        files=files,
        messages={m.full_name: m for f in files for m in f.messages},
        enums={e.full_name: e for f in files for e in f.enums},
        file_of={x.full_name: f for f in files for x in f.types},
    )


def _with_extensions(files: tuple[File, ...], descriptors: FileDescriptorSet) -> tuple[File, ...]:
    """Return the files, each with errors for extensions of its messages, in whichever file the extensions are."""
    added: dict[str, list[Diagnostic]] = {}
    for proto in descriptors.file:
        found = [(extension, path) for extension, path in extensions(proto) if not is_option(extension)]
        if found:
            places = Places(proto)
            for extension, path in found:
                added.setdefault(extension.extendee.lstrip("."), []).append(refuse.extension(extension, path, places))
    return tuple(
        attrs.evolve(f, refused=(*f.refused, *(d for m in f.messages for d in added.get(m.full_name, ()))))
        for f in files
    )


def _with_clashes(files: Sequence[File]) -> tuple[File, ...]:
    """Return the files, each with errors for names that are equal in Python."""
    modules = Counter(file.module for file in files)
    homes = Counter(service.module for file in files for service in file.services)
    return tuple(attrs.evolve(file, refused=(*file.refused, *_clashes(file, modules, homes))) for file in files)


def _clashes(file: File, modules: Mapping[str, int], homes: Mapping[str, int]) -> Iterator[Diagnostic]:
    if modules[file.module] > 1:
        message = f"{file.name} and another file have the same module name, {file.module}"
        yield error(file.name, message, "rename one")
    counts = Counter(found.py_name for found in file.types)
    for clash in (found for found in file.types if counts[found.py_name] > 1):
        message = f"{clash.full_name} and another type have the same Python name, {clash.py_name}"
        yield error(clash.place, message, "rename one")
    for service in file.services:
        if homes[service.module] > 1:
            message = f"{service.full_name} and another service have the same module name, {service.module}"
            yield error(service.place, message, "rename one")
        handlers = Counter(method.py_name for method in service.methods)
        constants = Counter(method.constant for method in service.methods)
        for method in (m for m in service.methods if handlers[m.py_name] > 1 or constants[m.constant] > 1):
            message = f"{method.full_name} and another RPC have the same Python name, {method.py_name}"
            yield error(method.place, message, "rename one")


class _FileReader:
    """Walks one file."""

    def __init__(self, proto: FileDescriptorProto, types: frozenset[str], first_values: Mapping[str, str]) -> None:
        self.proto = proto
        self.first_values = first_values
        self.places = Places(proto)
        self.features = of_file(proto)
        self.operations = Operations(proto.package, types)
        self.messages: list[Message] = []
        self.enums: list[Enum] = []
        # Keyed by the error: a feature that many fields inherit is reported once.
        self.refused = dict[Diagnostic, None].fromkeys((*refuse.file(proto), *invalid_names(proto)))

    def read(self) -> File:
        proto = self.proto
        for i, message in enumerate(proto.message_type):
            self._message(message, (4, i), proto.package, "", self.features)
        for i, enum in enumerate(proto.enum_type):
            self._enum(enum, (5, i), proto.package, "")
        return File(
            name=proto.name,
            package=proto.package,
            module=names.module(proto.name.removesuffix(".proto").replace("/", ".")),
            doc=self.places.doc((12,)) or self.places.doc((2,)),
            messages=tuple(self.messages),
            enums=tuple(self.enums),
            services=tuple(self._service(s, (6, i)) for i, s in enumerate(proto.service)),
            refused=tuple(self.refused),
        )

    def _message(self, proto: DescriptorProto, path: Path, scope: str, outer: str, around: Features) -> None:
        self.refused.update(dict.fromkeys(refuse.message(proto, path, self.places)))
        features = around.within(proto.options, (*path, 7))
        full_name = f"{scope}.{proto.name}" if scope else proto.name
        flat_name = outer + proto.name
        entries = {f"{full_name}.{n.name}": n for n in proto.nested_type if n.options.map_entry}
        oneofs = [(o.name, features.within(o.options, (*path, 8, i, 2))) for i, o in enumerate(proto.oneof_decl)]
        self.messages.append(
            Message(
                full_name=full_name,
                py_name=names.escape(flat_name, names.RESERVED_AS_MESSAGE),
                # Sorted by number, the order of encoding.
                fields=tuple(
                    self._field(field, (*path, 2, i), features, oneofs, entries)
                    for i, field in sorted(enumerate(proto.field), key=lambda pair: pair[1].number)
                ),
                deprecated=proto.options.deprecated,
                doc=self.places.doc(path),
                place=self.places.at(path),
            )
        )
        for i, nested in enumerate(proto.nested_type):
            if not nested.options.map_entry:
                self._message(nested, (*path, 3, i), full_name, flat_name, features)
        for i, enum in enumerate(proto.enum_type):
            self._enum(enum, (*path, 4, i), full_name, flat_name)

    def _field(
        self,
        proto: FieldDescriptorProto,
        path: Path,
        around: Features,
        oneofs: list[tuple[str, Features]],
        entries: dict[str, DescriptorProto],
    ) -> Field:
        kind = FieldDescriptorProto.Type.Name(proto.type).removeprefix("TYPE_").lower()
        type_name = proto.type_name.lstrip(".")
        oneof = ""
        if proto.HasField("oneof_index"):
            oneof, around = oneofs[proto.oneof_index]
        features = around.field(proto, path)
        label, key, value = Label.IMPLICIT, "", ""
        if entry := entries.get(type_name):
            label, kind = Label.MAP, "map"
            key, value = (FieldDescriptorProto.Type.Name(f.type).removeprefix("TYPE_").lower() for f in entry.field)
            type_name = entry.field[1].type_name.lstrip(".")
        else:
            self.refused.update(dict.fromkeys(refuse.field(proto, features, path, self.places, self.first_values)))
            if proto.label == FieldDescriptorProto.LABEL_REPEATED:
                label = Label.REPEATED
            elif oneof or kind == "message" or features.values["field_presence"] != "IMPLICIT":
                label = Label.OPTIONAL  # proto3 optional fields have a synthetic oneof
        return Field(
            name=proto.name,
            py_name=names.escape(proto.name, names.RESERVED_IN_MESSAGE),
            number=proto.number,
            kind=kind,
            label=label,
            type_name=type_name,
            oneof="" if proto.proto3_optional else oneof,
            json_name=proto.json_name,
            packed=kind not in _NOT_PACKABLE and features.values["repeated_field_encoding"] == "PACKED",
            deprecated=proto.options.deprecated,
            doc=self.places.doc(path),
            place=self.places.at(path),
            map_key=key,
            map_value=value,
        )

    def _enum(self, proto: EnumDescriptorProto, path: Path, scope: str, outer: str) -> None:
        prefix = names.member_prefix(proto.name, [v.name for v in proto.value])
        self.enums.append(
            Enum(
                full_name=f"{scope}.{proto.name}" if scope else proto.name,
                py_name=names.escape(outer + proto.name, names.RESERVED_AS_MESSAGE),
                prefix=prefix,
                members=tuple(
                    Member(
                        name=v.name,
                        py_name=names.escape(v.name[len(prefix) :], names.RESERVED_IN_ENUM),
                        number=v.number,
                        doc=self.places.doc((*path, 2, i)),
                        deprecated=v.options.deprecated,
                    )
                    for i, v in enumerate(proto.value)
                ),
                doc=self.places.doc(path),
                place=self.places.at(path),
                deprecated=proto.options.deprecated,
            )
        )

    def _service(self, proto: ServiceDescriptorProto, path: Path) -> Service:
        full_name = f"{self.proto.package}.{proto.name}" if self.proto.package else proto.name
        return Service(
            full_name=full_name,
            py_name=names.escape(proto.name, names.RESERVED_AS_SERVICE),
            module=names.module(f"{self.proto.package}.{names.snake(proto.name)}".lstrip(".")),
            methods=tuple(
                Method(
                    name=m.name,
                    full_name=f"{full_name}.{m.name}",
                    py_name=names.escape(names.rpc_name(m.name), names.RESERVED_IN_SERVICE),
                    constant=("X" if m.name.startswith("_") else "") + names.rpc_name(m.name).upper(),
                    request=m.input_type.lstrip("."),
                    response=m.output_type.lstrip("."),
                    client_streaming=m.client_streaming,
                    server_streaming=m.server_streaming,
                    idempotency=MethodOptions.IdempotencyLevel.Name(m.options.idempotency_level)
                    if m.options.idempotency_level
                    else "",
                    deprecated=m.options.deprecated,
                    doc=self.places.doc((*path, 2, i)),
                    place=self.places.at((*path, 2, i)),
                    operation=self.operations.of(m),
                )
                for i, m in enumerate(proto.method)
            ),
            doc=self.places.doc(path),
            place=self.places.at(path),
            deprecated=proto.options.deprecated,
        )
