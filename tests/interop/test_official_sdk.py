"""Programs of the official SDK against the devbox, unchanged: they manage runs, and their own tasks are deployed and executed.

The official SDK sends no credentials over plain HTTP, so the devbox trusts its user. Its entry point, `a0`, is a program of its
environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import other_sdk

if not other_sdk.INTERPRETER:
    pytest.skip("there is no other SDK to run; make .reference/ready", allow_module_level=True)

import flyte.devbox
from flyte.devbox.local_user import can_tell
from flyte.remote import Action, Run

if not can_tell():
    pytest.skip("this system does not tell the users of connections", allow_module_level=True)

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flyte.devbox.Devbox]:
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "theirs.py").write_text("def add(a: int, b: int = 2) -> int:\n    print('adding')\n    return a + b\n")
    with pytest.MonkeyPatch.context() as patch:
        entry_points = Path(other_sdk.INTERPRETER).parent
        patch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{entry_points}")
        patch.syspath_prepend(str(folder))
        import theirs  # type: ignore[import-not-found]  # made above

        with flyte.devbox.start(memory=True, trust_user=True, parallel=8) as box:
            box.connect()
            flyte.devbox.deploy(theirs.add)
            yield box


@pytest.fixture(scope="module")
def said(box: flyte.devbox.Devbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    project = tmp_path_factory.mktemp("official") / "project"
    shutil.copytree(HERE / "official", project)
    done = subprocess.run(
        [other_sdk.INTERPRETER, str(project / "program.py"), box.endpoint],
        capture_output=True,
        text=True,
        timeout=240,
        env=other_sdk.environment(),
        cwd=project,
    )
    lines = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]
    found: dict[str, Any] = {name: value for line in lines for name, value in line.items()}
    assert done.returncode == 0, f"{found}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return {**found, "stdout": done.stdout}


def test_a_task_of_the_devbox_is_run_and_read(said: dict[str, Any]) -> None:
    assert "flytesnacks" in said["projects"]
    assert said["plain"] == ["succeeded", 4]
    assert said["runs"] == [True]
    assert said["actions"] == [["a0", "succeeded"]]
    assert "adding" in said["stdout"]


def test_an_authored_task_runs_with_children_files_traces_and_a_report(
    said: dict[str, Any], box: flyte.devbox.Devbox
) -> None:
    name, phase, output = said["whole"]
    assert (phase, output) == ("succeeded", "7 a,wide content 42")
    with box.connect() as client:
        actions = list(Action.listall(for_run_name=name, client=client))
        assert sorted(str(action.task_name) for action in actions if action.task_name) == [
            "authored.read", "authored.whole", "authored.widen", "authored.written",
        ]  # fmt: skip
        assert all(action.phase == "succeeded" for action in actions)
        widened = next(action for action in actions if action.task_name == "authored.widen")
        assert widened.outputs()[0].width == 7
        assert "widening 6" in "".join(widened.get_logs())
        assert "a report" in Run.get(name, client=client).get_report()


def test_a_failure_keeps_its_error_and_is_retried(said: dict[str, Any], box: flyte.devbox.Devbox) -> None:
    name, phase = said["failing"]
    assert phase == "failed"
    with box.connect() as client:
        details = Run.get(name, client=client).action.details()
        assert details.attempts == 2
        assert details.error_info is not None
        assert details.error_info.message == "as it should"


def test_an_environment_is_deployed(said: dict[str, Any]) -> None:
    assert said["deployed"] == ["succeeded", 2]
    assert {"authored.widen", "authored.whole", "theirs.add"} <= set(said["tasks"])


def test_runs_are_aborted_and_files_uploaded(said: dict[str, Any]) -> None:
    assert said["aborted"] == "aborted"
    md5, uri = said["uploaded"]
    assert md5 and Path(uri.removeprefix("file://")).read_text() == "uploaded"


def test_secrets_settings_and_triggers(said: dict[str, Any]) -> None:
    assert (said["secrets"], said["secrets left"]) == (["their-key"], [])
    assert said["told"] == ["succeeded", "THEIR VALUE"]
    assert said["settings"] == ["theirs"]
    assert (said["triggers"], said["triggers left"]) == ([["nightly", True]], [])
