"""Definitions in proto2 and in editions: the same bytes as google's runtime, or an error with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import Edition
from google.protobuf.descriptor_pool import DescriptorPool

from flyte_codegen.definitions.load import load
from flyte_codegen.diagnostics import CodegenError, Diagnostic
from flyte_codegen.pipeline import generate
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
Command = Callable[..., tuple[int, str, str]]
Mistakes = Callable[[Fragment], list[Diagnostic]]
TEST = "messages.test.test"

KINDS = (
    *("int32", "int64", "uint32", "uint64", "sint32", "sint64", "bool", "float", "double"),
    *("fixed32", "fixed64", "sfixed32", "sfixed64", "string", "bytes", "Kind", "All"),
)
SINGLE = "".join(f"  {{label}}{kind} s_{kind.lower()} = {i};\n" for i, kind in enumerate(KINDS, 1))
MANY = "".join(f"  repeated {kind} r_{kind.lower()} = {i};\n" for i, kind in enumerate(KINDS, 20))
REST = """
  map<string, All> map = 40;
  map<sint32, Kind> kinds = 41;
  oneof way { bool yes = 42; All all = 43; Kind kind = 44; }
  extensions 100 to 199;
}
"""
PROTO2 = f"""syntax = "proto2";
package test;
enum Kind {{ NONE = 0; SOME = 1; NEGATIVE = -1; }}
enum Late {{ FIRST = 3; SECOND = 5; }}
message All {{
{SINGLE.format(label="optional ")}{MANY}
  repeated sint64 packed = 50 [packed = true];
  repeated Kind packed_kinds = 51 [packed = true];
  optional Late late = 52;
  repeated Late lates = 53;
{REST}
"""
EDITION = f"""edition = "{{edition}}";
package test;
enum Kind {{{{ NONE = 0; SOME = 1; NEGATIVE = -1; }}}}
enum Late {{{{ option features.enum_type = CLOSED; FIRST = 3; SECOND = 5; }}}}
message All {{{{
{SINGLE.format(label="")}{MANY}
  repeated sint64 expanded = 50 [features.repeated_field_encoding = EXPANDED];
  repeated Kind expanded_kinds = 51 [features.repeated_field_encoding = EXPANDED];
  Late late = 52;
  repeated Late lates = 53;
  int32 implicit = 54 [features.field_presence = IMPLICIT];
  string text = 55 [features.field_presence = IMPLICIT, features.utf8_validation = NONE];
{REST.replace("{", "{{").replace("}", "}}")}
"""
WITH_OPTIONS = """edition = "2023";
package test;
option features.field_presence = IMPLICIT;
option features.repeated_field_encoding = EXPANDED;
enum Kind { NONE = 0; SOME = 1; NEGATIVE = -1; }
message All {
  int32 s_int32 = 1;
  Kind s_kind = 2;
  string s_string = 3 [features.field_presence = EXPLICIT];
  repeated int32 r_int32 = 4;
  repeated int32 packed = 5 [features.repeated_field_encoding = PACKED];
  message Inner { int32 s_int32 = 1; repeated int32 r_int32 = 2; All s_all = 3; }
  Inner inner = 6;
  oneof way { bool yes = 42; All all = 43; Kind kind = 44; }
}
"""


def theirs(made: Fragment, name: str) -> Any:
    """Google's class of a message."""
    pool = DescriptorPool()
    for file in load(made.config.protos, made.config.include).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def same(ours: Any, google: Any) -> None:
    """Check that both write the same bytes, and read each other's."""
    data = bytes(ours)
    assert data == google.SerializeToString(deterministic=True)
    assert type(ours).parse(data) == ours
    assert bytes(type(ours).parse(data)) == data
    assert type(google).FromString(data) == google


NUMBERS = {"float": 0.5, "double": -0.25, "string": "\u00e9", "bytes": b"\xff", "bool": True, "Kind": 1, "All": None}
SOURCES = [
    pytest.param(PROTO2, id="proto2"),
    pytest.param(PROTO2.split("\n", 1)[1], id="unsaid"),
    pytest.param(EDITION.format(edition="2023"), id="2023"),
    pytest.param(EDITION.format(edition="2024"), id="2024"),
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("value", ["zero", "some", "several"])
def test_every_kind_of_field(fragment: Make, command: Command, source: str, value: str) -> None:
    made = fragment({"test/test.proto": source})
    assert command(made, "generate")[0] == 0
    ours, google = made.get(f"{TEST}:All")(), theirs(made, "test.All")()
    for kind in KINDS:
        name = kind.lower()
        sample = NUMBERS.get(kind, 7) if value != "zero" else type(NUMBERS.get(kind, 7))()
        if kind == "All":
            ours.s_all = type(ours)(s_int32=0)
            google.s_all.s_int32 = 0
            ours.r_all = [type(ours)(), type(ours)(s_string="")]
            google.r_all.add()
            google.r_all.add().s_string = ""
            continue
        assert getattr(ours, f"s_{name}") is None
        setattr(ours, f"s_{name}", sample)
        setattr(google, f"s_{name}", sample)
        many = [sample] * (3 if value == "several" else 1)
        setattr(ours, f"r_{name}", many)
        getattr(google, f"r_{name}").extend(many)
    for extra in ("packed", "packed_kinds", "expanded", "expanded_kinds"):
        if extra in type(ours).specs():
            setattr(ours, extra, [0, 1, -1])
            getattr(google, extra).extend([0, 1, -1])
    assert ours.late is None
    ours.late, google.late = 5, 5
    ours.lates = [3, 5]
    google.lates.extend([3, 5])
    ours.map, ours.kinds = {"a": type(ours)(s_bool=False)}, {-1: 1}
    google.map["a"].s_bool = False
    google.kinds[-1] = 1
    if value == "zero":
        ours.yes, google.yes = False, False
    else:
        ours.all = type(ours)()
        google.all.SetInParent()
    if "implicit" in type(ours).specs():
        assert (ours.implicit, ours.text) == (0, "")
        ours.implicit, google.implicit = 0, 0
        ours.text, google.text = ("", "") if value == "zero" else ("x", "x")
    same(ours, google)
    assert type(ours).from_json(ours.to_json()) == ours
    assert ours.late.name == "SECOND"


def test_features_of_the_file_hold_within(fragment: Make, command: Command) -> None:
    made = fragment({"test/test.proto": WITH_OPTIONS})
    assert command(made, "generate")[0] == 0
    cls, google = made.get(f"{TEST}:All"), theirs(made, "test.All")
    same(cls(), google())
    same(cls(s_int32=0, s_kind=0, s_string=""), google(s_int32=0, s_kind=0, s_string=""))
    lists = {"r_int32": [1, 2], "packed": [1, 2]}
    same(cls(**lists), google(**lists))
    inner = made.get(f"{TEST}:AllInner")
    same(
        cls(inner=inner(s_int32=0, r_int32=[0, 1], s_all=cls())),
        google(inner={"s_int32": 0, "r_int32": [0, 1], "s_all": {}}),
    )
    same(cls(yes=False), google(yes=False))
    same(cls(kind=0), google(kind=0))
    said = command(made, "explain", "test.All")[1]
    assert "s_int32: int32 (implicit)" in said
    assert "s_string: string (optional)" in said
    assert "kind: test.Kind (optional, oneof way)" in said


def test_numbers_that_a_closed_enum_lacks_survive(fragment: Make, command: Command) -> None:
    made = fragment({"test/test.proto": PROTO2})
    assert command(made, "generate")[0] == 0
    cls, google = made.get(f"{TEST}:All"), theirs(made, "test.All")
    sent = cls(s_kind=9, r_kind=[1, 9])
    passed_on = google.FromString(bytes(sent))
    assert not passed_on.HasField("s_kind")
    assert list(passed_on.r_kind) == [1]
    again = cls.parse(passed_on.SerializeToString())
    assert (again.s_kind, list(again.r_kind)) == (9, [1, 9])


def test_what_others_add_to_a_message_survives(fragment: Make, command: Command) -> None:
    made = fragment({"test/test.proto": PROTO2})
    assert command(made, "generate")[0] == 0
    extended = bytes.fromhex("a00605") + bytes.fromhex("0801")  # number 100, then number 1
    message = made.get(f"{TEST}:All").parse(extended)
    assert message.s_int32 == 1
    assert sorted(bytes(message)) == sorted(extended)
    assert theirs(made, "test.All").FromString(bytes(message)).SerializeToString() == bytes(message)


@pytest.mark.parametrize("head", ['syntax = "proto2";', 'edition = "2023";'])
async def test_a_service_is_served_and_called(fragment: Make, command: Command, head: str) -> None:
    label = "optional " if "proto2" in head else ""
    body = f"""{head}
package test;
enum Shade {{ NO_SHADE = 0; DARK = 1; }}
message Pen {{ {label}string name = 1; {label}int32 ink = 2; {label}Shade shade = 3; repeated int32 sizes = 4; }}
message GetPenRequest {{ {label}string name = 1; }}
message ListPensRequest {{ {label}int32 page_size = 1; {label}string page_token = 2; {label}Shade shade = 3; }}
message ListPensResponse {{ repeated Pen pens = 1; {label}string next_page_token = 2; }}
service Pens {{ rpc GetPen(GetPenRequest) returns (Pen); rpc ListPens(ListPensRequest) returns (ListPensResponse); }}
"""
    toml = '[entities.Pen]\nmessage = "test.Pen"\nservice = "test.Pens"\nidentity = "name"\n'
    toml += '[entities.Pen.properties]\nname = "name"\nink = "ink"\nshade = "shade"\nsizes = "sizes"\n'
    made = fragment({"test/test.proto": body}, f"{toml}[entities.Pen.methods]\nGetPen = {{}}\nListPens = {{}}\n")
    assert command(made, "generate")[0] == 0
    types = made.load(TEST)

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def get_pen(self, request: Any, call: ServerCall) -> Any:
            return types.Pen(name=request.name, ink=0, sizes=[1, 2])

        async def list_pens(self, request: Any, call: ServerCall) -> Any:
            pages = {None: ("a", "b"), "": ("a", "b"), "b": ("c", "")}
            name, following = pages[request.page_token]
            return types.ListPensResponse(pens=[types.Pen(name=name)], next_page_token=following)

    pen = made.get("entities.pen:PenBase")
    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        found = await pen.get.aio(name="blue", client=client)
        assert (found.name, found.ink, found.shade, list(found.sizes)) == ("blue", 0, None, [1, 2])
        assert [p.name async for p in pen.listall(page_size=1, client=client)] == ["a", "c"]


PLEASE = "; if the file is not yours, move it from [input] protos to [input] include"


@pytest.mark.parametrize(
    ("head", "body", "line", "message", "remedy"),
    [
        ("proto2", "message A {\n required string a = 1; }", 4, "field a is required, which is not supported", "write optional"),
        ("proto2", 'message A {\n optional string a = 1\n  [default = "x"]; }', 5, "field a has a custom default, x, which is not supported", "remove the default"),
        ("proto2", "message A {\n repeated group Res = 1 { optional string url = 2; } }", 4, "group Res is not supported", "replace it with a message"),
        ("proto2", "message A { extensions 100 to max; }\nextend A {\n optional int32 more = 100; }", 5, "more extends test.A, which is not supported", "make it a field of test.A with the same number"),
        ("proto2", "message A { extensions 100 to max; message B { extend A {\n optional int32 more = 100; } } }", 4, "more extends test.A", "make it a field of test.A"),
        ("proto2", "message A { extensions 4 to max;\n option message_set_wire_format = true; }", 4, "A has message_set_wire_format", "remove the option"),
        ("2023", "message A {\n int32 a = 1\n [features.field_presence = LEGACY_REQUIRED]; }", 5, "features.field_presence = LEGACY_REQUIRED is not supported", "write EXPLICIT"),
        ("2023", "message A { A a = 1\n [features.message_encoding = DELIMITED]; }", 4, "features.message_encoding = DELIMITED is not supported", "write LENGTH_PREFIXED"),
        ("2024", "option features.message_encoding = DELIMITED;\nmessage A { A a = 1; A b = 2; repeated A c = 3; map<int32, A> d = 4; }", 3, "features.message_encoding = DELIMITED is not supported", "write LENGTH_PREFIXED"),
        ("2023", "message A { int32 a = 1\n [default = 5]; }", 4, "field a has a custom default, 5", "remove the default"),
        ("2023", "message A { extensions 100 to max; }\nextend A {\n int32 more = 100; }", 5, "more extends test.A", "make it a field of test.A"),
    ],
)  # fmt: skip
def test_what_messages_may_not_have(
    fragment: Make, command: Command, head: str, body: str, line: int, message: str, remedy: str
) -> None:
    first = 'syntax = "proto2";' if head == "proto2" else f'edition = "{head}";'
    made = fragment({"test/test.proto": f"{first}\npackage test;\n{body}"})
    for name in ("generate", "report", "check"):
        code, out, err = command(made, name)
        assert (code, out) == (1, "")
        assert err.startswith(f"test/test.proto:{line}: error: {message}")
        assert f"    {remedy}" in err
        assert PLEASE in err
        assert err.count("error:") == 1
    assert not made.path.exists()


ZEROS = """
enum Kind { FIRST = 3; SECOND = 0; }
message A {
  optional bool flag = 1 [default = false];
  optional int32 number = 2 [default = 0];
  optional fixed64 wide = 3 [default = 0x0];
  optional double real = 4 [default = 0.0];
  optional float short = 5 [default = 0];
  optional string text = 6 [default = ""];
  optional bytes data = 7 [default = ""];
  optional Kind kind = 8 [default = FIRST];
}
"""


def test_defaults_that_fields_have_anyway_are_accepted(fragment: Make, command: Command) -> None:
    made = fragment({"test/test.proto": f'syntax = "proto2";\npackage test;\n{ZEROS}'})
    assert command(made, "generate")[0] == 0
    cls, google = made.get(f"{TEST}:A"), theirs(made, "test.A")
    same(cls(), google())
    same(cls(flag=False, number=0, text="", kind=0), google(flag=False, number=0, text="", kind=0))
    assert cls().flag is None


@pytest.mark.parametrize(
    ("kind", "default"),
    [("bool", "true"), ("int32", "-1"), ("double", "-0.0"), ("float", "nan"), ("string", '"0"'), ("Kind", "SECOND")],
)
def test_other_defaults_are_refused(fragment: Make, mistakes: Mistakes, kind: str, default: str) -> None:
    body = f"enum Kind {{ FIRST = 3; SECOND = 0; }}\nmessage A {{ optional {kind} a = 1 [default = {default}]; }}"
    (found,) = mistakes(fragment({"test/test.proto": f'syntax = "proto2";\npackage test;\n{body}'}))
    assert found.message.startswith("field a has a custom default, ")


def test_delimited_messages_in_maps_are_none(fragment: Make, command: Command) -> None:
    """Map entries ignore the feature, so a file without other message fields has no groups."""
    body = 'edition = "2023";\npackage test;\noption features.message_encoding = DELIMITED;\n'
    made = fragment({"test/test.proto": f"{body}message A {{ map<int32, A> d = 4; int32 x = 1; }}"})
    assert command(made, "generate")[0] == 0
    cls, google = made.get(f"{TEST}:A"), theirs(made, "test.A")
    same(cls(d={1: cls(x=0)}), google(d={1: google(x=0)}))


THEIRS = """syntax = "proto2";
package other;
message Thing { required string name = 1; }
"""


def test_what_others_define_is_refused_where_it_is_used(fragment: Make, command: Command) -> None:
    mine = proto('import "other/thing.proto";\nmessage A { other.Thing thing = 1; }')
    made = fragment({"test/test.proto": mine}, '[input]\nprotos = ["protos"]\ninclude = ["theirs"]\n')
    there = made.root / "theirs/other/thing.proto"
    there.parent.mkdir(parents=True)
    there.write_text(THEIRS, encoding="utf-8")
    code, _, err = command(made, "generate")
    assert code == 1
    assert err.startswith("other/thing.proto:3: error: field name is required")
    # The error suggests two solutions: move the file to include, or use a package that has its messages.
    package = made.root / "out/other_api/messages/other/thing.py"
    package.parent.mkdir(parents=True)
    package.write_text("class Thing: ...\n", encoding="utf-8")
    text = made.config_path.read_text("utf-8")
    made.config_path.write_text(f'{text}[extern]\nother = "other_api"\n', encoding="utf-8")
    assert command(made, "generate")[0] == 0
    assert "other_api.messages.other.thing" in (made.path / "messages/test/test.py").read_text("utf-8")
    made.config_path.write_text(text, encoding="utf-8")
    (made.root / "protos/test/test.proto").write_text(proto("message A {}"), encoding="utf-8")
    assert command(made, "generate")[0] == 0


def test_a_message_in_a_file_that_extends_another_of_it(fragment: Make, command: Command) -> None:
    """Extensions of messages that are not generated are ignored."""
    options = """syntax = "proto2";
package options;
import "google/protobuf/descriptor.proto";
message Rule { extensions 100 to 199; }
extend google.protobuf.FieldOptions { optional Rule rule = 50000; }
"""
    more = 'edition = "2023";\npackage more;\nimport "options.proto";\nextend options.Rule { string x = 100; }'
    made = fragment({"options.proto": options, "more.proto": more, "test/test.proto": proto("message A {}")})
    assert command(made, "generate")[0] == 0
    assert not (made.path / "messages/options.py").exists()


def test_an_edition_that_nobody_knows(fragment: Make) -> None:
    """Descriptors of a wheel may come from a newer compiler than ours."""
    made = fragment(proto("message A {}"))
    descriptors = load(made.config.protos)
    descriptors.file[0].syntax = "editions"
    descriptors.file[0].edition = Edition.EDITION_MAX
    with pytest.raises(CodegenError) as caught:
        generate(made.config, descriptors)
    assert str(caught.value) == (
        "test/test.proto: error: edition max is not supported\n"
        "    use one of proto2, proto3, edition 2023, edition 2024"
    )
