"""Small definitions with one oddity each: generated, imported and used."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest

from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.codec.message import which_one_of
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
Mistakes = Callable[[Fragment], list[Diagnostic]]

TEST = "messages.test.test"


def round_trip(message: Any) -> Any:
    again = type(message).parse(bytes(message))
    assert again == message
    assert type(message).from_dict(json.loads(message.to_json())) == message
    return again


RESERVED = [
    *(
        "self",
        "None",
        "def",
        "class",
        "import",
        "lambda",
        "True",
        "async",
        "list",
        "dict",
        "str",
        "int",
        "bytes",
        "bool",
    ),
    *(
        "float",
        "parse",
        "load",
        "dump",
        "to_dict",
        "from_dict",
        "is_set",
        "mro",
        "specs",
        "present",
        "FIELDS",
        "FULL_NAME",
    ),
    *(
        "staticmethod",
        "bytearray",
        "sub",
        "sub_list",
        "enum_field",
        "enum_list",
        "map_field",
        "scalar_list",
        "optional_enum",
    ),
    *(
        "Slots",
        "property",
        "cls",
        "values",
        "d",
        "buf",
        "out",
        "v",
        "item",
        "tag",
        "pos",
        "end",
        "kind",
        "start",
        "_private",
    ),
    *(
        "__dunder__",
        "x_a",
        "unknown",
        "varint",
        "len",
        "map",
        "type",
        "id",
        "object",
        "super",
        "Message",
        "Enum",
        "CUT",
    ),
]


def test_reserved_words_as_fields_of_every_kind(fragment: Make) -> None:
    kinds = [
        "string",
        "repeated int32",
        "Inner",
        "repeated Inner",
        "map<string, Inner>",
        "Kind",
        "repeated Kind",
        "optional Kind",
    ]
    fields = "\n".join(f"{kinds[i % len(kinds)]} {name} = {i + 1};" for i, name in enumerate(RESERVED))
    made = fragment(
        proto(f"message Inner {{ string a = 1; }}\nenum Kind {{ NONE = 0; SOME = 1; }}\nmessage Thing {{ {fields} }}")
    ).generate()
    thing, inner = made.get(f"{TEST}:Thing"), made.get(f"{TEST}:Inner")
    samples = ["text", [1, 2], inner(a="x"), [inner(), inner(a="y")], {"k": inner(a="z")}, 1, [1, 0], 0]
    values = {name: samples[i % len(kinds)] for i, name in enumerate(thing.specs())}
    message = round_trip(thing(**values))
    for name, value in values.items():
        assert getattr(message, name) == value
    assert [spec.proto_name for spec in thing.specs().values()] == RESERVED
    assert set(message.to_dict()) == {spec.json_name for spec in thing.specs().values()}
    assert dataclasses.is_dataclass(thing)
    assert thing.specs().keys() >= {"self_", "None_", "def_", "list_", "parse_", "x_private", "x__dunder__", "xx_a"}


CLASSES = [
    *(
        "Message",
        "Any",
        "Enum",
        "Optional",
        "List",
        "Dict",
        "None",
        "Self",
        "Slots",
        "DecodeError",
        "CUT",
        "TYPE_CHECKING",
    ),
    *(
        "TimestampMixin",
        "Struct",
        "Exception",
        "list",
        "str",
        "len",
        "map",
        "bytes",
        "varint",
        "_Hidden",
        "annotations",
    ),
]


def test_classes_named_like_what_modules_use(fragment: Make) -> None:
    bodies = "\n".join(
        f"message {name} {{ string name = 1; .test.{name} inner = 2; repeated .test.{name} more = 3; }}"
        for name in CLASSES
    )
    made = fragment(proto(bodies)).generate()
    module = made.load(TEST)
    found = {cls.FULL_NAME: cls for cls in vars(module).values() if getattr(cls, "FULL_NAME", "").startswith("test.")}
    assert set(found) == {f"test.{name}" for name in CLASSES}
    for cls in found.values():
        message = round_trip(cls(name="n", inner=cls(name="i"), more=[cls(), cls(name="m")]))
        assert message.more[1].name == "m"
    assert found["test.Message"].__name__ == "Message_"
    assert found["test.Any"].__name__ == "Any"


def test_enums_named_like_what_modules_use(fragment: Make) -> None:
    members = [
        "mro",
        "name",
        "value",
        "None",
        "True",
        "class",
        "real",
        "proto_name",
        "from_string",
        "__init__",
        "_x_",
        "Q",
    ]
    body = (
        "enum Enum { "
        + " ".join(f"{m} = {i};" for i, m in enumerate(members))
        + " }\nmessage Thing { repeated Enum all = 1; }"
    )
    made = fragment(proto(body)).generate()
    enum, thing = made.get(f"{TEST}:Enum_"), made.get(f"{TEST}:Thing")
    assert [m.proto_name for m in enum] == members
    message = round_trip(thing(all=list(enum)))
    assert message.to_dict() == {"all": members}
    assert [m.value for m in enum] == list(range(len(members)))


def test_nesting_five_deep_is_flattened(fragment: Make) -> None:
    made = fragment(
        proto(
            """
message A { message B { message C { message D { message E { string leaf = 1; A up = 2; }
  enum Kind { NONE = 0; SOME = 1; } Kind kind = 1; E e = 2; map<string, E> by_name = 3; } D d = 1; } C c = 1; } B b = 1; }
"""
        )
    ).generate()
    names = ["A", "AB", "ABC", "ABCD", "ABCDE"]
    a, b, c, d, e = (made.get(f"{TEST}:{name}") for name in names)
    assert e.FULL_NAME == "test.A.B.C.D.E"
    message = round_trip(a(b=b(c=c(d=d(kind=1, e=e(leaf="x", up=a()), by_name={"k": e(leaf="y")})))))
    assert message.b.c.d.kind.name == "SOME"
    assert type(message.b.c.d).__name__ == "ABCD"
    assert made.get(f"{TEST}:ABCDKind")["SOME"] == 1


def test_flattened_names_that_meet_are_an_error(fragment: Make, mistakes: Mistakes) -> None:
    found = mistakes(fragment(proto("message A { message B {} }\nmessage AB {}\nmessage C { AB x = 1; A.B y = 2; }")))
    assert [(d.place, d.remedy) for d in found] == [
        ("test/test.proto:3", "rename one"),
        ("test/test.proto:4", "rename one"),
    ]
    assert "have the same Python name, AB" in found[0].message


def test_recursive_messages(fragment: Make) -> None:
    made = fragment(
        proto(
            """
message Node { Node next = 1; repeated Node kids = 2; map<int32, Node> by_id = 3; oneof way { Node left = 4; Leaf right = 5; } }
message Leaf { Node owner = 1; }
"""
        )
    ).generate()
    node, leaf = made.get(f"{TEST}:Node"), made.get(f"{TEST}:Leaf")
    message = node(next=node(kids=[node(by_id={1: node(left=node())})]), right=leaf(owner=node()))
    assert round_trip(message).next.kids[0].by_id[1].left == node()


CYCLE = {
    "a/one.proto": proto(
        'import "b/two.proto";\nmessage One { b.Two two = 1; }\nmessage First { One one = 1; }', package="a"
    ),
    "b/two.proto": proto(
        'import "c/three.proto";\nmessage Two { c.Three three = 1; b.Label label = 2; }\nmessage Label {}', package="b"
    ),
    "c/three.proto": proto("message Three { string name = 1; }\nmessage Label { Three three = 1; }", package="c"),
    # The packages depend on each other; their files must not.
    "b/back.proto": proto(
        'import "a/one.proto";\nmessage Back { a.One one = 1; repeated a.First firsts = 2; }', package="b"
    ),
}


@pytest.mark.parametrize("first", ["a.one", "b.two", "b.back", "c.three"])
def test_packages_that_refer_to_each_other(fragment: Make, first: str) -> None:
    made = fragment(CYCLE).generate()
    importlib.import_module(f"{made.package}.messages.{first}")
    back, one, two, three = (
        made.get(f"messages.{path}") for path in ("b.back:Back", "a.one:One", "b.two:Two", "c.three:Three")
    )
    message = round_trip(back(one=one(two=two(three=three(name="x")))))
    assert message.one.two.three.name == "x"


def test_only_what_is_touched_is_imported(fragment: Make) -> None:
    import sys

    made = fragment(CYCLE).generate()
    back = made.get("messages.b.back:Back")
    loaded = {name for name in sys.modules if name.startswith(f"{made.package}.messages.")}
    assert loaded == {f"{made.package}.messages.b", f"{made.package}.messages.b.back"}
    assert back.parse(b"\x0a\x00").one is not None
    assert f"{made.package}.messages.a.one" in sys.modules
    assert f"{made.package}.messages.b.two" not in sys.modules


def test_types_of_one_name_from_two_packages(fragment: Make) -> None:
    made = fragment(
        {
            "a/thing.proto": proto("message Thing { string a = 1; }", package="a"),
            "b/thing.proto": proto("message Thing { string b = 1; }", package="b"),
            "test/test.proto": proto(
                'import "a/thing.proto";\nimport "b/thing.proto";\n'
                "message Thing { a.Thing first = 1; b.Thing second = 2; repeated Thing third = 3; string AThing = 4; }"
            ),
        }
    ).generate()
    thing = made.get(f"{TEST}:Thing")
    a, b = made.get("messages.a.thing:Thing"), made.get("messages.b.thing:Thing")
    message = round_trip(thing(first=a(a="1"), second=b(b="2"), third=[thing()], AThing="x"))
    assert (type(message.first), type(message.second)) == (a, b)


def test_a_file_and_a_folder_of_one_name(fragment: Make) -> None:
    made = fragment(
        {
            "api.proto": proto("message Top { string a = 1; }", package="api"),
            "api/v1.proto": proto('import "api.proto";\nmessage Inner { Top top = 1; }', package="api"),
        }
    ).generate()
    top, inner = made.get("messages.api:Top"), made.get("messages.api.v1:Inner")
    assert round_trip(inner(top=top(a="x"))).top.a == "x"


def test_files_that_would_be_one_module_are_an_error(fragment: Make, mistakes: Mistakes) -> None:
    found = mistakes(
        fragment({"a-b.proto": proto("message A {}", package="a"), "a_b.proto": proto("message B {}", package="b")})
    )
    assert [(d.place, d.message) for d in found] == [
        (name, f"{name} and another file have the same module name, a_b") for name in ("a-b.proto", "a_b.proto")
    ]


def test_a_package_with_a_keyword_in_its_path(fragment: Make) -> None:
    made = fragment(
        {
            "class/import.proto": proto(
                "message A {}\nservice Pass { rpc Yield(A) returns (A); }", package="class.import"
            )
        }
    ).generate()
    assert made.get("messages.class_.import_:A").FULL_NAME == "class.import.A"
    service = made.get("services.class_.import_.pass_:Pass")
    assert service.YIELD.path == "/class.import.Pass/Yield"
    assert made.get("services.class_.import_.pass_:PassBase").RPCS[0][0] == "yield_"


def test_no_package_at_all(fragment: Make) -> None:
    made = fragment({"bare.proto": 'syntax = "proto3";\nmessage A {}\nservice S { rpc Do(A) returns (A); }'}).generate()
    assert made.get("messages.bare:A").FULL_NAME == "A"
    assert made.get("services.s:S").DO.path == "/S/Do"


def test_maps_of_every_value(fragment: Make) -> None:
    made = fragment(
        proto(
            """
import "google/protobuf/timestamp.proto";
enum Kind { NONE = 0; SOME = 1; }
message Thing {
  map<string, google.protobuf.Timestamp> stamps = 1; map<bool, Kind> kinds = 2; map<sfixed64, bytes> data = 3;
  map<string, Thing> things = 4;
}"""
        )
    ).generate()
    thing, stamp = made.get(f"{TEST}:Thing"), made.get("messages.google.protobuf.timestamp:Timestamp")
    message = round_trip(
        thing(stamps={"a": stamp(seconds=1)}, kinds={True: 1, False: 0}, data={-1: b"\xff"}, things={"t": thing()})
    )
    assert message.kinds[True].name == "SOME"


def test_oneofs(fragment: Make) -> None:
    made = fragment(
        proto(
            """
message Thing {
  oneof class { string a = 1; bytes b = 2; Thing c = 3; }
  oneof __odd { string d = 4; }
  optional string e = 5;
}"""
        )
    ).generate()
    thing = made.get(f"{TEST}:Thing")
    message = round_trip(thing(c=thing(d=""), d="x", e=""))
    assert which_one_of(message, "class")[0] == "c"
    assert which_one_of(message, "__odd") == ("d", "x")
    message.a = "now"
    assert which_one_of(message, "class") == ("a", "now")
    assert message.c is None
    with pytest.raises(AttributeError):
        which_one_of(message, "_e")


def test_comments_are_found_where_they_stand(fragment: Make) -> None:
    made = fragment(
        """// About the file.
syntax = "proto3";
package test;

// Detached, about nothing.

// Before the message.
//
// * first point
//   indented
message Thing {
  // Before the field.
  string before = 1;
  string behind = 2;  // Behind the field.
  string bare = 3;
  /* In a block,
   * on two lines. */
  string block = 4 [deprecated = true];
}
// Gone.
message Old { option deprecated = true; }
"""
    ).generate()
    source = (made.path / "messages/test/test.py").read_text("utf-8")
    thing = made.get(f"{TEST}:Thing")
    assert inspect.getdoc(thing) == "Before the message.\n\n* first point\n  indented"
    assert '    before: str = ""\n    """Before the field."""\n' in source
    assert '    behind: str = ""\n    """Behind the field."""\n    bare: str = ""\n    block: str' in source
    assert '"""Deprecated. In a block,\n    on two lines.\n    """' in source
    assert made.get(f"{TEST}:Old").__doc__ == "Deprecated. Gone."
    assert made.load(TEST).__doc__ == "About the file."
    assert "Detached" not in source


def test_what_protoc_brings_has_none_of_its_comments(fragment: Make) -> None:
    made = fragment(
        proto('import "google/protobuf/timestamp.proto";\nmessage A { google.protobuf.Timestamp at = 1; }')
    ).generate()
    stamp = made.get("messages.google.protobuf.timestamp:Timestamp")
    assert stamp.__doc__ == "An instant, exact to the nanosecond."
    source = (made.path / "messages/google/protobuf/timestamp.py").read_text("utf-8")
    assert source.count('"""') == 4


def test_streams_of_clients_are_served_but_are_no_methods_of_entities(fragment: Make, mistakes: Mistakes) -> None:
    body = proto(
        """
message Thing { string name = 1; }
service Things { rpc Upload(stream Thing) returns (Thing); rpc Talk(stream Thing) returns (stream Thing); }
"""
    )
    table = '[entities.Thing]\nmessage = "test.Thing"\nidentity = "name"\nservice = "test.Things"\n'
    found = mistakes(fragment(body, f"{table}[entities.Thing.methods]\nUpload = {{}}\n"))
    assert [str(d) for d in found] == [
        "codegen.toml:10: error: [entities.Thing.methods.Upload] test.Things.Upload can't be a method: "
        "the client streams, which entity methods do not support\n    remove the table"
    ]
    made = fragment(body).generate()
    base = made.get("services.test.things:ThingsBase")
    assert [(name, rpc.cardinality.name) for name, rpc in base.RPCS] == [("upload", "CLIENT_STREAM"), ("talk", "BIDI")]


def test_handlers_that_would_have_one_name_are_an_error(fragment: Make, mistakes: Mistakes) -> None:
    found = mistakes(
        fragment(proto("message A {}\nservice S { rpc GetUrl(A) returns (A); rpc GetURL(A) returns (A); }"))
    )
    assert [d.place for d in found] == ["test/test.proto:4", "test/test.proto:4"]
    assert "have the same Python name, get_url" in found[0].message


def test_services_named_like_what_their_modules_use(fragment: Make) -> None:
    modules = {
        "Rpc": "rpc",
        "Final": "final",
        "Effect": "effect",
        "ServiceBase": "service_base",
        "AsyncIterator": "async_iterator",
    }
    bodies = "".join(f"service {name} {{ rpc List(Thing) returns (stream ServerCall); }}" for name in modules)
    made = fragment(proto(f"message Thing {{}}\nmessage ServerCall {{}}\n{bodies}")).generate()
    for name, module in modules.items():
        service = made.get(f"services.test.{module}:{name}_")
        assert service.LIST.path == f"/test.{name}/List"
        assert service.LIST.response_type.FULL_NAME == "test.ServerCall"
        assert made.get(f"services.test.{module}:{name}_Base").RPCS[0][0] == "list_"


def test_fields_with_the_name_of_a_class(fragment: Make) -> None:
    body = """
message Thing { Thing Thing = 1; repeated Thing Things = 2; oneof of { Kind Kind = 3; Thing Other = 4; } }
enum Kind { NONE = 0; SOME = 1; }
"""
    made = fragment(proto(body)).generate()
    thing, kind = made.get(f"{TEST}:Thing"), made.get(f"{TEST}:Kind")
    again = round_trip(thing(Thing=thing(Kind=kind.SOME), Things=[thing(), thing(Kind=kind.NONE)]))
    assert again.Thing.Kind is kind.SOME
    assert [type(item) for item in again.Things] == [thing, thing]


def test_an_empty_file_and_an_empty_message(fragment: Make) -> None:
    made = fragment({"empty.proto": proto("", package="e"), "test/test.proto": proto("message Nothing {}")}).generate()
    nothing = made.get(f"{TEST}:Nothing")
    assert round_trip(nothing()) == nothing()
    assert not (made.path / "messages/empty.py").exists()


def test_numbers_of_fields_up_to_the_largest(fragment: Make) -> None:
    numbers = [1, 15, 16, 2047, 2048, 2**18, 2**29 - 1]
    body = "".join(f"int32 f{n} = {n}; " for n in numbers) + "".join(
        f"repeated fixed32 r{n} = {n - 3};" for n in numbers[1:]
    )
    made = fragment(proto(f"message Thing {{ {body} }}")).generate()
    thing = made.get(f"{TEST}:Thing")
    values = {name: [1, 2] if name.startswith("r") else -1 for name in thing.specs()}
    assert len(values) == 13
    round_trip(thing(**values))


def test_a_message_of_two_hundred_fields(fragment: Make) -> None:
    made = fragment(proto(f"message Wide {{ {' '.join(f'int32 f{i} = {i};' for i in range(1, 201))} }}")).generate()
    wide = made.get(f"{TEST}:Wide")
    round_trip(wide(**{f"f{i}": i for i in range(1, 201)}))
