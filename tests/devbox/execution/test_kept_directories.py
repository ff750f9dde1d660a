"""Working directories of attempts: removed, unless the outputs name a file in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte.devbox.executor.scratch import release, remove_old


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    directory = tmp_path / "scratch" / "abc"
    directory.mkdir(parents=True)
    (directory / "file.txt").write_text("content")
    return directory


async def test_a_directory_that_nothing_names_is_removed(scratch: Path, tmp_path: Path) -> None:
    await release(scratch, tmp_path / "none.pb")
    assert not scratch.exists()
    await release(scratch, tmp_path / "none.pb")  # again


@pytest.mark.parametrize(("text", "stays"), [("{}/file.txt", True), ("{}", True), ("/elsewhere", False)])
async def test_a_directory_that_outputs_name_stays(scratch: Path, tmp_path: Path, text: str, stays: bool) -> None:
    outputs = tmp_path / "outputs.pb"
    outputs.write_bytes(b"\x0a" + text.format(scratch).encode() + b"\x12")
    await release(scratch, outputs)
    assert (scratch / "file.txt").exists() is stays
    left = scratch.parent / "left"
    left.mkdir()
    remove_old(scratch.parent)
    assert (scratch / "file.txt").exists() is stays
    assert not left.exists()
    remove_old(tmp_path / "missing")
