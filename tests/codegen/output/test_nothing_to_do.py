"""`generate` stops early if nothing has changed, and does a full run after any change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen import cli
from flyte_codegen.configuration import fingerprint as inputs
from flyte_codegen.output import manifest
from support.fragments import Fragment, proto

Run = Callable[..., tuple[int, str, str]]
IDLE = "nothing to do, inputs and output are unchanged"


def idle(run: Run) -> bool:
    code, out, err = run("generate")
    assert code == 0, err
    return IDLE in out


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text("utf-8") + text, encoding="utf-8")


def test_nothing_is_imported_for_it(project: Fragment) -> None:
    code = """
import sys
from flyte_codegen.cli import main
code = main(["generate", "--config", sys.argv[1]])
print(*sorted({"google.protobuf", "jinja2", "grpc_tools", "subprocess"} & set(sys.modules)))
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(project.config_path)], capture_output=True, text=True, timeout=60, check=True
    )
    said, imported = done.stdout.splitlines()
    assert IDLE in said
    assert imported == ""


@pytest.mark.parametrize("change", [
    lambda root: append(root / "protos/library/books.proto", "\n// The end.\n"),
    lambda root: (root / "protos/library/more.proto").write_text(proto("message More {}", package="library")),
    lambda root: (root / "protos/library/common.proto").rename(root / "protos/common.proto"),
    lambda root: (root / "protos/rules.toml").write_text('[fields."library.BookId.name"]\nmax_len = 9\n'),
    lambda root: append(root / "codegen.toml", "# The end.\n"),
])  # fmt: skip
def test_a_changed_input_is_a_full_run(project: Fragment, run: Run, change: Callable[[Path], object]) -> None:
    assert idle(run)
    books = project.root / "protos/library/books.proto"
    change(project.root)
    if (project.root / "protos/common.proto").exists():
        books.write_text(books.read_text("utf-8").replace("library/common.proto", "common.proto"), encoding="utf-8")
    assert not idle(run)
    assert idle(run)


def test_a_changed_template_is_a_full_run(project: Fragment, run: Run) -> None:
    folder = project.root / "templates"
    folder.mkdir()
    config = project.config_path.read_text("utf-8")
    config = config.replace("[output]\n", '[output]\ntemplates = ["templates"]\n', 1)
    project.config_path.write_text(config, encoding="utf-8")
    assert not idle(run)
    (folder / "notes.md.j2").write_text("{% include 'text.txt' %}")
    (folder / "text.txt").write_text("one")
    assert not idle(run)
    assert idle(run)
    (folder / "text.txt").write_text("two")
    assert not idle(run)
    assert (project.path / "notes.md").read_text() == "two"


def test_what_a_link_leads_to_is_an_input(project: Fragment, run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shared = elsewhere / "shared.proto"
    shared.write_text(proto("message Shared {}", package="linked"), encoding="utf-8")
    (project.root / "protos/linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(project.root / "protos")
    append(project.root / "protos/library/common.proto", 'import "linked/shared.proto";\n')
    assert not idle(run)
    assert idle(run)
    append(shared, "// The end.\n")
    assert not idle(run)


@pytest.mark.parametrize("name", ["_GENERATOR", "built_in_templates"])
def test_another_generator_is_a_full_run(
    project: Fragment, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert idle(run)
    ours = inputs.built_in_templates() if name == "built_in_templates" else inputs._GENERATOR
    copied = shutil.copytree(ours, tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(inputs, name, (lambda: copied) if name == "built_in_templates" else copied)
    assert idle(run), "the same files in another folder"
    append(min(copied.rglob("*.j2" if name == "built_in_templates" else "*.py")), "\n")
    assert not idle(run)


def test_another_version_of_a_tool_is_a_full_run_and_passes_the_check(
    project: Fragment, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("ruff", "grpcio-tools", "jinja2", "protobuf"):
        real = inputs.version
        monkeypatch.setattr(inputs, "version", lambda name, tool=tool, real=real: "0" if name == tool else real(name))
        assert run("check")[0] == 0
        assert not idle(run)
        assert idle(run)


def test_output_that_is_not_as_it_was_left_is_a_full_run(project: Fragment, run: Run) -> None:
    book = project.path / "entities/book.py"
    book.unlink()
    assert not idle(run)
    assert book.is_file()
    assert idle(run)
    listed = project.path / "MANIFEST.json"
    append(listed, "\n")
    assert not idle(run)
    (project.path / "notes.py").touch()
    assert run("generate")[0] == 1
    (project.path / "notes.py").unlink()
    assert idle(run)
    append(book, "# mine\n")
    assert run("generate")[0] == 1
    # Even when the manifest was edited to match: the seal covers its list.
    data = json.loads(listed.read_text("utf-8"))
    data["files"]["entities/book.py"] = manifest.digest(book.read_bytes())
    listed.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    assert "entities/book.py: stale" in run("check")[2]
    assert not idle(run)
    assert "# mine" not in book.read_text("utf-8")


def test_warnings_are_told_again(fragment: Callable[..., Fragment], capsys: pytest.CaptureFixture[str]) -> None:
    body = "message A { string id = 1; } service S { rpc Send(A) returns (A) { option deprecated = true; } }"
    made = fragment(proto(body), '[entities.A]\nmessage="test.A"\nservice="test.S"\nidentity="id"\nmethods.Send={}')
    said: list[str] = []
    for expected in ("added", IDLE):
        assert cli.main(["generate", "--config", str(made.config_path)]) == 0
        out, err = capsys.readouterr()
        assert expected in out
        said.append(err)
    assert said[0] == said[1]
    assert "test.S.Send is deprecated" in said[0]


def test_the_manifest_does_not_tell_where_it_was_made(project: Fragment) -> None:
    text = (project.path / "MANIFEST.json").read_text("utf-8")
    assert str(project.root) not in text
    assert set(json.loads(text)) == {"generator", "seal", "files"}


def test_an_input_that_cannot_be_read(project: Fragment, run: Run) -> None:
    (project.root / "protos/gone.proto").symlink_to(project.root / "nowhere")
    code, _, err = run("generate")
    assert code == 1
    assert "protos/gone.proto: error: can't be read: No such file or directory" in err
