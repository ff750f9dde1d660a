"""`flyte-codegen diff`: the reported changes of small definitions, and which ones are breaking."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from flyte_codegen import cli
from flyte_codegen.commands.changes import Change
from flyte_codegen.commands.diff import diff
from flyte_codegen.configuration import settings as config
from flyte_codegen.definitions.load import load
from support.fragments import Fragment, proto

BASE = """
message Id { string name = 1; }
message Other { string name = 1; }
message Deep { int32 level = 1; Deep inner = 2; }
message Twin { int64 level = 1; Twin inner = 2; }
enum State { STATE_UNSPECIFIED = 0; STATE_OPEN = 1; STATE_SHUT = 2; }
message Box {
  Id id = 1;
  string title = 2;
  int32 size = 3;
  optional string note = 4;
  repeated int32 sizes = 5;
  repeated string tags = 6;
  map<string, int32> counts = 7;
  State state = 8;
  oneof content { string text = 9; bytes data = 10; }
  Deep deep = 11;
}
message GetBoxRequest { Id id = 1; string view = 2; }
message GetBoxResponse { Box box = 1; }
message OpenBoxRequest { Id id = 1; string reason = 2; bool force = 3; }
message OpenBoxResponse {}
message WatchBoxRequest { Id id = 1; }
message WatchBoxResponse { Box box = 1; }
service Boxes {
  rpc GetBox(GetBoxRequest) returns (GetBoxResponse);
  rpc OpenBox(OpenBoxRequest) returns (OpenBoxResponse);
  rpc WatchBox(WatchBoxRequest) returns (stream WatchBoxResponse);
}
"""
TOML = """
[entities.Box]
message = "test.Box"
service = "test.Boxes"
identity = "id"
properties = { title = "title", size = "size" }

[entities.Box.methods]
GetBox = {}
OpenBox = {}
"""
WIRE, SOURCE = ("wire",), ("source",)
BOTH = (*WIRE, *SOURCE)

Versions = Callable[..., list[Change]]


@pytest.fixture
def project(fragment: Callable[..., Fragment]) -> Fragment:
    return fragment(proto(BASE), TOML)


def changed(*edits: tuple[str, str]) -> str:
    text = BASE
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def folder(root: Path, body: str, rules: str = "") -> str:
    path = root / "test"
    path.mkdir(parents=True)
    (path / "test.proto").write_text(proto(body), encoding="utf-8")
    if rules:
        (root / "rules.toml").write_text(rules, encoding="utf-8")
    return str(root)


@pytest.fixture
def versions(project: Fragment, tmp_path: Path) -> Versions:
    """Return the changes from the definitions above to edited ones."""

    def compare(*edits: tuple[str, str], rules: tuple[str, str] = ("", "")) -> list[Change]:
        old, new = folder(tmp_path / "old", BASE, rules[0]), folder(tmp_path / "new", changed(*edits), rules[1])
        return diff(project.config, old, new)

    return compare


@pytest.mark.parametrize(
    ("edit", "told", "breaks"),
    [
        # Fields
        (("int32 size = 3;", "int32 size = 3; string extra = 20;"), "field test.Box.extra added", ()),
        (("optional string note = 4;", ""), "field test.Box.note removed", SOURCE),
        (("string note = 4", "string remark = 4"), "field test.Box.note renamed: now remark", SOURCE),
        (("optional string note = 4;", "int32 weight = 4;"),
         "field test.Box.note removed: string; its number 4 is now weight, int32", BOTH),
        (("string note = 4", "string note = 20"), "field test.Box.note renumbered: 4 -> 20", WIRE),
        (("optional string note", "optional int32 note"), "field test.Box.note retyped: string -> int32", BOTH),
        (("optional string note", "optional bytes note"), "field test.Box.note retyped: string -> bytes", SOURCE),
        (("bytes data = 10", "string data = 10"), "field test.Box.data retyped: bytes -> string", BOTH),
        (("State state = 8", "uint64 state = 8"), "field test.Box.state retyped: test.State -> uint64", SOURCE),
        (("repeated int32 sizes", "repeated sint32 sizes"),
         "field test.Box.sizes retyped: repeated int32 -> repeated sint32", WIRE),
        (("repeated int32 sizes", "repeated int64 sizes"),
         "field test.Box.sizes retyped: repeated int32 -> repeated int64", ()),
        (("map<string, int32>", "map<string, string>"),
         "field test.Box.counts retyped: map<string, int32> -> map<string, string>", BOTH),
        (("map<string, int32>", "map<string, uint32>"),
         "field test.Box.counts retyped: map<string, int32> -> map<string, uint32>", ()),
        (("map<string, int32> counts", "repeated Id counts"),
         "field test.Box.counts retyped: map<string, int32> -> repeated test.Id", BOTH),
        (("Deep deep = 11", "Twin deep = 11"), "field test.Box.deep retyped: test.Deep -> test.Twin", SOURCE),
        (("Deep deep = 11", "Id deep = 11"), "field test.Box.deep retyped: test.Deep -> test.Id", BOTH),
        (("optional string note", "string note"), "field test.Box.note relabelled: optional -> implicit", SOURCE),
        (("repeated int32 sizes", "int32 sizes"), "field test.Box.sizes relabelled: repeated -> implicit", BOTH),
        (("repeated string tags", "string tags"), "field test.Box.tags relabelled: repeated -> implicit", SOURCE),
        (("optional string note = 4;", "repeated string note = 4;"),
         "field test.Box.note relabelled: optional -> repeated", SOURCE),
        (("repeated int32 sizes", "int64 sizes"), "field test.Box.sizes retyped: repeated int32 -> int64", BOTH),
        (("repeated string tags = 6;", "repeated string tags = 6 [deprecated = true];"),
         "field test.Box.tags deprecated", ()),
        # Oneofs
        (("optional string note = 4;", "oneof remark { string note = 4; }"),
         "field test.Box.note moved into a oneof: remark", SOURCE),
        (("bytes data = 10; }", "} bytes data = 10;"), "field test.Box.data moved out of a oneof: content", BOTH),
        # Messages and enums
        (("message Other { string name = 1; }", ""), "message test.Other removed", SOURCE),
        (("enum State", "message More {} enum State"), "message test.More added", ()),
        (("message Other {", "message Other { option deprecated = true;"), "message test.Other deprecated", ()),
        (("STATE_SHUT = 2;", "STATE_SHUT = 2; STATE_LOST = 3;"), "enum value test.State.STATE_LOST added", ()),
        (("STATE_SHUT = 2;", ""), "enum value test.State.STATE_SHUT removed", SOURCE),
        (("STATE_SHUT = 2;", "STATE_CLOSED = 2;"), "enum value test.State.STATE_SHUT renamed: now STATE_CLOSED", SOURCE),
        (("STATE_SHUT = 2;", "STATE_SHUT = 5;"), "enum value test.State.STATE_SHUT renumbered: 2 -> 5", WIRE),
        (("STATE_SHUT = 2;", "STATE_SHUT = 2 [deprecated = true];"), "enum value test.State.STATE_SHUT deprecated", ()),
        (("message Deep", "enum Late { LATE_NONE = 0; } message Deep"), "enum test.Late added", ()),
        # Services
        (("service Boxes {", "service Spare {} service Boxes {"), "service test.Spare added", ()),
        (("rpc WatchBox(WatchBoxRequest) returns (stream WatchBoxResponse);", ""),
         "RPC test.Boxes.WatchBox removed", BOTH),
        (("returns (stream WatchBoxResponse)", "returns (WatchBoxResponse)"),
         "RPC test.Boxes.WatchBox streaming changed: server stream -> unary", BOTH),
        (("rpc WatchBox(WatchBoxRequest)", "rpc WatchBox(Id)"),
         "RPC test.Boxes.WatchBox request changed: test.WatchBoxRequest -> test.Id", BOTH),
        (("returns (stream WatchBoxResponse);",
          "returns (stream WatchBoxResponse) { option idempotency_level = NO_SIDE_EFFECTS; }"),
         "RPC test.Boxes.WatchBox idempotency changed: none -> NO_SIDE_EFFECTS", ()),
        (("returns (stream WatchBoxResponse);", "returns (stream WatchBoxResponse) { option deprecated = true; }"),
         "RPC test.Boxes.WatchBox deprecated", ()),
    ],
)  # fmt: skip
def test_one_change(versions: Versions, edit: tuple[str, str], told: str, breaks: tuple[str, ...]) -> None:
    (change,) = versions(edit)
    assert (str(change), change.breaks) == (told, breaks)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("string view = 2;", ""), [("client method Box.get loses a parameter: view: str = \"\"", SOURCE)]),
        (("string view = 2;", "string view = 2; int32 depth = 3;"),
         [("client method Box.get gains a parameter: depth: int = 0", ())]),
        (("string view = 2;", "optional string view = 2;"),
         [('client method Box.get changes a parameter: view: str = "" -> view: str | None = None', ())]),
        (("string view = 2;", "int32 view = 2;"),
         [('client method Box.get changes a parameter: view: str = "" -> view: int = 0', SOURCE)]),
        (("string reason = 2;", "string note = 4; string reason = 2;"),
         [('client method Box.open gains a parameter: note: str = ""', ())]),
        (("Id id = 1; string reason = 2;", "Id id = 1; string first = 4; string reason = 5;"),
         [('client method Box.open gains a parameter: first: str = ""', ())]),
        (("string title = 2;", "optional string title = 2;"),
         [("client property Box.title changes its type: str -> str | None", SOURCE)]),
        (("int32 size = 3;", ""),
         [("client property Box.size breaks: [entities.Box.properties] size: test.Box has no field at 'size'", SOURCE)]),
        (("rpc OpenBox(OpenBoxRequest) returns (OpenBoxResponse);", ""),
         [("client method Box.open breaks: [entities.Box.methods.OpenBox] no RPC named test.Boxes.OpenBox", SOURCE)]),
        (("rpc GetBox(GetBoxRequest) returns (GetBoxResponse);",
          "rpc GetBox(GetBoxRequest) returns (stream GetBoxResponse);"),
         [("client method Box.get breaks: test.Boxes.GetBox streams its replies, and nothing says whether it ends by itself",
           SOURCE)]),
    ],
)  # fmt: skip
def test_what_becomes_of_the_client(
    versions: Versions, edit: tuple[str, str], told: list[tuple[str, tuple[str, ...]]]
) -> None:
    found = [(str(c), c.breaks) for c in versions(edit) if c.kind.startswith("client")]
    assert found[: len(told)] == told


def test_parameters_by_position(versions: Versions) -> None:
    edit = ("string reason = 2; bool force = 3;", "bool force = 2; string reason = 3;")
    found = [c for c in versions(edit) if c.kind == "client method"]
    assert [str(c) for c in found] == [
        "client method Box.open changes its positional parameters: reason, force -> force, reason"
    ]
    assert found[0].breaks == SOURCE


def test_methods_that_appear(project: Fragment, tmp_path: Path) -> None:
    old = folder(tmp_path / "old", changed(("rpc OpenBox(OpenBoxRequest) returns (OpenBoxResponse);", "")))
    found = [str(c) for c in diff(project.config, old, folder(tmp_path / "new", BASE)) if c.kind == "client method"]
    assert found[0].startswith("client method Box.open appears: before, [entities.Box.methods.OpenBox] no RPC")


def test_two_fields_into_one_oneof_exclude_each_other(versions: Versions) -> None:
    found = versions(("string title = 2;\n  int32 size = 3;", "oneof one { string title = 2; int32 size = 3; }"))
    moved = {c.name: c.breaks for c in found if c.what == "moved into a oneof"}
    assert moved == {"test.Box.title": BOTH, "test.Box.size": BOTH}


def test_a_renamed_oneof_is_no_move(versions: Versions) -> None:
    found = versions(("oneof content", "oneof inside"))
    assert [(c.what, c.detail, c.breaks) for c in found] == [("in a renamed oneof", "content -> inside", SOURCE)] * 2


def test_what_goes_to_another_file_is_imported_from_elsewhere(project: Fragment, tmp_path: Path) -> None:
    old, new = Path(folder(tmp_path / "old", BASE)), Path(folder(tmp_path / "new", BASE))
    (new / "test/test.proto").rename(new / "test/boxes.proto")
    found = diff(project.config, str(old), str(new))
    assert {(c.what, c.detail, c.breaks) for c in found} == {
        ("moved to another file", "test/test.proto -> test/boxes.proto", SOURCE)
    }
    assert {c.name for c in found if c.kind == "enum"} == {"test.State"}
    assert "test.Box" in {c.name for c in found if c.kind == "message"}


def test_a_parameter_that_is_new_and_has_to_be_given(versions: Versions) -> None:
    table = '[fields."test.GetBoxRequest.depth"]\nrequired = true\n'
    edit = ("string view = 2;", "string view = 2; string depth = 3;")
    found = [c for c in versions(edit, rules=("", table)) if c.kind == "client method"]
    assert [(str(c), c.breaks) for c in found] == [
        ("client method Box.get gains a parameter: depth: str, which is required", SOURCE)
    ]


def test_a_number_that_is_used_again(versions: Versions) -> None:
    found = versions(("string title = 2;\n  int32 size = 3;", "int32 size = 2; string title = 3;"))
    assert [(c.name, c.what, c.breaks) for c in found] == [
        ("test.Box.size", "renumbered", WIRE),
        ("test.Box.title", "renumbered", WIRE),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told", "breaks"),
    [
        ("max_len = 9", "max_len = 5", "checked more strictly: max_len 9 -> 5", WIRE),
        ("max_len = 9", "max_len = 12", "checked less strictly: max_len 9 -> max_len 12", ()),
        ("max_len = 9", "max_len = 9\npattern = 'a+'", "checked more strictly: pattern a+", WIRE),
        ("min_len = 1", "min_len = 1\nrequired = true", "checked more strictly: required True", WIRE),
        ("pattern = 'a'", "max_len = 3", "checked more strictly: max_len 3", WIRE),
        ("items = { min_len = 1 }", "items = { min_len = 2 }", "checked more strictly: items min_len 1 -> 2", WIRE),
        ("max_len = 9\nignore_empty = true", "max_len = 9", "checked more strictly: for empty values, too", WIRE),
        ("max_len = 9", "max_len = 9\nignore_empty = true",
         "checked less strictly: max_len 9 -> max_len 9, ignore_empty True", ()),
        ("required = true", "", "checked less strictly: required True -> no rule", ()),
    ],
)  # fmt: skip
def test_rules_of_requests(versions: Versions, old: str, new: str, told: str, breaks: tuple[str, ...]) -> None:
    table = '[fields."test.OpenBoxRequest.reason"]\n{}\n[fields."test.OpenBoxResponse.gone"]\n{}\n'
    found = [c for c in versions(rules=(table.format(old, old), table.format(new, new))) if c.kind == "field"]
    assert [(str(c), c.breaks) for c in found] == [(f"field test.OpenBoxRequest.reason {told}", breaks)]


def test_a_parameter_that_has_to_be_given(versions: Versions) -> None:
    table = '[fields."test.OpenBoxRequest.reason"]\nrequired = {}\n'
    found = [c for c in versions(rules=(table.format("false"), table.format("true"))) if c.kind == "client method"]
    assert [(c.what, c.detail, c.breaks) for c in found] == [
        ("changes a parameter", 'reason: str = "" -> reason: str', SOURCE)
    ]


@pytest.fixture
def run(project: Fragment, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def command(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["diff", "--config", str(project.config_path), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


Run = Callable[..., tuple[int, str, str]]
TEXT = """\
breaks on the wire (1)
  field test.Id.name renumbered: 1 -> 2

breaks on the wire and Python callers (1)
  test.Boxes: RPC removed: WatchBox

breaks Python callers (3)
  client property Box.size breaks: [entities.Box.properties] size: test.Box has no field at 'size'
  test.Box: fields removed: note, size

compatible (4)
  client method Box.get gains a parameter: depth: int = 0
  test.GetBoxRequest: field added: depth
  test: messages added: More, Most
"""
EDITS = (
    ("message Id { string name = 1; }", "message Id { string name = 2; } message More {} message Most {}"),
    ("  rpc WatchBox(WatchBoxRequest) returns (stream WatchBoxResponse);", ""),
    ("int32 size = 3;\n  optional string note = 4;", ""),
    ("string view = 2;", "string view = 2; int32 depth = 3;"),
)


def test_what_breaks_comes_first_and_what_belongs_together_shares_a_line(run: Run, tmp_path: Path) -> None:
    old, new = folder(tmp_path / "old", BASE), folder(tmp_path / "new", changed(*EDITS))
    assert run(old, new) == (1, TEXT, "")
    code, out, _ = run(old, new, "--json")
    data = json.loads(out)
    assert code == 1
    assert len(data) == 9
    assert data[0] == {
        "kind": "client method",
        "name": "Box.get",
        "what": "gains a parameter",
        "detail": "depth: int = 0",
        "breaks": [],
    }


def test_exit_codes(run: Run, tmp_path: Path) -> None:
    old = folder(tmp_path / "old", BASE)
    assert run(old, old) == (0, "no changes\n", "")
    assert run(old, old, "--json") == (0, "[]\n", "")
    assert run(old, folder(tmp_path / "more", BASE + "message More {}"))[0] == 0
    broken = folder(tmp_path / "broken", "message {")
    for new, complaint, remedy in (
        (str(tmp_path / "nowhere"), "nowhere: error: no such folder", "pass a folder of .proto files"),
        (broken, f"{broken}/test/test.proto:3:9: error: Expected message name", ""),
        (str(tmp_path / "gone.whl"), "import.toml", "compare folders"),
        ("idl==1", "import.toml", "compare folders"),
    ):
        code, out, err = run(old, new)
        assert (code, out) == (2, "")
        assert complaint in err
        assert remedy in err


def wheel(path: Path, version: str, body: str) -> str:
    """Write a wheel with compiled protobuf modules."""
    source = path / version
    folder(source, body)
    with zipfile.ZipFile(path / f"idl-{version}-py3-none-any.whl", "w") as archive:
        for file in load([source]).file:
            bare = FileDescriptorProto.FromString(file.SerializeToString())
            bare.ClearField("source_code_info")
            code = f"DESCRIPTOR = pool.AddSerializedFile({bare.SerializeToString()!r})\n"
            archive.writestr(file.name.replace(".proto", "_pb2.py"), code)
        archive.writestr(f"idl-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: idl\nVersion: {version}\n")
    return str(path / f"idl-{version}-py3-none-any.whl")


def test_wheels(project: Fragment, run: Run, tmp_path: Path) -> None:
    old, new = wheel(tmp_path, "1.0", BASE), wheel(tmp_path, "2.0", changed(*EDITS))
    # The second root is in neither wheel: a service that only one version has is a difference, not an error.
    (project.root / "protos/import.toml").write_text('roots = ["test/test.proto", "test/later.proto"]\n')
    assert run(old, new) == (1, TEXT, "")
    assert run(old, str(tmp_path / "2.0")) == (1, TEXT, "")
    code, out, err = run(old, str(tmp_path / "3.0.whl"))
    assert (code, out) == (2, "")
    assert "cannot read the wheel" in err
    (project.root / "protos/import.toml").write_text('roots = ["test/later.proto"]\n')
    code, _, err = run(old, new)
    assert code == 2
    assert "test/later.proto" in err


def test_a_reader_that_has_seen_enough(project: Fragment, tmp_path: Path) -> None:
    fields = " ".join(f"string long_name_of_field_{n} = {n};" for n in range(30, 9000))
    old = folder(tmp_path / "old", BASE)
    new = folder(tmp_path / "new", changed(("Deep deep = 11;", f"Deep deep = 11; {fields}")))
    code = "import sys; from flyte_codegen.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "diff", "--config", str(project.config_path), old, new]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (1, b"")


def test_what_is_generated_stays_out_of_it(project: Fragment, run: Run, tmp_path: Path) -> None:
    old = folder(tmp_path / "old", BASE)
    assert run(old, old)[0] == 0
    assert not project.path.exists()
    assert config.read(project.config_path).protos == (project.root / "protos",)
