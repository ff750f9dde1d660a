"""Unsupported definitions are reported with file and line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flyte_codegen.diagnostics import Diagnostic
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
Mistakes = Callable[[Fragment], list[Diagnostic]]


@pytest.mark.parametrize(
    ("files", "place", "message", "remedy"),
    [
        ({"a/x.proto": proto("message A { string = 1; }")}, "a/x.proto:3:20", "Expected field name", "correct the definition"),
        ({"a/x.proto": proto("message A { Missing b = 1; }")}, "a/x.proto:3:13", '"Missing" is not defined', "import the file that defines it"),
        ({"a/x.proto": proto('import "b/gone.proto";\nmessage A {}')}, "a/x.proto:3:1", "the imported file b/gone.proto was not found", "add its folder"),
        ({"a/x.proto": proto('import "a/yy.proto";\nmessage A { test.B b = 1; }'), "a/y.proto": proto("message B {}")},
         "a/x.proto:3:1", "the imported file a/yy.proto was not found", "did you mean a/y.proto? Otherwise, add its folder"),
        ({"a/x.proto": proto('import "a/y.proto";\nmessage A { test.B b = 1; }'), "a/y.proto": proto("message B { int32 = 1; }")},
         "a/y.proto:3:19", "Expected field name", "correct the definition"),
        ({"a/x.proto": "message {"}, "a/x.proto:1:9", "Expected message name", "correct the definition"),
        ({"with space.proto": proto("message A { int32 a = 1; int32 b = 1; }")}, "with space.proto:3:36", "already been used", "correct"),
    ],
)  # fmt: skip
def test_what_protoc_refuses(
    fragment: Make, mistakes: Mistakes, files: dict[str, str], place: str, message: str, remedy: str
) -> None:
    (found,) = mistakes(fragment(files))
    assert found.place == place
    assert message in found.message
    assert remedy in found.remedy


def test_all_that_protoc_refuses(fragment: Make, mistakes: Mistakes) -> None:
    found = mistakes(fragment(proto("message A { One a = 1; }\nmessage B { Two b = 1; }")))
    assert [d.place for d in found] == ["test/test.proto:3:13", "test/test.proto:4:13"]


def test_warnings_of_protoc_are_no_obstacle(fragment: Make) -> None:
    made = fragment({"a.proto": proto("message A {}"), "b.proto": proto('import "a.proto";\nmessage B {}')})
    assert made.outcome().files


OPTIONS = """
syntax = "proto2";
package options;
import "google/protobuf/descriptor.proto";
message Rule { optional string pattern = 1; message Inner { enum E { A = 1; } } }
extend google.protobuf.FieldOptions { optional Rule rule = 50000; }
"""


def test_options_may_be_defined_in_any_syntax(fragment: Make) -> None:
    body = proto('import "options.proto";\nmessage A { string a = 1 [(options.rule).pattern = "x"]; }')
    made = fragment({"options.proto": OPTIONS, "test/test.proto": body}).generate()
    assert made.get("messages.test.test:A")(a="x").a == "x"
    assert not (made.path / "messages/options.py").exists()
    assert not (made.path / "messages/google/protobuf/descriptor.py").exists()


def test_what_options_are_made_of_is_generated_once_messages_are_too(fragment: Make) -> None:
    body = proto('import "options.proto";\nmessage A { options.Rule rule = 1; repeated options.Rule.Inner inner = 2; }')
    made = fragment({"options.proto": OPTIONS, "test/test.proto": body}).generate()
    rule, inner = made.get("messages.options:Rule"), made.get("messages.options:RuleInner")
    assert made.get("messages.test.test:A")(rule=rule(pattern=""), inner=[inner()]).rule.pattern == ""


def test_definitions_of_definitions_are_no_messages(fragment: Make, mistakes: Mistakes) -> None:
    body = proto(
        'import "google/protobuf/descriptor.proto";\nmessage A { google.protobuf.FileDescriptorSet files = 1; }'
    )
    found = mistakes(fragment(body))
    assert {d.place.partition(":")[0] for d in found} == {"google/protobuf/descriptor.proto"}
    assert all("which is not supported" in d.message for d in found)


@pytest.mark.parametrize(
    ("files", "places", "message"),
    [
        ({"a/b-c.proto": proto("message A {}"), "a/b_c.proto": proto("message B {}")},
         ["a/b-c.proto", "a/b_c.proto"], "have the same module name, a.b_c"),
        ({"a.proto": proto("service HTTPThings {}"), "b.proto": proto("service HttpThings {}")},
         ["a.proto:3", "b.proto:3"], "have the same module name, test.http_things"),
        ({"a.proto": proto("message A { message B {} }\nmessage AB {}")}, ["a.proto:3", "a.proto:4"], "have the same Python name, AB"),
        ({"a.proto": proto("message A {}\nservice S { rpc GetIt(A) returns (A); rpc Get_it(A) returns (A); }")},
         ["a.proto:4", "a.proto:4"], "have the same Python name, get_it"),
    ],
)  # fmt: skip
def test_names_that_are_one_in_python(
    fragment: Make, mistakes: Mistakes, files: dict[str, str], places: list[str], message: str
) -> None:
    found = mistakes(fragment(files))
    assert sorted(d.place for d in found) == places
    assert all(message in d.message and d.remedy == "rename one" for d in found)


def test_all_errors_of_all_files_are_told_at_once(fragment: Make, mistakes: Mistakes) -> None:
    first = """syntax = "proto2";
package first;
message A { required string a = 1; optional string b = 2 [default = "x"]; repeated group C = 3 { } }
message A_b { extensions 100 to max; message c {} }
message A_bc { optional A_b x = 1; }
"""
    second = """syntax = "proto2";
package second;
import "first.proto";
extend first.A_b { optional int32 more = 100; }
message Same { message Name { } }
message SameName { required string a = 1; }
service Many { rpc GetIt(Same) returns (Same); rpc Get_it(Same) returns (Same); }
"""
    found = mistakes(
        fragment({"first.proto": first, "second.proto": second}, '[effects]\nread = ["first.Nothing.Get"]\n')
    )
    assert [(d.place.rpartition("/")[2], d.message.split(", ")[0]) for d in found] == [
        ("codegen.toml:6", "[effects] names first.Nothing.Get"),
        ("first.proto:3", "field a is required"),
        ("first.proto:3", "field b has a custom default"),
        ("first.proto:3", "group C is not supported"),
        ("first.proto:4", "first.A_b.c and another type have the same Python name"),
        ("first.proto:5", "first.A_bc and another type have the same Python name"),
        ("second.proto:4", "more extends first.A_b"),
        ("second.proto:6", "field a is required"),
        ("second.proto:5", "second.Same.Name and another type have the same Python name"),
        ("second.proto:6", "second.SameName and another type have the same Python name"),
        ("second.proto:7", "second.Many.GetIt and another RPC have the same Python name"),
        ("second.proto:7", "second.Many.Get_it and another RPC have the same Python name"),
    ]


def test_entities_that_are_one_in_python(fragment: Make, mistakes: Mistakes) -> None:
    table = '[entities.{}]\nmessage = "test.A"\nidentity = "a"\n'
    found = mistakes(fragment(proto("message A { string a = 1; }"), table.format("Item") + table.format("item")))
    assert [d.message for d in found] == [
        f"[entities.{name}] and another entity have the same module name, item" for name in ("Item", "item")
    ]
    assert [d.place.rpartition(":")[2] for d in found] == ["5", "8"]


def test_folders_without_definitions(fragment: Make, mistakes: Mistakes) -> None:
    for name, complaint in (("nowhere", "no such folder of .proto files"), ("empty", "no .proto files found")):
        made = fragment({}, f'[input]\nprotos = ["{name}"]\n')
        (made.root / "empty").mkdir(exist_ok=True)
        (found,) = mistakes(made)
        assert complaint in found.message
        assert "[input] protos" in found.remedy


def test_several_folders_of_definitions(fragment: Make) -> None:
    made = fragment({"a/a.proto": proto("message A {}", package="a")}, '[input]\nprotos = ["protos", "more"]\n')
    more = made.root / "more" / "b"
    more.mkdir(parents=True)
    (more / "b.proto").write_text(proto('import "a/a.proto";\nmessage B { a.A a = 1; }', package="b"), encoding="utf-8")
    made.generate()
    assert made.get("messages.b.b:B")(a=made.get("messages.a.a:A")()).a is not None
