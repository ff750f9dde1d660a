"""The importer on this project's definitions: its output matches the wheel, and comments are kept."""

import argparse
import gzip
import re
import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from flyte_codegen import cli
from flyte_codegen.commands.main import add_import_arguments
from flyte_codegen.importing import ImportProblem, Outcome, import_definitions, main, run
from flyte_codegen.importing.config import ImportConfig
from flyte_codegen.importing.lock import Lock, Source, verify
from flyte_codegen.importing.protoc import compile_protos
from flyte_codegen.importing.wheel import Wheel, open_wheel
from flyte_codegen.output import write

REPO = Path(__file__).parents[3]
PROTOS = REPO / "protos"
DATA = Path(__file__).parents[1] / "data"


def recorded_wheel(name: str, version: str) -> Wheel:
    """Return a wheel's descriptors, stored beside the tests, with the hash in protos.lock."""
    files = FileDescriptorSet.FromString(gzip.decompress((DATA / f"{name}-{version}.desc.gz").read_bytes())).file
    source = next(source for source in Lock.load(PROTOS).sources if (source.name, source.version) == (name, version))
    return Wheel(name, version, source.sha256, {file.name: file for file in files})


@pytest.fixture(scope="module")
def wheels() -> list[Wheel]:
    return [recorded_wheel("flyteidl2", "2.0.53"), recorded_wheel("googleapis-common-protos", "1.76.0")]


@pytest.fixture(scope="module")
def roots() -> tuple[str, ...]:
    return ImportConfig.load(PROTOS).roots


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of protos/ that a test may change."""
    return shutil.copytree(PROTOS, tmp_path / "protos")


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) >= 1, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1), "utf-8")


def bare(file: FileDescriptorProto, *, json_names: bool) -> FileDescriptorProto:
    """Return a descriptor without what the text omits on purpose: source info, imports, file and custom options.

    Every standard option below file level stays, even those that the importer does not know.
    """
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    for name in ("source_code_info", "options", "dependency", "extension"):
        copy.ClearField(name)

    def strip(element) -> None:
        if hasattr(element, "options"):
            element.options.DiscardUnknownFields()
            if not element.options.ByteSize():
                element.ClearField("options")
        if not json_names and hasattr(element, "json_name"):
            element.ClearField("json_name")
        for field, value in element.ListFields():
            if field.type == field.TYPE_MESSAGE and field.name != "options" and field.is_repeated:
                for item in value:
                    strip(item)

    strip(copy)
    return copy


def test_protos_define_exactly_what_the_wheel_defines(wheels: list[Wheel]) -> None:
    paths = list(Lock.load(PROTOS).files)
    compiled = compile_protos(PROTOS, paths)
    assert len(paths) > 50
    for path in paths:
        original = next(wheel.files[path] for wheel in wheels if path in wheel.files)
        # One of the wheels was compiled without the JSON names, which protoc always adds.
        json_names = any(field.json_name for message in original.message_type for field in message.field)
        assert json_names or path == "google/rpc/status.proto" or not original.message_type
        assert bare(compiled[path], json_names=json_names) == bare(original, json_names=json_names), path


def test_only_imports_that_carried_options_are_gone(wheels: list[Wheel]) -> None:
    paths = list(Lock.load(PROTOS).files)
    dropped = set()
    for path, file in compile_protos(PROTOS, paths).items():
        original = next(wheel.files[path] for wheel in wheels if path in wheel.files)
        assert set(file.dependency) <= set(original.dependency)
        assert list(file.dependency) == sorted(file.dependency)
        dropped |= {
            (path, name)
            for name in set(original.dependency) - set(file.dependency)
            if not name.startswith(("buf/validate/", "google/api/", "protoc-gen-openapiv2/"))
        }
    assert dropped == {
        # Declared there for two custom options.
        ("flyteidl2/core/tasks.proto", "google/protobuf/descriptor.proto"),
        ("flyteidl2/settings/settings_definition.proto", "google/protobuf/descriptor.proto"),
        # Not used by the file at all.
        ("flyteidl2/workflow/tracked_run_service.proto", "flyteidl2/task/common.proto"),
    }


def test_the_importer_reproduces_protos_byte_for_byte(
    wheels: list[Wheel], roots: tuple[str, ...], tmp_path: Path
) -> None:
    # Wheels contain no comments, so they come from the copy; the definitions must be written again.
    for path in Lock.load(PROTOS).files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROTOS / path, tmp_path / path)
    outcome = import_definitions(wheels, roots, tmp_path)
    expected = contents(PROTOS)
    del expected["import.toml"]
    assert contents(tmp_path) == expected
    assert outcome.changed == ("protos.lock", "rules.toml")
    assert outcome.warnings == ()


def test_a_second_run_changes_nothing(wheels: list[Wheel], roots: tuple[str, ...], copy: Path) -> None:
    outcome = import_definitions(wheels, roots, copy)
    assert (outcome.changed, outcome.removed, outcome.warnings) == ((), (), ())
    assert contents(copy) == contents(PROTOS)


def test_an_empty_directory_gets_the_same_definitions(
    wheels: list[Wheel], roots: tuple[str, ...], tmp_path: Path
) -> None:
    import_definitions(wheels, roots, tmp_path)
    assert (tmp_path / "protos.lock").read_bytes() == (PROTOS / "protos.lock").read_bytes()
    assert (tmp_path / "rules.toml").read_bytes() == (PROTOS / "rules.toml").read_bytes()


def test_protos_match_their_lock() -> None:
    assert verify(PROTOS) == []


def test_verify_tells_an_edited_definition_from_an_edited_comment(copy: Path) -> None:
    path = copy / "flyteidl2/app/app_payload.proto"
    edit(path, "message ", "// A comment of ours.\nmessage ")
    assert verify(copy) == []
    edit(path, " = 1;", " = 77;")
    (copy / "google/rpc/status.proto").unlink()
    edited, missing = verify(copy)
    assert "app_payload.proto differs from what was imported" in edited
    assert "status.proto is missing" in missing


def test_comments_survive_on_every_kind_of_element(wheels: list[Wheel], roots: tuple[str, ...], copy: Path) -> None:
    path = copy / "flyteidl2/app/app_definition.proto"
    text = path.read_text("utf-8")
    marks = {
        "file": r'syntax = "proto3";',
        "message": r"message Identifier \{",
        "field": r"  string name = \d+;",
        "oneof": r"  oneof app_payload \{",
        "oneof member": r"    flyteidl2.core.Container container = \d+;",
        "nested enum": r"  enum DeploymentStatus \{",
        "value": r"    DEPLOYMENT_STATUS_UNSPECIFIED = 0;",
    }
    for kind, pattern in marks.items():
        text, count = re.subn(f"(?m)^{pattern}", lambda m, kind=kind: f"// Words on a {kind}.\n{m[0]}", text, count=1)
        assert count == 1, kind
    path.write_text(text, "utf-8")
    service = copy / "flyteidl2/app/app_service.proto"
    edit(service, "service AppService {", "/* Words on a service,\n * in a block. */\nservice AppService {")
    edit(service, "  rpc Get(", "  // Words on a method.\n  rpc Get(")

    first = import_definitions(wheels, roots, copy)
    assert first.warnings == ()
    once = contents(copy)
    for kind in marks:
        assert path.read_text("utf-8").count(f"// Words on a {kind}.") == 1
    assert "// Words on a service,\n// in a block.\nservice AppService {" in service.read_text("utf-8")
    assert "  // Words on a method.\n  rpc Get(" in service.read_text("utf-8")

    second = import_definitions(wheels, roots, copy)
    assert second.changed == ()
    assert contents(copy) == once


def test_trailing_and_detached_comments_become_one_paragraph_each(
    wheels: list[Wheel], roots: tuple[str, ...], copy: Path
) -> None:
    path = copy / "google/rpc/status.proto"
    edit(path, 'syntax = "proto3";', '// A licence.\n\n// About the file.\nsyntax = "proto3";')
    edit(path, "int32 code = 1;", "int32 code = 1; // Behind it.")
    assert import_definitions(wheels, roots, copy).warnings == ()
    text = path.read_text("utf-8")
    assert text.startswith('// A licence.\n//\n// About the file.\nsyntax = "proto3";\n')
    assert "  // Behind it.\n  int32 code = 1;\n" in text
    assert import_definitions(wheels, roots, copy).changed == ()


def test_the_comment_of_a_vanished_element_is_reported(wheels: list[Wheel], roots: tuple[str, ...], copy: Path) -> None:
    edit(
        copy / "google/rpc/status.proto",
        "int32 code = 1;",
        "int32 code = 1;\n\n  // Kept for\n  // old servers.\n  string gone = 9;",
    )
    outcome = import_definitions(wheels, roots, copy)
    assert outcome.warnings == (
        "google.rpc.Status.gone no longer exists; its comment was dropped: Kept for / old servers.",
    )
    assert outcome.changed == ("google/rpc/status.proto",)
    assert "gone" not in (copy / "google/rpc/status.proto").read_text("utf-8")


def test_a_comment_on_no_element_is_reported(wheels: list[Wheel], roots: tuple[str, ...], copy: Path) -> None:
    path = copy / "google/rpc/status.proto"
    path.write_text(path.read_text("utf-8").rstrip().removesuffix("}") + "\n  // Dangling words.\n}\n", "utf-8")
    (warning,) = import_definitions(wheels, roots, copy).warnings
    assert warning.startswith("google/rpc/status.proto: dropped a comment that belongs to no message")
    assert warning.endswith("Dangling words.")


def test_comments_follow_an_element_into_another_file(wheels: list[Wheel], copy: Path) -> None:
    original = wheels[1].files["google/rpc/status.proto"]
    moved = FileDescriptorProto()
    moved.CopyFrom(original)
    moved.name = "google/rpc/moved.proto"
    edit(copy / "google/rpc/status.proto", "message Status {", "// What went wrong.\nmessage Status {")
    wheel = Wheel("other", "1", "0" * 64, {moved.name: moved})
    outcome = import_definitions([wheel], ["google/rpc/moved.proto"], copy)
    assert "// What went wrong.\nmessage Status {" in (copy / "google/rpc/moved.proto").read_text("utf-8")
    assert not [warning for warning in outcome.warnings if "google.rpc" in warning]
    # Files in the old lock that no root reaches any more are deleted; other files are kept.
    assert "google/rpc/status.proto" in outcome.removed
    assert not (copy / "google/rpc/status.proto").exists()
    assert (copy / "import.toml").exists()


def test_rules_are_read_from_the_options() -> None:
    rules = tomllib.loads((PROTOS / "rules.toml").read_text("utf-8"))
    fields, oneofs = rules["fields"], rules["oneofs"]
    assert fields["flyteidl2.common.OrgIdentifier.name"] == {
        "min_len": 1,
        "max_len": 63,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    }
    assert fields["flyteidl2.task.DeployTaskRequest.spec"] == {"required": True}
    assert fields["flyteidl2.dataproxy.TailLogsRequest.attempt"] == {"gt": 0}
    assert fields["flyteidl2.app.TimeoutConfig.request_timeout"] == {"gte": 0.0, "lte": 3600.0}
    assert fields["flyteidl2.task.Recover.force_rerun_actions"] == {"items": {"min_len": 1}}
    assert fields["flyteidl2.dataproxy.CreateUploadLocationRequest.content_md5"] == {"len": 16}
    assert oneofs["flyteidl2.task.ListTasksRequest.scope_by"] == {"required": True}


# Bad input: a one-line error with a remedy, no traceback, and nothing is written.


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_import_arguments(parser)
    return parser.parse_args(words)


def make_wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


METADATA = {"idl-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: idl\nVersion: 1.0\n"}


def compiled_module(file: FileDescriptorProto) -> bytes:
    return f"DESCRIPTOR = pool.AddSerializedFile({file.SerializeToString()!r})\n".encode()


@pytest.mark.parametrize(
    ("name", "members", "complaint"),
    [
        ("missing.whl", None, "cannot read the wheel .*; check the path"),
        ("text.whl", b"not a zip", "not a readable wheel .*; download it again"),
        ("no-metadata.whl", {"a_pb2.py": b""}, "no dist-info metadata"),
        ("no-protos.whl", METADATA, "contains no compiled protobuf modules"),
        ("syntax.whl", METADATA | {"a_pb2.py": b"def ("}, "is not valid Python"),
        ("damaged.whl", METADATA | {"a_pb2.py": b"AddSerializedFile(b'')\npool.AddSerializedFile(b'\\xff')"}, "damaged descriptor"),
        ("idl", None, "neither a path to a .whl file nor a pinned requirement"),
        ("--index-url=x==1", None, "neither a path to a .whl file nor a pinned requirement"),
        ("idl>=1", None, "neither a path to a .whl file nor a pinned requirement"),
        ("lacks-root.whl", METADATA | {"b_pb2.py": compiled_module(FileDescriptorProto(name="b.proto", syntax="proto3"))}, "no wheel holds 'a.proto'"),
        ("proto2.whl", METADATA | {"a_pb2.py": compiled_module(FileDescriptorProto(name="a.proto", syntax="proto2"))}, "only proto3"),
    ],
)  # fmt: skip
def test_bad_wheels_give_one_line(
    name: str,
    members: dict[str, bytes] | bytes | None,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if isinstance(members, bytes):
        Path(name).write_bytes(members)
    elif members is not None:
        make_wheel(Path(name), members)
    Path("out").mkdir()
    Path("out/import.toml").write_text(f'wheel = "{name}"\nroots = ["a.proto"]\n')
    assert main(arguments("--out", "out")) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"flyte-codegen import: .*{complaint}.*\n", err), err
    assert sorted(contents(Path("out"))) == ["import.toml"]


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (None, "import.toml does not exist; create it with"),
        ("roots = [", "not valid TOML"),
        ("roots = []", "roots is empty"),
        ("roots = [1]", "roots must be a list of strings"),
        ('root = ["a"]', "unknown key 'root'"),
        ('wheel = 1\nroots = ["a.proto"]', "wheel must be a string"),
        ('roots = ["a.proto"]', "no wheel is set; pass --wheel"),
    ],
)
def test_bad_configuration_gives_one_line(toml: str | None, complaint: str, tmp_path: Path) -> None:
    if toml is not None:
        (tmp_path / "import.toml").write_text(toml)
    with pytest.raises(ImportProblem, match=complaint) as caught:
        run(None, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_wheel_that_changed_under_the_same_version_is_refused(
    wheels: list[Wheel], roots: tuple[str, ...], copy: Path
) -> None:
    before = contents(copy)
    tampered = Wheel(wheels[0].name, wheels[0].version, "f" * 64, wheels[0].files)
    with pytest.raises(ImportProblem, match=r"but protos\.lock recorded 61a1fc68"):
        import_definitions([tampered, wheels[1]], roots, copy)
    assert contents(copy) == before


def test_an_existing_file_that_does_not_compile_is_named(
    wheels: list[Wheel], roots: tuple[str, ...], copy: Path
) -> None:
    edit(copy / "google/rpc/status.proto", "message Status {", "message Status")
    before = contents(copy)
    with pytest.raises(ImportProblem, match=r"google/rpc/status\.proto:\d+:\d+: Expected"):
        import_definitions(wheels, roots, copy)
    assert contents(copy) == before


@pytest.mark.parametrize(
    "path", ["../evil.proto", "/tmp/evil.proto", "a/../../evil.proto", "a\n--plugin.proto", ".evil.proto"]
)
def test_a_wheel_cannot_choose_where_files_go(path: str, tmp_path: Path) -> None:
    out = tmp_path / "protos"
    out.mkdir()
    wheel = Wheel("evil", "1", "0" * 64, {path: FileDescriptorProto(name=path, syntax="proto3")})
    with pytest.raises(ImportProblem, match="not a plain relative path"):
        import_definitions([wheel], [path], out)
    assert contents(tmp_path) == {}


def test_a_type_that_no_wheel_defines_names_the_remedy(
    wheels: list[Wheel], roots: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(
        ImportProblem, match=r"uses google\.rpc\.Status, which no wheel defines; add its wheel to `also`"
    ):
        import_definitions(wheels[:1], roots, tmp_path)


def test_a_real_wheel_file_is_read_without_running_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = FileDescriptorProto(name="idl/a.proto", package="idl", syntax="proto3")
    file.message_type.add(name="Thing").field.add(name="size", number=1, type=5, label=1, json_name="size")
    code = b"raise SystemExit('a wheel was run')\n" + compiled_module(file)
    wheel = make_wheel(tmp_path / "idl-1.0-py3-none-any.whl", METADATA | {"idl/a_pb2.py": code, "idl/__init__.py": b""})
    out = tmp_path / "protos"
    out.mkdir()
    (out / "import.toml").write_text('wheel = "idl==1.0"\nroots = ["idl/a.proto"]\n')
    assert main(arguments("--wheel", str(wheel), "--out", str(out))) == 0
    assert capsys.readouterr().out.endswith("1 files imported, 3 changed, 0 removed\n")
    assert (out / "idl/a.proto").read_text("utf-8") == (
        'syntax = "proto3";\n\npackage idl;\n\nmessage Thing {\n  int32 size = 1;\n}\n'
    )
    assert Lock.load(out).sources == (Source("idl", "1.0", open_wheel(str(wheel)).sha256),)
    assert isinstance(run(str(wheel), out), Outcome)


def two_files(root: Path) -> tuple[Path, Path]:
    """A wheel with two files, and a target directory that already has one of them."""
    files = [FileDescriptorProto(name=f"idl/{name}.proto", package="idl", syntax="proto3") for name in "ab"]
    files[1].message_type.add(name="Thing")
    members = {f"idl/{file.name[4]}_pb2.py": compiled_module(file) for file in files}
    wheel = make_wheel(root / "idl-1.0-py3-none-any.whl", METADATA | members | {"idl/__init__.py": b""})
    out = root / "protos"
    (out / "idl").mkdir(parents=True)
    (out / "import.toml").write_text('wheel = "idl==1.0"\nroots = ["idl/a.proto", "idl/b.proto"]\n')
    (out / "idl/a.proto").write_text('// Kept.\nsyntax = "proto3";\npackage idl;\n')
    return wheel, out


@pytest.mark.parametrize("obstacle", ["idl/b.proto", "rules.toml"])
def test_nothing_is_written_when_one_file_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    wheel, out = two_files(tmp_path)
    (out / obstacle).mkdir()
    before = contents(tmp_path)
    code = cli.main(["import", "--wheel", str(wheel), "--out", str(out)])
    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    complaint = "can't be written: this is a folder, not a file"
    assert said.err == f"{out / obstacle}: error: {complaint}\n    move it elsewhere\n"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("failing", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_brings_back_what_was_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, failing: BaseException
) -> None:
    wheel, out = two_files(tmp_path)
    before = contents(tmp_path)
    prune = write._prune
    failures = [failing]

    def fail_once(output: Path) -> None:
        if output == out and failures:
            assert (out / "idl/b.proto").is_file()
            assert (out / "protos.lock").is_file()
            raise failures.pop()
        prune(output)

    monkeypatch.setattr(write, "_prune", fail_once)
    command = ["import", "--wheel", str(wheel), "--out", str(out)]
    code = cli.main(command)
    said = capsys.readouterr()
    assert (code, said.out) == (130 if isinstance(failing, KeyboardInterrupt) else 1, "")
    assert isinstance(failing, KeyboardInterrupt) or f"{out}: error: can't be written: No space left" in said.err
    assert contents(tmp_path) == before
    assert cli.main(command) == 0
    assert (out / "idl/a.proto").read_text().startswith("// Kept.\n")
    assert sorted(path.name for path in out.iterdir()) == ["idl", "import.toml", "protos.lock", "rules.toml"]


def test_what_is_no_longer_reached_goes_with_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel, out = two_files(tmp_path)
    command = ["import", "--wheel", str(wheel), "--out", str(out)]
    assert cli.main(command) == 0
    (out / "import.toml").write_text('wheel = "idl==1.0"\nroots = ["idl/a.proto"]\n')
    assert cli.main(command) == 0
    assert f"removed  {out / 'idl/b.proto'}" in capsys.readouterr().out
    assert [path.name for path in (out / "idl").iterdir()] == ["a.proto"]
