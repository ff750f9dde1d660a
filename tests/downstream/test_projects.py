"""Projects of another team: their generated code is up to date, and passes their tests and both type checkers."""

from __future__ import annotations

from pathlib import Path

import pytest

from downstream.conftest import EXAMPLE, REPO, Place


def test_everything_of_ours_comes_from_the_wheel(place: Place) -> None:
    code = "import flyte, flyte_api, flyte_codegen as g; print(flyte.__file__, flyte_api.__file__, g.__file__)"
    for path in place.run(place.python, "-c", code).split():
        assert Path(path).is_relative_to(place.environment)


def test_their_tests_pass(place: Place, project: Path) -> None:
    assert " passed" in place.run("make", "test", cwd=project)


@pytest.mark.static
def test_their_checks_pass(place: Place, project: Path) -> None:
    said = place.run("make", "check", cwd=project)
    assert "is up to date" in said
    assert "Success: no issues found" in said
    assert "0 errors, 0 warnings" in said


def test_the_example_is_generated_anew_to_the_byte(place: Place, example: Path) -> None:
    files = sorted(p for p in (example / "generated").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    # The seal in the manifest tells what it was made with; another version of a tool may well make the same.
    files = [path for path in files if path.name != "MANIFEST.json"]
    before = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()
    place.run("flyte-codegen", "generate", cwd=example)
    assert {path: path.read_bytes() for path in files} == before


def test_a_change_of_the_definitions_shows(place: Place, scaffolded: Path, tmp_path: Path) -> None:
    """In a project of its own name, deep in folders that are made first."""
    (tmp_path / "a").mkdir()
    place.run("flyte-codegen", "new", "a/zoo", cwd=tmp_path)
    proto = tmp_path / "a/zoo/protos/zoo/v1/notes.proto"
    text = proto.read_text("utf-8")
    proto.write_text(text.replace("string body = 2;", "string body = 2;\n  bool pinned = 9;"), encoding="utf-8")
    said = place.run("flyte-codegen", "check", cwd=proto.parents[3], succeeds=False)
    assert "zoo_api/messages/zoo/v1/notes.py: stale" in said
    assert "run flyte-codegen generate" in said
    place.run("flyte-codegen", "generate", cwd=proto.parents[3])
    assert "pinned: bool" in (tmp_path / "a/zoo/generated/zoo_api/messages/zoo/v1/notes.py").read_text("utf-8")
    assert "pinned" not in (scaffolded / "generated/my_sdk_api/messages/my_sdk/v1/notes.py").read_text("utf-8")


def test_a_published_package_has_the_client_in_it(place: Place, example: Path) -> None:
    """As their ci.sh builds it, and with nothing of the generator's: users need none of it."""
    place.run(place.python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", ".", cwd=example)
    (wheel,) = (example / "dist").iterdir()
    names = place.run(place.python, "-m", "zipfile", "--list", wheel).split()
    assert {
        "library_sdk_api/exports.py",
        "library_sdk/_book.py",
        "library_sdk/py.typed",
        "library_sdk_api/py.typed",
    } <= {*names}
    assert not [name for name in names if name.startswith(("flyte", "tests", "protos", "templates"))]


def test_the_example_is_what_the_command_writes(place: Place, tmp_path: Path) -> None:
    """Where a project needs nothing of its own, the example has nothing of its own."""
    place.run("flyte-codegen", "new", "library-sdk", cwd=tmp_path)
    for name in ("Makefile", "ci.sh", ".gitignore", "pyproject.toml"):
        written = (tmp_path / "library-sdk" / name).read_text("utf-8")
        assert (EXAMPLE / name).read_text("utf-8") == written
    assert (EXAMPLE / "ci.sh").stat().st_mode & 0o100


def test_nothing_is_written_into_the_repository() -> None:
    assert not [path for path in (EXAMPLE / "dist", EXAMPLE / ".venv", REPO / "dist") if path.exists()]
