"""Mistakes of programs, each answered with what to write, and arguments under the names of the official SDK."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import FlyteWarning
from flyte.remote import Action, App, Project, Run, Secret, Task, TaskDetails, Trigger, upload_dir, upload_file
from flyte.types import Dir, File
from flyte.types.functions.interface import interface_of


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Run(), r"^Run\(\.\.\.\) wraps a message .*, not nothing; write Run\.get\(\.\.\.\) or Run\.listall"),
        (lambda: Run("r1"), r"wraps a message that the server has sent, not str \('r1'\); write Run\.get"),
        (lambda: Project(), r"write Project\.get\(\.\.\.\) or Project\.create"),
        (lambda: Run.wait("r1"), r"^Run\.wait\(\) is a method of one Run, so call it on one: run\.wait\(\.\.\.\)"),
        (lambda: Run.abort(), r"^Run\.abort\(\) is a method of one Run"),
        (lambda: Run.get(), r"^Run\.get\(\) missing"),
        (lambda: Run.listall(limti=3), r"^Run\.listall\(\) has no argument 'limti'; did you mean 'limit'\?"),
        (lambda: App.get(), r"^App\.get\(\) missing a required argument: 'name'"),
        (lambda: Action.listall(), r"^Action\.listall\(\) missing a required argument: 'for_run_name'"),
        (lambda: Project.get(), "missing argument: id"),
        (lambda: Project.get("a", name="b"), "pass id= or name=, not both"),
        (lambda: flyte.init("h", "p", "d"), r"^flyte\.init\(\) takes 1 argument by position, and 3 .* such as org=\.\.\., project="),
        (lambda: flyte.init("h", projcet="p"), "projcet"),
        (lambda: upload_file(), "missing argument: path"),
        (lambda: upload_file("a", fp="b"), "pass path= or fp=, not both"),
    ],
)  # fmt: skip
def test_calls(call: Callable[[], object], message: str, box: Devbox) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_inputs_and_outputs_by_name(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=6, y=7)
    run.wait(quiet=True)
    outputs, inputs = run.outputs(), run.inputs()
    assert outputs["o0"] == outputs[0] == outputs.o0 == 42
    assert outputs[:] == (42,) and dict(outputs.named) == {"o0": 42}
    assert 42 in outputs and "o0" not in outputs and "o0" in outputs.named
    assert inputs["x"] == 6 and inputs.get("z") is None and "z" not in inputs
    with pytest.raises(KeyError, match="no output is named 'oo'; did you mean 'o0'"):
        outputs["oo"]
    with pytest.raises(KeyError, match="no input is named 'xx'; did you mean 'x'"):
        inputs["xx"]
    with pytest.raises(KeyError, match="no input is named 'epoch'; the inputs are x, y"):
        inputs["epoch"]
    with pytest.raises(AttributeError, match="no output is named 'accuracy'; the outputs are o0"):
        _ = outputs.accuracy


@pytest.mark.parametrize("value", [flyte.TriggerTime, flyte.TriggeredArtifact, flyte.TriggeredPartition("day")])
def test_bindings_of_triggers_are_no_values(value: Any, multiply: TaskDetails) -> None:
    def report(when: datetime = value) -> None:
        """Report."""

    advice = "it belongs in the inputs of a trigger, as in flyte.Trigger"
    with pytest.raises(TypeError, match=f"default of when: expected datetime, got .*Trigger.*{advice}"):
        interface_of(report)
    with pytest.raises(TypeError, match=f"x: expected int, got .*Trigger.*{advice}"):
        flyte.run(multiply, x=value)


def test_names_of_the_official_sdk(project: str, tmp_path: Path) -> None:
    assert Project.get(name=project) == Project.get(id=project) == Project.get(project)
    (tmp_path / "a.txt").write_text("a")
    file, folder = tmp_path / "a.txt", tmp_path
    assert upload_file(fp=file, verify=True) == upload_file(file, True) == upload_file(file)
    assert upload_dir(dir_path=folder, verify=True) == upload_dir(folder, True) == upload_dir(folder)
    with pytest.warns(FlyteWarning, match=r"verify=False has no effect; pass flyte\.Network\(verify=False\)"):
        upload_file(file, verify=False)
    assert (File("s3://a/b").path, Dir("s3://a").path) == ("s3://a/b", "s3://a")


def test_positions_of_the_official_sdk(box: Devbox, multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=1)
    run.wait(quiet=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run in Run.listall(("succeeded",), multiply.name, multiply.version, None, "-created_at", 5).collect()
        assert [a.name for a in Action.listall(run.name, ("succeeded",), None, "created_at")] == ["a0"]
        assert [t.name for t in Task.listall(multiply.name, None, "flytesnacks", "development", "-created_at", 1)]
        assert [p.id for p in Project.listall("eq(identifier, flytesnacks)", "name", False)] == ["flytesnacks"]
        assert (
            Secret.listall(3)._limit == Trigger.listall(None, None, 3)._limit == App.listall(None, None, 3)._limit == 3
        )
