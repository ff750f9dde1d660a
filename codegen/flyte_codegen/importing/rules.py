"""``buf.validate`` rules that a client can check before sending, as a table beside the protos.

The rules are custom options, which the text does not keep. ``rules.toml`` lists them by full name of field or oneof.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from .reach import Files, is_well_known, messages_of, well_known_files

FILE_NAME = "rules.toml"

_VALIDATE = "buf/validate/validate.proto"
_DESCRIPTOR = "google/protobuf/descriptor.proto"

# The rules that the table can express. Their kind (string, repeated, int32, ...) follows from the field.
# fmt: off
_CARRIED = frozenset({
    "const", "in", "not_in", "gt", "gte", "lt", "lte", "defined_only", "len", "min_len", "max_len", "min_bytes",
    "max_bytes", "pattern", "prefix", "suffix", "min_items", "max_items", "unique", "min_pairs", "max_pairs",
})
# fmt: on
_NESTED = frozenset({"items", "keys", "values"})

_Value = bool | int | float | str | list[Any] | dict[str, Any]
_Rules = dict[str, _Value]


@attrs.define
class RuleTable:
    """Rules by full name, and the number of rules of each kind that the table cannot express."""

    fields: dict[str, _Rules] = attrs.field(factory=dict[str, _Rules])
    oneofs: dict[str, _Rules] = attrs.field(factory=dict[str, _Rules])
    not_carried: Counter[str] = attrs.field(factory=Counter[str])

    def text(self) -> str:
        """Return the table as TOML, sorted by name."""
        lines = ["# Checks a server makes on requests, from the buf.validate options of the imported definitions."]
        if self.not_carried:
            kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(self.not_carried.items()))
            lines.append(f"# Left to the server: {kinds}.")
        for section, table in (("fields", self.fields), ("oneofs", self.oneofs)):
            for name, rules in sorted(table.items()):
                lines += [
                    "",
                    f'[{section}."{name}"]',
                    *(f"{key} = {_toml(value)}" for key, value in sorted(rules.items())),
                ]
        return "\n".join(lines) + "\n"


def collect_rules(files: Mapping[str, FileDescriptorProto], wheels: Sequence[Files]) -> RuleTable:
    """Return the rules of the elements of ``files``, parsed with the rule definitions in a wheel."""
    table = RuleTable()
    definitions = next((wheel[_VALIDATE] for wheel in wheels if _VALIDATE in wheel), None)
    if definitions is not None:
        reader = _Reader(definitions, table)
        for file in files.values():
            for name, message in messages_of(file):
                reader.message(message.options)
                for field in message.field:
                    reader.field(f"{name}.{field.name}", field.options)
                for oneof in message.oneof_decl:
                    reader.oneof(f"{name}.{oneof.name}", oneof.options)
    return table


class _Reader:
    """Decodes the extensions in a separate descriptor pool, so that the process-wide pool stays unchanged."""

    def __init__(self, definitions: FileDescriptorProto, table: RuleTable) -> None:
        pool = DescriptorPool()
        for file in well_known_files([_DESCRIPTOR, *filter(is_well_known, definitions.dependency)]):
            pool.Add(file)
        pool.Add(definitions)
        message_factory.GetMessageClassesForFiles([_VALIDATE], pool)
        self._pool = pool
        self._table = table

    def message(self, options: Message) -> None:
        rules = self._extension("MessageOptions", "message", options)
        if rules is not None:
            for descriptor, _ in rules.ListFields():
                self._table.not_carried[f"message {descriptor.name}"] += 1

    def oneof(self, name: str, options: Message) -> None:
        rules = self._extension("OneofOptions", "oneof", options)
        if rules is not None and rules.required:
            self._table.oneofs[name] = {"required": True}

    def field(self, name: str, options: Message) -> None:
        rules = self._extension("FieldOptions", "field", options)
        if rules is not None:
            table = self._rules(rules)
            if table:
                self._table.fields[name] = table

    def _extension(self, options_type: str, extension: str, options: Message) -> Any:
        if not options.ByteSize():
            return None
        kind = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"google.protobuf.{options_type}"))
        handle: Any = self._pool.FindExtensionByName(f"buf.validate.{extension}")
        decoded: Any = kind.FromString(options.SerializeToString())
        return decoded.Extensions[handle] if decoded.HasExtension(handle) else None

    def _rules(self, rules: Any) -> _Rules:
        """Return FieldRules as a table: the rules of its kind, ``required``, and ``ignore_empty``."""
        found: _Rules = {}
        for descriptor, value in rules.ListFields():
            name: str = descriptor.name
            if name == "required":
                found["required"] = True
            elif name == "ignore":
                mode = descriptor.enum_type.values_by_number[value].name
                if mode == "IGNORE_ALWAYS":
                    return {}
                if mode == "IGNORE_IF_ZERO_VALUE":
                    found["ignore_empty"] = True
            elif name == "cel":
                self._table.not_carried["cel"] += len(value)
            else:
                self._kind(name, value, found)
        return found if found.keys() != {"ignore_empty"} else {}

    def _kind(self, kind: str, rules: Any, found: _Rules) -> None:
        for descriptor, value in rules.ListFields():
            name: str = descriptor.name
            if name in _NESTED:
                inner = self._rules(value)
                if inner:
                    found[name] = inner
            elif name in _CARRIED:
                found[name] = _plain(value)
            else:
                self._table.not_carried[f"{kind} {name}"] += 1


def _plain(value: Any) -> _Value:
    """Return a rule's operand; durations and timestamps become seconds."""
    if isinstance(value, Message):
        amount: Any = value
        return float(amount.seconds + amount.nanos / 1e9)
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value]


def _toml(value: _Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in sorted(value.items()))} }}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
