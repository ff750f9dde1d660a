"""A definition with every kind of field. Flyte's definitions do not use all of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from support.fragments import proto

SCALARS = [
    "double",
    "float",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "sint32",
    "sint64",
    "fixed32",
    "fixed64",
    "sfixed32",
    "sfixed64",
    "bool",
    "string",
    "bytes",
]
MAP_KEYS = [kind for kind in SCALARS if kind not in ("double", "float", "bytes")]
PACKABLE = [kind for kind in SCALARS if kind not in ("string", "bytes")]


def _fields() -> Iterator[str]:
    for kind in [*SCALARS, "Colour", "Leaf"]:
        label = kind.lower()
        yield f"{kind} one_{label} = {{n}};"
        yield f"optional {kind} maybe_{label} = {{n}};"
        yield f"repeated {kind} many_{label} = {{n}};"
        yield f"map<string, {kind}> by_name_{label} = {{n}};"
    for kind in PACKABLE:
        yield f"repeated {kind} loose_{kind} = {{n}} [packed = false];"
    for kind in MAP_KEYS:
        yield f"map<{kind}, int32> keyed_{kind} = {{n}};"
    yield "oneof choice {{"
    for kind in [*SCALARS, "Colour", "Leaf"]:
        yield f"  {kind} pick_{kind.lower()} = {{n}};"
    yield "}}"
    yield "oneof single {{ string alone = {n}; }}"
    yield "Everything self = {n};"
    yield "repeated Everything from = {n};"
    yield 'string class = {n} [json_name = "taxon"];'
    yield "string list = {n};"
    yield "google.protobuf.NullValue nothing = {n};"
    yield "repeated google.protobuf.Value values = {n};"
    yield "google.protobuf.FieldMask mask = {n};"
    yield "google.protobuf.Empty empty = {n};"
    yield "string __private = {n};"


def source() -> str:
    """The .proto file."""
    # Numbers of one and of several bytes, and not in order.
    numbers = (n * 37 % 1009 + 1 for n in count())
    fields = "\n  ".join(line.format(n=next(numbers)) if "{n}" in line else line.format() for line in _fields())
    return proto(
        f"""
import "google/protobuf/struct.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/empty.proto";
enum Colour {{
  option allow_alias = true;
  COLOUR_NONE = 0; COLOUR_RED = 1; COLOUR_CRIMSON = 1; COLOUR_DARK = -5; COLOUR_True = 7;
}}
message Leaf {{ int32 size = 1; string name = 2; }}
message Nothing {{}}
message Everything {{
  {fields}
}}
"""
    )
