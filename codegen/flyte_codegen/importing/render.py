"""Write file descriptors as ``.proto`` source text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

from .options import carried, default_json_name
from .symbols import Symbols

_INDENT = "  "
_MAX_FIELD_NUMBER = 2**29 - 1
_MAX_ENUM_NUMBER = 2**31 - 1
_SCALARS = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


@attrs.frozen
class Renderer:
    """Writes files. The same descriptors and comments always give the same text.

    Attributes:
        symbols: All known names, for spelling references.
        comments: Comment text by element: full name, or path for a file.
    """

    symbols: Symbols
    comments: Mapping[str, str]

    def file(self, file: FileDescriptorProto, imports: Sequence[str]) -> str:
        """Return the text of one file, with a final newline."""
        header = [*self._comment(file.name), 'syntax = "proto3";']
        if file.package:
            header += ["", f"package {file.package};"]
        if imports:
            header += ["", *(f"import {quoted(path)};" for path in imports)]
        options = carried(file.options)
        if options:
            header += ["", *(f"option {name} = {value};" for name, value in options)]
        package = file.package
        blocks = [
            *(self._service(service, package) for service in file.service),
            *(self._message(message, _inside(package, message.name), package) for message in file.message_type),
            *(self._enum(enum, _inside(package, enum.name)) for enum in file.enum_type),
        ]
        lines = header
        for block in blocks:
            lines = [*lines, "", *block]
        return "\n".join(lines) + "\n"

    def _service(self, service: ServiceDescriptorProto, package: str) -> list[str]:
        name = _inside(package, service.name)
        body = _Body(_option_lines(service.options))
        for method in service.method:
            body.item(self._comment(f"{name}.{method.name}"), self._method(method, name, package))
        return [*self._comment(name), *_block(f"service {service.name}", body.lines)]

    def _method(self, method: MethodDescriptorProto, scope: str, package: str) -> list[str]:
        request = self.symbols.reference(method.input_type, scope, package)
        response = self.symbols.reference(method.output_type, scope, package)
        request = f"stream {request}" if method.client_streaming else request
        response = f"stream {response}" if method.server_streaming else response
        head = f"rpc {method.name}({request}) returns ({response})"
        options = _option_lines(method.options)
        return _block(head, options) if options else [f"{head};"]

    def _message(self, message: DescriptorProto, name: str, package: str) -> list[str]:
        body = _Body([*_option_lines(message.options), *_message_reserved(message)])
        for enum in message.enum_type:
            body.block(self._enum(enum, f"{name}.{enum.name}"))
        # protoc numbers nested types in source order, and a map field creates one.
        nested = list(message.nested_type)
        entries = {f".{name}.{entry.name}": entry for entry in nested if entry.options.map_entry}

        def nested_before(entry: DescriptorProto | None) -> Iterator[list[str]]:
            while nested and nested[0] is not entry:
                inner = nested.pop(0)
                yield self._message(inner, f"{name}.{inner.name}", package)
            if nested:
                nested.pop(0)

        if not entries:
            body.blocks(nested_before(None))
        oneofs_done: set[int] = set()
        for field in message.field:
            comment = self._comment(f"{name}.{field.name}")
            entry = entries.get(field.type_name) if _repeated(field) else None
            if entry is not None:
                body.blocks(nested_before(entry))
                body.item(comment, [self._map_field(field, entry, name, package)])
            elif field.HasField("oneof_index") and not field.proto3_optional:
                if field.oneof_index not in oneofs_done:
                    oneofs_done.add(field.oneof_index)
                    body.block(self._oneof(message, field.oneof_index, name, package))
            else:
                label = "repeated " if _repeated(field) else "optional " if field.proto3_optional else ""
                body.item(comment, [label + self._field(field, name, package)])
        body.blocks(nested_before(None))
        return [*self._comment(name), *_block(f"message {message.name}", body.lines)]

    def _oneof(self, message: DescriptorProto, index: int, name: str, package: str) -> list[str]:
        oneof = message.oneof_decl[index]
        body = _Body([])
        for field in message.field:
            if field.HasField("oneof_index") and field.oneof_index == index:
                body.item(self._comment(f"{name}.{field.name}"), [self._field(field, name, package)])
        return [*self._comment(f"{name}.{oneof.name}"), *_block(f"oneof {oneof.name}", body.lines)]

    def _field(self, field: FieldDescriptorProto, scope: str, package: str) -> str:
        return f"{self._type(field, scope, package)} {field.name} = {field.number}{_field_options(field)};"

    def _map_field(self, field: FieldDescriptorProto, entry: DescriptorProto, scope: str, package: str) -> str:
        key, value = (self._type(part, scope, package) for part in sorted(entry.field, key=lambda part: part.number))
        return f"map<{key}, {value}> {field.name} = {field.number}{_field_options(field)};"

    def _type(self, field: FieldDescriptorProto, scope: str, package: str) -> str:
        if field.type in _SCALARS:
            return _SCALARS[field.type]
        return self.symbols.reference(field.type_name, scope, package)

    def _enum(self, enum: EnumDescriptorProto, name: str) -> list[str]:
        body = _Body([*_option_lines(enum.options), *_enum_reserved(enum)])
        for value in enum.value:
            body.item(self._comment(f"{name}.{value.name}"), [_enum_value(value)])
        return [*self._comment(name), *_block(f"enum {enum.name}", body.lines)]

    def _comment(self, key: str) -> list[str]:
        text = self.comments.get(key)
        return [f"// {line}".rstrip() for line in text.split("\n")] if text else []


class _Body:
    """The lines between two braces. Blank lines separate blocks and commented items, but not plain items."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)
        self._apart = bool(self.lines)

    def item(self, comment: list[str], lines: list[str]) -> None:
        apart = bool(comment) or len(lines) > 1
        self._add([*comment, *lines], before=apart or self._apart, after=len(lines) > 1)

    def block(self, lines: list[str]) -> None:
        self._add(lines, before=True, after=True)

    def blocks(self, blocks: Iterable[list[str]]) -> None:
        for lines in blocks:
            self.block(lines)

    def _add(self, lines: list[str], *, before: bool, after: bool) -> None:
        if self.lines and before:
            self.lines.append("")
        self.lines += lines
        self._apart = after


def quoted(text: str) -> str:
    """Return a proto string literal."""
    escaped = "".join(
        f"\\{char}" if char in '"\\' else char if char.isprintable() else "".join(f"\\{b:03o}" for b in char.encode())
        for char in text
    )
    return f'"{escaped}"'


def _block(head: str, lines: list[str]) -> list[str]:
    if not lines:
        return [f"{head} {{}}"]
    return [f"{head} {{", *(_INDENT + line if line else "" for line in lines), "}"]


def _inside(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _repeated(field: FieldDescriptorProto) -> bool:
    return field.label == FieldDescriptorProto.LABEL_REPEATED


def _option_lines(options: Message) -> list[str]:
    return [f"option {name} = {value};" for name, value in carried(options)]


def _bracketed(options: list[tuple[str, str]]) -> str:
    return f" [{', '.join(f'{name} = {value}' for name, value in options)}]" if options else ""


def _field_options(field: FieldDescriptorProto) -> str:
    options = carried(field.options)
    if field.json_name and field.json_name != default_json_name(field.name):
        options.append(("json_name", quoted(field.json_name)))
    return _bracketed(sorted(options))


def _enum_value(value: EnumValueDescriptorProto) -> str:
    return f"{value.name} = {value.number}{_bracketed(carried(value.options))};"


def _message_reserved(message: DescriptorProto) -> list[str]:
    # Reserved ranges exclude their end in messages and include it in enums.
    ranges = [(item.start, item.end - 1) for item in message.reserved_range]
    return _reserved(ranges, message.reserved_name, _MAX_FIELD_NUMBER)


def _enum_reserved(enum: EnumDescriptorProto) -> list[str]:
    ranges = [(item.start, item.end) for item in enum.reserved_range]
    return _reserved(ranges, enum.reserved_name, _MAX_ENUM_NUMBER)


def _reserved(ranges: list[tuple[int, int]], names: Sequence[str], highest: int) -> list[str]:
    lines: list[str] = []
    if ranges:
        texts = [str(a) if a == b else f"{a} to {'max' if b == highest else b}" for a, b in ranges]
        lines.append(f"reserved {', '.join(texts)};")
    if names:
        lines.append(f"reserved {', '.join(quoted(name) for name in names)};")
    return lines
