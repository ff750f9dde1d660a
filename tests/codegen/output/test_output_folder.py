"""The output folder: findings of `check`, refusals of `generate`, and deterministic output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen import cli
from flyte_codegen.importing.lock import Lock, Source, definitions_hash
from flyte_codegen.output import write
from support.fragments import Fragment
from support.library import PROTOS, library

Run = Callable[..., tuple[int, str, str]]


def stamps(project: Fragment) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in project.path.rglob("*") if p.is_file()}


def test_what_was_just_generated_is_up_to_date(project: Fragment, run: Run) -> None:
    before = stamps(project)
    assert run("check") == (0, f"{project.package} is up to date\n", "")
    code, out, _ = run("generate")
    assert code == 0
    assert out.startswith("22 files: nothing to do")
    assert stamps(project) == before
    code, out, _ = run("generate", "--force")
    assert code == 0
    assert "0 added, 0 changed, 0 removed" in out
    assert stamps(project) == before


def test_only_what_changes_is_written(project: Fragment, run: Run) -> None:
    before = stamps(project)
    books = project.root / "protos/library/books.proto"
    books.write_text(books.read_text("utf-8").replace("// Keeps books.", "// Keeps all books."), encoding="utf-8")
    code, _, err = run("check")
    assert code == 1
    assert f"{project.package}/services/library/library_service.py: stale" in err
    assert "run flyte-codegen generate" in err
    assert "3 changed" in run("generate")[1]
    changed = {Path(name).name for name, stamp in stamps(project).items() if before[name] != stamp}
    assert changed == {"library_service.py", "MANIFEST.json"}
    assert run("check")[0] == 0


def test_a_file_edited_by_hand_is_kept_until_forced(project: Fragment, run: Run) -> None:
    book = project.path / "entities/book.py"
    edited = book.read_text("utf-8") + "# mine\n"
    book.write_text(edited, encoding="utf-8")
    assert f"{project.package}/entities/book.py: edited by hand" in run("check")[2]
    code, out, err = run("generate")
    assert (code, out) == (1, "")
    assert "book.py: error: was edited by hand" in err
    assert "--force" in err
    assert book.read_text("utf-8") == edited
    assert run("generate", "--force")[0] == 0
    assert book.read_text("utf-8") != edited
    assert run("check")[0] == 0


@pytest.mark.parametrize("content", [b"notes", b"\xff\x00 not text"])
def test_a_file_of_somebody_else_is_kept_until_forced(project: Fragment, run: Run, content: bytes) -> None:
    stray = project.path / "entities/notes.bin"
    stray.write_bytes(content)
    assert f"{project.package}/entities/notes.bin: stray" in run("check")[2]
    code, _, err = run("generate")
    assert code == 1
    assert "notes.bin: error: was not written by flyte-codegen" in err
    assert stray.read_bytes() == content
    assert run("generate", "--force")[0] == 0
    assert not stray.exists()


def test_a_missing_file_is_written_again(project: Fragment, run: Run) -> None:
    gone = project.path / "messages/library/books.py"
    gone.unlink()
    assert f"{project.package}/messages/library/books.py: missing" in run("check")[2]
    assert "1 added" in run("generate")[1]
    assert gone.is_file()


def test_what_is_no_longer_generated_goes_with_its_folder(project: Fragment, run: Run) -> None:
    cache = project.path / "services/library/__pycache__"
    cache.mkdir()
    (cache / "library_service.cpython-311.pyc").write_bytes(b"compiled")
    books = project.root / "protos/library/books.proto"
    text = books.read_text("utf-8")
    books.write_text(text[: text.index("// Keeps books.")], encoding="utf-8")
    config = project.config_path.read_text("utf-8")
    head, _, _ = config.partition("[effects]")
    project.config_path.write_text(head, encoding="utf-8")
    assert f"{project.package}/services/library/library_service.py: obsolete" in run("check")[2]
    assert run("generate")[0] == 0
    assert not (project.path / "services").exists()
    assert not (project.path / "entities").exists()
    assert run("check")[0] == 0


def test_a_folder_that_somebody_else_filled_is_left_alone(tmp_path: Path, run: Run, project: Fragment) -> None:
    (project.path / "MANIFEST.json").unlink()
    (project.path / "entities/book.py").write_text("precious = 1\n")
    code, _, err = run("generate")
    assert code == 1
    assert "entities/book.py: error: was not written by flyte-codegen" in err
    assert (project.path / "entities/book.py").read_text() == "precious = 1\n"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": 5}'])
def test_a_manifest_that_cannot_be_read(project: Fragment, run: Run, content: str) -> None:
    (project.path / "MANIFEST.json").write_text(content)
    for command in ("check", "generate"):
        code, _, err = run(command)
        assert code == 1
        assert "MANIFEST.json: error: is not a manifest" in err


def test_a_run_that_was_cut_short_is_taken_up_again(project: Fragment, run: Run) -> None:
    books = project.root / "protos/library/books.proto"
    books.write_text(books.read_text("utf-8").replace("// A book.", "// One book."), encoding="utf-8")
    files = project.outcome().files
    # All but the manifest, as it comes last.
    (project.path / "messages/library/books.py").write_text(files["messages/library/books.py"], encoding="utf-8")
    assert run("generate")[0] == 0
    assert run("check")[0] == 0


def test_nothing_is_written_when_something_is_wrong(project: Fragment, run: Run) -> None:
    before = stamps(project)
    config = project.config_path.read_text("utf-8")
    project.config_path.write_text(config.replace('identity = "id"', 'identity = "ident"'), encoding="utf-8")
    assert run("generate")[0] == 1
    assert stamps(project) == before


def retarget(project: Fragment, path: str) -> None:
    config = project.config_path.read_text("utf-8").replace(f'path = "out/{project.package}"', f'path = "{path}"')
    project.config_path.write_text(config, encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        # Like a missing permission, but also effective for root.
        ("/proc/nowhere/api", "/proc/nowhere/api: error: can't be written: No such file or directory"),
        ("blocked/api", "blocked: error: can't be written: this is a file, not a folder"),
        ("blocked", "blocked: error: can't be written: this is a file, not a folder"),
    ],
)
def test_a_folder_that_cannot_be_written(project: Fragment, run: Run, path: str, complaint: str) -> None:
    (project.root / "blocked").write_text("mine")
    retarget(project, path)
    code, out, err = run("generate")
    assert (code, out) == (1, "")
    assert complaint in err
    assert len(err.splitlines()) == 2, "one message, and what to do"
    assert (project.root / "blocked").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file(project: Fragment, run: Run) -> None:
    (project.path / "exports.py").unlink()
    (project.path / "exports.py").mkdir()
    change_much(project)
    before = contents(project)
    code, _, err = run("generate")
    assert code == 1
    assert "exports.py: error: can't be written: this is a folder, not a file\n    move it elsewhere" in err
    assert contents(project) == before


def change_much(project: Fragment) -> None:
    """Some files change, one is new, and others go."""
    protos = project.root / "protos/library"
    books = protos / "books.proto"
    text = books.read_text("utf-8").replace("library/common.proto", "library/shared.proto")
    books.write_text(text.replace("// A book.", "// One book."), encoding="utf-8")
    (protos / "common.proto").rename(protos / "shared.proto")


def contents(project: Fragment) -> dict[str, tuple[bytes, int]]:
    """Everything beside and in the output folder, with its time stamp."""
    out = project.path.parent
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) if p.is_file() else (b"", 0) for p in out.rglob("*")}


def test_a_file_that_cannot_be_written_leaves_everything_as_it_was(project: Fragment, run: Run) -> None:
    before = contents(project)
    books = project.root / "protos/library/books.proto"
    # No file system accepts such a name, and only writing the file reveals that.
    text = books.read_text("utf-8").replace("// A book.", "// One book.")
    books.write_text(f"{text}\nservice S{'x' * 300} {{}}\n", encoding="utf-8")
    code, out, err = run("generate")
    assert (code, out) == (1, "")
    assert "File name too long" in err
    assert len(err.splitlines()) == 2
    assert contents(project) == before


@pytest.mark.parametrize("failing", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_after_files_were_replaced_brings_them_back(
    project: Fragment, run: Run, monkeypatch: pytest.MonkeyPatch, failing: BaseException
) -> None:
    before = contents(project)
    change_much(project)
    prune = write._prune
    failures = [failing]

    def fail_once(output: Path) -> None:
        if failures:
            assert {p for p in contents(project) if "/." not in p} != set(before), "files were replaced"
            raise failures.pop()
        prune(output)

    monkeypatch.setattr(write, "_prune", fail_once)
    code, out, err = run("generate")
    assert (code, out) == (130 if isinstance(failing, KeyboardInterrupt) else 1, "")
    assert isinstance(failing, KeyboardInterrupt) or "can't be written: No space left on device" in err
    assert contents(project) == before
    assert run("generate")[0] == 0
    assert run("check")[0] == 0


def test_the_manifest_lists_every_file_with_its_hash(project: Fragment) -> None:
    manifest = json.loads((project.path / "MANIFEST.json").read_text("utf-8"))
    present = {p.relative_to(project.path).as_posix() for p in project.path.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == present - {"MANIFEST.json"}
    assert write.compare(project.path, project.outcome().files) == write.State((), (), (), (), ())


def test_imported_definitions_must_be_what_was_imported(project: Fragment, run: Run) -> None:
    protos = project.root / "protos"
    hashes = {name: definitions_hash(text) for name, text in PROTOS.items()}
    (protos / "protos.lock").write_text(Lock((Source("library", "1", "0" * 64),), hashes).text(), encoding="utf-8")
    assert run("check")[0] == 0
    common = protos / "library/common.proto"
    common.write_text(common.read_text("utf-8") + "\n// A comment.\n", encoding="utf-8")
    assert run("generate")[0] == 0
    assert run("check")[0] == 0
    common.write_text(common.read_text("utf-8") + "message Extra {}\n", encoding="utf-8")
    assert run("generate")[0] == 0
    code, _, err = run("check")
    assert code == 1
    assert "library/common.proto differs from what was imported" in err
    (protos / "protos.lock").write_text("nonsense", encoding="utf-8")
    code, _, err = run("check")
    assert code == 1
    assert "protos.lock cannot be read" in err


def test_the_same_bytes_whatever_the_hash_seed_and_the_folder(tmp_path: Path) -> None:
    trees: list[dict[str, bytes]] = []
    for seed, cwd in (("1", "a"), ("20", "b/src")):
        root = tmp_path / cwd
        root.mkdir(parents=True)
        # A package with the runtime's name in the working directory must make no difference.
        (root / "flyte").mkdir()
        (root / "flyte" / "__init__.py").touch()
        made = library(root)
        made.config_path.write_text(
            made.config_path.read_text("utf-8").replace(made.package, "same_api"), encoding="utf-8"
        )
        code = "import sys; from flyte_codegen.cli import main; sys.exit(main(['generate', '--config', sys.argv[1]]))"
        subprocess.run(
            [sys.executable, "-P", "-c", code, str(made.config_path)],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            timeout=120,
            capture_output=True,
        )
        out = root / "out" / "same_api"
        trees.append({p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()})
    assert trees[0] == trees[1]
    assert len(trees[0]) > 10


def test_what_the_repository_holds_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", str(Path(__file__).parents[3] / "codegen.toml")]) == 0, (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("missing", ["jinja2", "google.protobuf", "grpc_tools"])
def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path, missing: str) -> None:
    made = library(tmp_path)
    code = "import sys; sys.modules[sys.argv[2]] = None; from flyte_codegen.cli import main\n"
    code += "sys.exit(main(['generate', '--config', sys.argv[1]]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(made.config_path), missing],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"flyte-codegen needs {missing}")
    assert done.stderr.rstrip().endswith("pip install 'flyte-remote[codegen]'")
