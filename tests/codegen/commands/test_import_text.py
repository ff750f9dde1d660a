"""Round trip of proto3 files through text: protoc compiles the text to the same descriptor."""

import tempfile
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodOptions,
)
from google.protobuf.descriptor_pool import DescriptorPool
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flyte_codegen.importing.options import default_json_name
from flyte_codegen.importing.protoc import compile_protos
from flyte_codegen.importing.render import Renderer
from flyte_codegen.importing.symbols import Symbols

WELL_KNOWN = ["google.protobuf.Duration", "google.protobuf.Timestamp"]


def written(files: dict[str, FileDescriptorProto]) -> dict[str, str]:
    renderer = Renderer(Symbols(files.values(), WELL_KNOWN), {})
    return {path: renderer.file(file, list(file.dependency)) for path, file in files.items()}


def compiled(texts: dict[str, str]) -> dict[str, FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as directory:
        for path, text in texts.items():
            (Path(directory) / path).write_text(text, "utf-8")
        files = compile_protos(Path(directory), list(texts))
    for file in files.values():
        file.ClearField("source_code_info")
    return files


def check(text: str, **others: str) -> str:
    """Compile source text, write it as text again, compile that, and compare. Return the new text."""
    files = compiled({"odd.proto": text, **{f"{name}.proto": source for name, source in others.items()}})
    texts = written(files)
    assert compiled(texts) == files
    return texts["odd.proto"]


ODD = {
    "nested five deep": """
        package p;
        message A { message B { message C { message D { message E { A.B.C.D.E up = 1; } E e = 1; } } } }
        message F { A.B.C.D.E e = 1; .p.A.B b = 2; }
    """,
    "reserved words as names": """
        package message.option;
        message string {
          string string = 1;
          .message.option.string message = 2;
          repeated .message.option.string repeated = 3;
          oneof oneof { bool bool = 4; .message.option.string option = 5; }
          enum enum { zero = 0; message_ = 1; }
          .message.option.string.enum reserved = 6;
          map<string, .message.option.string> map = 7;
        }
        message stream {}
        service rpc { rpc rpc(stream .message.option.stream) returns (.message.option.stream); }
    """,
    "optional fields": """
        message M { optional int32 a = 1; optional M m = 2; oneof real { int32 b = 3; } optional string _c = 4; }
    """,
    "maps between nested messages": """
        message M {
          message Before {}
          map<string, Before> one = 1;
          message Between { map<int32, M> inner = 1; }
          map<bool, Between> two_words = 2 [deprecated = true];
          message After {}
          After after = 3;
        }
    """,
    "oneofs between fields": """
        message M {
          int32 a = 9;
          oneof first { int32 b = 2; M c = 7; }
          int32 d = 1;
          oneof second { string e = 3 [deprecated = true]; }
        }
    """,
    "streaming in every direction": """
        message M {}
        service S {
          rpc Unary(M) returns (M);
          rpc Down(M) returns (stream M) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Up(stream M) returns (M) { option deprecated = true; option idempotency_level = IDEMPOTENT; }
          rpc Both(stream M) returns (stream M);
        }
        service Empty { option deprecated = true; }
    """,
    "enum aliases and negative values": """
        enum E {
          option allow_alias = true;
          ZERO = 0; NOTHING = 0 [deprecated = true]; LEAST = -2147483648; MOST = 2147483647; MINUS = -1;
        }
    """,
    "reserved ranges and names": """
        message M { reserved 1, 5 to 7, 1000 to max; reserved "gone", "away"; int32 a = 2; }
        enum E { reserved -5 to -2, 9, 100 to max; reserved "OLD"; E_ZERO = 0; }
    """,
    "JSON names": r"""
        message M {
          int32 plain_name = 1;
          int32 other = 2 [json_name = "@type"];
          int32 quote = 3 [json_name = "a\"b\\c\n'é"];
          int32 _lead = 4;
          int32 double__score = 5;
          int32 trail_ = 6 [json_name = "trail_"];
          int32 CamelCase9_x = 7;
        }
    """,
    "packed": """
        message M { repeated int32 a = 1 [packed = false]; repeated int32 b = 2 [packed = true]; repeated int32 c = 3; }
    """,
    "every scalar": """
        message M {
          double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7; sint64 h = 8;
          fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13; string n = 14;
          bytes o = 536870911;
        }
    """,
    "deprecated at every level": """
        option deprecated = true;
        message M { option deprecated = true; int32 a = 1 [deprecated = true, json_name = "b"]; }
        enum E { option deprecated = true; E_ZERO = 0 [deprecated = true]; }
    """,
    "a member hides a package": """
        package google.inner;
        import "google/protobuf/timestamp.proto";
        message google { int32 x = 1; .google.protobuf.Timestamp at = 2; }
        message M { google google = 1; .google.protobuf.Timestamp at = 2; message protobuf {} protobuf p = 3; }
    """,
    "a nested type hides an outer one": """
        package p;
        message T {}
        message M { message T {} T mine = 1; .p.T theirs = 2; message N { T t = 1; .p.T o = 2; message M {} M m = 3; } }
    """,
    "no package": """
        message A { B b = 1; }
        message B {}
        enum E { E_ZERO = 0; }
    """,
    "nothing at all": "",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_round_trip(name: str) -> None:
    check('syntax = "proto3";\n' + ODD[name])


def test_a_package_hidden_by_a_sibling_is_spelt_from_the_root() -> None:
    text = check(
        'syntax = "proto3"; package a.b; import "other.proto"; import "third.proto"; message M { a.c.T t = 1; .c.T u = 2; N n = 3; message N {} }',
        other='syntax = "proto3"; package a.c; import "third.proto"; message T { .c.T t = 1; }',
        third='syntax = "proto3"; package c; message T {}',
    )
    assert "  a.c.T t = 1;\n  .c.T u = 2;\n  N n = 3;\n" in text


def test_the_text_reads_well() -> None:
    text = check(
        """syntax = "proto3"; package p; import "google/protobuf/duration.proto";
        message M { int32 a = 1; int32 b = 2; oneof o { int32 c = 3; int32 d = 4; } google.protobuf.Duration e = 5;
        enum E { E_ZERO = 0; } message N {} reserved 9; }
        service S { rpc A(M) returns (M); rpc B(M) returns (M) { option deprecated = true; } rpc C(M) returns (M.N); }
        """
    )
    assert text == (
        'syntax = "proto3";\n\npackage p;\n\nimport "google/protobuf/duration.proto";\n\n'
        "service S {\n  rpc A(M) returns (M);\n\n  rpc B(M) returns (M) {\n    option deprecated = true;\n  }\n\n"
        "  rpc C(M) returns (M.N);\n}\n\n"
        "message M {\n  reserved 9;\n\n  enum E {\n    E_ZERO = 0;\n  }\n\n  message N {}\n\n"
        "  int32 a = 1;\n  int32 b = 2;\n\n  oneof o {\n    int32 c = 3;\n    int32 d = 4;\n  }\n\n"
        "  google.protobuf.Duration e = 5;\n}\n"
    )


# Random trees of messages with every kind of member, and with problematic names.

# fmt: off
NAMES = [
    "message", "string", "optional", "repeated", "map", "stream", "returns", "google", "pkg", "inner", "int32",
    "A", "B", "Ab", "a_b", "x1", "_lead", "Very_Long_Name", "None", "class", "self", "to", "max",
]
# fmt: on
SCALARS = [number for name, number in FieldDescriptorProto.Type.items() if name[5:] not in ("GROUP", "MESSAGE", "ENUM")]
KEYS = [
    number for name, number in FieldDescriptorProto.Type.items() if name[5:] in ("STRING", "INT64", "BOOL", "FIXED32")
]


@st.composite
def enums(draw: st.DrawFn, name: str) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=name)
    numbers = draw(st.lists(st.integers(-(2**31), 2**31 - 1).filter(bool), max_size=4, unique=True))
    for index, number in enumerate([0, *numbers]):
        enum.value.add(name=f"{name}_V{index}", number=number)
    if draw(st.booleans()):
        enum.value.add(name=f"{name}_ALIAS", number=enum.value[-1].number)
        enum.options.allow_alias = True
    return enum


@st.composite
def messages(draw: st.DrawFn, name: str, full_name: str, depth: int, types: list[tuple[str, int]]) -> DescriptorProto:
    """A message; ``types`` is what its fields may refer to, and learns the types it defines."""
    message = DescriptorProto(name=name)
    types.append((full_name, FieldDescriptorProto.TYPE_MESSAGE))
    members = draw(st.lists(st.sampled_from(NAMES), max_size=7, unique_by=lambda n: default_json_name(n).lower()))
    numbers = iter(draw(st.permutations(range(1, 20))))
    optional: list[FieldDescriptorProto] = []
    for member in members:
        kinds = ["field", "field", "repeated", "optional", "map", "oneof", "enum", *(["message"] if depth else [])]
        kind = draw(st.sampled_from(kinds))
        if kind == "message":
            nested = draw(messages(member, f"{full_name}.{member}", depth - 1, types))
            message.nested_type.append(nested)
        elif kind == "enum":
            message.enum_type.append(draw(enums(member)))
            types.append((f"{full_name}.{member}", FieldDescriptorProto.TYPE_ENUM))
        elif kind == "oneof":
            message.oneof_decl.add(name=member)
            for number in range(draw(st.integers(1, 3))):
                field = message.field.add(name=f"{member}_case{number}", number=next(numbers), label=1)
                field.oneof_index = len(message.oneof_decl) - 1
                field.json_name = default_json_name(field.name)
                draw(typed(field, types))
        else:
            field = message.field.add(name=member, number=next(numbers), json_name=default_json_name(member))
            field.label = field.LABEL_REPEATED if kind in ("repeated", "map") else field.LABEL_OPTIONAL
            if draw(st.booleans()):
                field.options.deprecated = draw(st.booleans())
            if kind == "map":
                entry = message.nested_type.add(name=camel(member) + "Entry")
                entry.options.map_entry = True
                entry.field.add(name="key", number=1, label=1, json_name="key", type=draw(st.sampled_from(KEYS)))
                draw(typed(entry.field.add(name="value", number=2, label=1, json_name="value"), types))
                field.type, field.type_name = field.TYPE_MESSAGE, f".{full_name}.{entry.name}"
            else:
                draw(typed(field, types))
            if kind == "optional":
                optional.append(field)
            elif draw(st.integers(0, 4)) == 0:
                field.json_name = draw(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)) + member
    taken = {item.name for item in message.field} | {item.name for item in message.oneof_decl}
    for field in optional:
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        synthetic = field.name if field.name.startswith("_") else f"_{field.name}"
        while synthetic in taken:
            synthetic = f"X{synthetic}"
        taken.add(synthetic)
        message.oneof_decl.add(name=synthetic)
    return message


@st.composite
def typed(draw: st.DrawFn, field: FieldDescriptorProto, types: list[tuple[str, int]]) -> None:
    name, kind = draw(st.one_of(st.sampled_from(SCALARS).map(lambda number: ("", number)), st.sampled_from(types)))
    field.type = kind
    if name:
        field.type_name = f".{name}"


def camel(name: str) -> str:
    """protoc's name for a map entry: a capital first and after each underscore."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


@st.composite
def files(draw: st.DrawFn) -> FileDescriptorProto:
    package = draw(st.sampled_from(["", "pkg", "pkg.inner", "google.pkg", "message.A"]))
    file = FileDescriptorProto(name="odd.proto", package=package, syntax="proto3")
    if not package:
        file.ClearField("package")
    prefix = f"{package}." if package else ""
    types: list[tuple[str, int]] = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        file.message_type.append(draw(messages(name, prefix + name, 4, types)))
    inputs = [f".{name}" for name, kind in types if kind == FieldDescriptorProto.TYPE_MESSAGE]
    if draw(st.booleans()):
        service = file.service.add(name="Service")
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
            method = service.method.add(name=name)
            method.input_type, method.output_type = draw(st.sampled_from(inputs)), draw(st.sampled_from(inputs))
            for flag in ("client_streaming", "server_streaming"):
                if draw(st.booleans()):
                    setattr(method, flag, True)
            if draw(st.booleans()):
                method.options.idempotency_level = draw(st.sampled_from(MethodOptions.IdempotencyLevel.values()))
    return file


@settings(max_examples=25, deadline=None)
@given(files())
def test_random_files_round_trip(file: FileDescriptorProto) -> None:
    try:
        DescriptorPool().Add(file)
    except TypeError:
        assume(False)  # Two members share a name, or a JSON name; no .proto file can say that.
    (text,) = written({"odd.proto": file}).values()
    assert compiled({"odd.proto": text}) == {"odd.proto": file}, text
