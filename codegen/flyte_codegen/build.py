"""Second stage: a descriptor set to the intermediate representation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodOptions,
    ServiceDescriptorProto,
)

from . import names
from .diagnostics import CodegenError, Diagnostic, error
from .model import Api, Enum, Field, File, Label, Member, Message, Method, Service
from .screen import supported

_NOT_PACKABLE = frozenset({"string", "bytes", "message", "map"})


def build(descriptors: FileDescriptorSet) -> Api:
    """Read a descriptor set, with comments and Python names.

    Raises:
        CodegenError: A construct that has no faithful Python form, such as proto2 or a clash of names.
    """
    findings: list[Diagnostic] = []
    files = tuple(_FileReader(proto).read() for proto in sorted(supported(descriptors), key=lambda f: f.name))
    _check_names(files, findings)
    if findings:
        raise CodegenError(findings)
    return Api(
        files=files,
        messages={m.full_name: m for f in files for m in f.messages},
        enums={e.full_name: e for f in files for e in f.enums},
        file_of={x.full_name: f for f in files for x in f.types},
    )


def _check_names(files: Sequence[File], findings: list[Diagnostic]) -> None:
    modules = Counter(file.module for file in files)
    for file in (f for f in files if modules[f.module] > 1):
        message = f"{file.name} and another file are both the module {file.module} in Python"
        findings.append(error(file.name, message, "rename one"))
    homes = Counter(service.module for file in files for service in file.services)
    for service in (s for file in files for s in file.services if homes[s.module] > 1):
        message = f"{service.full_name} and another service are both the module {service.module} in Python"
        findings.append(error(service.place, message, "rename one"))
    for file in files:
        counts = Counter(x.py_name for x in file.types)
        for clash in (x for x in file.types if counts[x.py_name] > 1):
            message = f"{clash.full_name} and another type are both {clash.py_name} in Python"
            findings.append(error(clash.place, message, "rename one"))
        for service in file.services:
            handlers = Counter(m.py_name for m in service.methods)
            for method in (m for m in service.methods if handlers[m.py_name] > 1):
                message = f"{method.full_name} and another RPC are both {method.py_name} in Python"
                findings.append(error(method.place, message, "rename one"))


class _FileReader:
    """Walks one file; comments are found by the path of numbers that protoc keys them with."""

    def __init__(self, proto: FileDescriptorProto) -> None:
        self.proto = proto
        self.locations = {tuple(loc.path): loc for loc in proto.source_code_info.location}
        self.messages: list[Message] = []
        self.enums: list[Enum] = []

    def read(self) -> File:
        proto = self.proto
        for i, message in enumerate(proto.message_type):
            self._message(message, (4, i), proto.package, "")
        for i, enum in enumerate(proto.enum_type):
            self._enum(enum, (5, i), proto.package, "")
        return File(
            name=proto.name,
            package=proto.package,
            module=names.module(proto.name.removesuffix(".proto").replace("/", ".")),
            doc=self._doc((12,)) or self._doc((2,)),
            messages=tuple(self.messages),
            enums=tuple(self.enums),
            services=tuple(self._service(s, (6, i)) for i, s in enumerate(proto.service)),
        )

    def _doc(self, path: tuple[int, ...]) -> str:
        location = self.locations.get(path)
        if location is None:
            return ""
        text = location.leading_comments or location.trailing_comments
        return "\n".join(line.removeprefix(" ").rstrip() for line in text.split("\n")).strip()

    def _place(self, path: tuple[int, ...]) -> str:
        location = self.locations.get(path)
        return f"{self.proto.name}:{location.span[0] + 1}" if location else self.proto.name

    def _message(self, proto: DescriptorProto, path: tuple[int, ...], scope: str, outer: str) -> None:
        full_name = f"{scope}.{proto.name}" if scope else proto.name
        flat_name = outer + proto.name
        entries = {f"{full_name}.{n.name}": n for n in proto.nested_type if n.options.map_entry}
        oneofs = [o.name for o in proto.oneof_decl]
        self.messages.append(
            Message(
                full_name=full_name,
                py_name=names.escape(flat_name, names.RESERVED_AS_MESSAGE),
                # By number, which is the order they are written to the wire in.
                fields=tuple(
                    self._field(field, (*path, 2, i), oneofs, entries)
                    for i, field in sorted(enumerate(proto.field), key=lambda pair: pair[1].number)
                ),
                deprecated=proto.options.deprecated,
                doc=self._doc(path),
                place=self._place(path),
            )
        )
        for i, nested in enumerate(proto.nested_type):
            if not nested.options.map_entry:
                self._message(nested, (*path, 3, i), full_name, flat_name)
        for i, enum in enumerate(proto.enum_type):
            self._enum(enum, (*path, 4, i), full_name, flat_name)

    def _field(
        self, proto: FieldDescriptorProto, path: tuple[int, ...], oneofs: list[str], entries: dict[str, DescriptorProto]
    ) -> Field:
        kind = FieldDescriptorProto.Type.Name(proto.type).removeprefix("TYPE_").lower()
        type_name = proto.type_name.lstrip(".")
        label, key, value = Label.IMPLICIT, "", ""
        if entry := entries.get(type_name):
            label, kind = Label.MAP, "map"
            key, value = (FieldDescriptorProto.Type.Name(f.type).removeprefix("TYPE_").lower() for f in entry.field)
            type_name = entry.field[1].type_name.lstrip(".")
        elif proto.label == FieldDescriptorProto.LABEL_REPEATED:
            label = Label.REPEATED
        elif proto.HasField("oneof_index") or kind == "message":  # an optional scalar is in a oneof of its own
            label = Label.OPTIONAL
        packed = proto.options.packed if proto.options.HasField("packed") else True
        in_oneof = proto.HasField("oneof_index") and not proto.proto3_optional
        return Field(
            name=proto.name,
            py_name=names.escape(proto.name, names.RESERVED_IN_MESSAGE),
            number=proto.number,
            kind=kind,
            label=label,
            type_name=type_name,
            oneof=oneofs[proto.oneof_index] if in_oneof else "",
            json_name=proto.json_name,
            packed=packed and kind not in _NOT_PACKABLE,
            deprecated=proto.options.deprecated,
            doc=self._doc(path),
            place=self._place(path),
            map_key=key,
            map_value=value,
        )

    def _enum(self, proto: EnumDescriptorProto, path: tuple[int, ...], scope: str, outer: str) -> None:
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
                        doc=self._doc((*path, 2, i)),
                        deprecated=v.options.deprecated,
                    )
                    for i, v in enumerate(proto.value)
                ),
                doc=self._doc(path),
                place=self._place(path),
                deprecated=proto.options.deprecated,
            )
        )

    def _service(self, proto: ServiceDescriptorProto, path: tuple[int, ...]) -> Service:
        full_name = f"{self.proto.package}.{proto.name}" if self.proto.package else proto.name
        return Service(
            full_name=full_name,
            py_name=names.escape(proto.name, names.RESERVED_AS_SERVICE),
            module=names.module(f"{self.proto.package}.{names.snake(proto.name)}".lstrip(".")),
            methods=tuple(
                Method(
                    name=m.name,
                    full_name=f"{full_name}.{m.name}",
                    py_name=names.escape(names.snake(m.name), names.RESERVED_IN_SERVICE),
                    constant=names.snake(m.name).upper(),
                    request=m.input_type.lstrip("."),
                    response=m.output_type.lstrip("."),
                    client_streaming=m.client_streaming,
                    server_streaming=m.server_streaming,
                    idempotency=MethodOptions.IdempotencyLevel.Name(m.options.idempotency_level)
                    if m.options.idempotency_level
                    else "",
                    deprecated=m.options.deprecated,
                    doc=self._doc((*path, 2, i)),
                    place=self._place((*path, 2, i)),
                )
                for i, m in enumerate(proto.method)
            ),
            doc=self._doc(path),
            place=self._place(path),
            deprecated=proto.options.deprecated,
        )
