"""`flyte-codegen new` reports why it can't create a project, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte_codegen.cli import main


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says, having made nothing."""
    before = sorted(folder.parent.rglob("*")) if folder.parent.is_dir() else []
    assert main(["new", str(folder)]) == 1
    assert (sorted(folder.parent.rglob("*")) if folder.parent.is_dir() else []) == before
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        ("My SDK", "'My SDK' is not a valid project name", "for example my-sdk"),
        ("my_sdk", "'my_sdk' is not a valid project name", "for example my-sdk"),
        ("-x", "'-x' is not a valid project name", "for example x"),
        ("2-fast", "is not a valid project name", "for example fast"),
        ("größe", "is not a valid project name", "for example gr-e"),
        ("...", "is not a valid project name", "for example my-sdk"),
        ("class", "its package name, class, is a Python keyword or standard module", "class-sdk"),
        ("json", "its package name, json, is a Python keyword or standard module", "json-sdk"),
        ("flyte", "a package named flyte is already installed here", "flyte-sdk"),
        ("flyte-api", "a package named flyte_api is already installed here", "flyte-api-sdk"),
        ("pytest", "a package named pytest is already installed here", "pytest-sdk"),
    ],
)
def test_names(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str, remedy: str) -> None:
    said = refused(tmp_path / name, capsys)
    assert message in said
    assert remedy in said


def test_a_folder_that_holds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my-sdk").mkdir()
    (tmp_path / "my-sdk/notes.txt").write_text("mine")
    said = refused(tmp_path / "my-sdk", capsys)
    assert "my-sdk: error: the folder is not empty" in said
    assert (tmp_path / "my-sdk/notes.txt").read_text() == "mine"


def test_a_file_and_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my-sdk").write_text("mine")
    assert "my-sdk: error: is a file" in refused(tmp_path / "my-sdk", capsys)
    assert "nowhere: error: the folder does not exist" in refused(tmp_path / "nowhere/my-sdk", capsys)


def test_a_place_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "can't be written: File name too long" in refused(tmp_path / ("a" * 300), capsys)


def test_a_run_that_fails_halfway_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The formatter is the last to look at the project."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert "error" in refused(tmp_path / "my-sdk", capsys)


def test_an_empty_folder_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my-sdk").mkdir()
    assert main(["new", str(tmp_path / "my-sdk")]) == 0
    assert "make test" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["my-sdk"]
    assert (tmp_path / "my-sdk/generated/my_sdk_api/exports.py").is_file()
