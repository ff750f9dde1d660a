"""Values of every kind through a real run: what a task gets, what comes back, and what stays raw."""

from __future__ import annotations

import datetime as dt
import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.remote import ActionDetails, Run
from flyte.remote.runs.values.inputs_outputs import ActionOutputs
from flyte.types import Dir, File, literal_type_of, to_literal
from flyte_api.messages.flyteidl2.core.literals import Binary, Literal, Scalar
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from remote import values

MOMENT = dt.datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=45)))
GIVEN: dict[str, Any] = {
    "number": -(2**63),
    "ratio": 0.1,
    "text": "é\U0001f600",
    "flag": True,
    "nothing": None,
    "moment": MOMENT,
    "day": dt.date(2026, 2, 3),
    "span": dt.timedelta(days=-3, microseconds=1),
    "raw": bytes(range(256)),
    "words": ["a", ""],
    "table": {"a": [1.5], "b": []},
    "json": {"a": 1, "b": [2.5, None, {"x": True}]},
    "color": values.Color.GREEN,
    "maybe": None,
    "either": "s",
    "pair": (1, "a"),
    "many": (1, 2, 3),
    "distinct": {3, 1},
    "point": values.Point(1, "p"),
    "box": values.Box(values.Point(2), [b"\xff"]),
    "options": {"rate": 1.5, "name": "n"},
    "named": values.Split(3, 0.5),
}


def done(run: Run) -> Run:
    run.wait(quiet=True, timeout=60)
    run.raise_for_status()
    return run


def test_a_task_gets_every_kind_of_value_and_gives_it_back(box: Devbox) -> None:
    run = done(flyte.run(flyte.devbox.deploy(values.echo), **GIVEN))
    given, echoed = run.inputs(), run.outputs()
    assert given.unsupported == {} and echoed.unsupported == {}
    # What the task found its arguments to be, in its own words.
    assert echoed.named["o0"] == {name: repr(GIVEN[name]) for name in GIVEN} | {
        "moment": repr(MOMENT.astimezone(dt.UTC))
    }
    own = {"point": values.Point, "box": values.Box[bytes], "named": values.Split, "color": values.Color}
    assert dict(run.inputs(as_types=own)) == GIVEN
    assert list(given.literals) == list(given.named)
    assert {type(literal) for literal in given.literals.values()} == {Literal}
    assert given.literals["number"].scalar.primitive.integer == -(2**63)  # type: ignore[union-attr]


def test_outputs_have_names_order_and_literals(box: Devbox) -> None:
    outputs = done(flyte.run(flyte.devbox.deploy(values.twelve))).outputs()
    assert outputs == tuple(range(12))
    assert outputs.named == outputs.named_outputs == {f"o{n}": n for n in range(12)}
    assert list(outputs.literals) == [f"o{n}" for n in range(12)]
    again: ActionOutputs = pickle.loads(pickle.dumps(outputs))
    assert again == outputs and again.named == outputs.named and again.literals == outputs.literals


def test_named_outputs_keep_their_names(box: Devbox) -> None:
    run = done(flyte.run(flyte.devbox.deploy(values.split), x=7))
    assert (run.outputs().named, run.outputs().whole) == ({"whole": 7, "rest": 0.5}, 7)
    assert run.action.outputs().named == ActionDetails.get(run.name, "a0").outputs().named
    point = done(flyte.run(flyte.devbox.deploy(values.shift), point={"x": 1})).outputs(as_types={"o0": values.Point})
    assert point == (values.Point(2),)


def test_a_pickle_stays_raw_and_hides_nothing_unless_it_is_asked_for(box: Devbox) -> None:
    run = done(flyte.run(flyte.devbox.deploy(values.pass_on), left=1, right=2))
    task = flyte.devbox.deploy(values.pass_on)
    pickled = Literal(scalar=Scalar(binary=Binary(value=pickle.dumps({1, 2}))))
    # A literal is passed on as it is: so a value of another SDK gets into a run.
    run = flyte.run(task, left=pickled, right=2)
    run.wait(quiet=True, timeout=60)
    inputs = run.inputs()
    assert inputs.named == {"left": pickled, "right": 2}
    assert inputs.literals["left"] == pickled
    assert list(inputs.unsupported) == ["left"] and "allow_pickle" in inputs.unsupported["left"]
    assert run.inputs(allow_pickle=True)["left"] == {1, 2}
    assert run.action.inputs(allow_pickle=True).unsupported == {}
    details = ActionDetails.get(run.name, "a0")
    assert details.inputs(allow_pickle=True).named == {"left": {1, 2}, "right": 2}


def test_a_file_goes_up_through_a_task_and_down_again(box: Devbox, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("one two\n")
    file = File.from_local(path, format="txt")
    assert (file.name, file.format, file.hash) == ("words.txt", "txt", hashlib.md5(b"one two\n").hexdigest())
    assert File.from_local(path, format="txt") == file
    run = done(flyte.run(flyte.devbox.deploy(values.upper), file=file))
    result = run.outputs()[0]
    assert isinstance(result, File)
    assert result.download(tmp_path / "result.txt").read_text() == "ONE TWO\n"


async def test_a_directory_goes_up_through_a_task_and_down_again(box: Devbox, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"part-{number}").write_text("x" * number)
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "sub" / "deeper" / "a file, 100% ü.txt").write_text("x")
    directory = await Dir.from_local.aio(tmp_path)
    assert await Dir.from_local.aio(tmp_path) == directory
    run = await flyte.run.aio(await flyte.devbox.deploy.aio(values.sizes), directory=directory)
    await run.wait.aio(quiet=True, timeout=60)
    sizes, returned = await run.outputs.aio()
    assert sizes == {f"part-{number}": number for number in range(20)} | {"a file, 100% ü.txt": 1}
    copy = returned.download(tmp_path / "copy")
    assert {path.name for path in copy.rglob("*") if path.is_file()} == set(sizes)
    assert (copy / "sub" / "deeper" / "a file, 100% ü.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("task", "name", "maker"), [(values.upper, "file", "File"), (values.sizes, "directory", "Dir")]
)
def test_a_path_is_no_file(box: Devbox, task: Any, name: str, maker: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=rf"{name}: expected .*, got str; upload .* with {maker}\.from_local\(path\)"):
        flyte.run(flyte.devbox.deploy(task), **{name: str(tmp_path)})


def test_inputs_beyond_the_inline_limit_are_refused_before_they_are_sent(box: Devbox) -> None:
    task = flyte.devbox.deploy(values.length)
    size = 10 * 2**20
    with pytest.raises(ValueError, match=r"have 10,485,... bytes, 10,485,... of them text; the limit is 10,485,760"):
        flyte.run(task, text="x" * size)
    assert done(flyte.run(task, text="x" * (size - 100))).outputs() == (size - 100,)
    assert done(flyte.run(task.override(max_inline_io_bytes=2 * size), text="x" * size)).outputs() == (size,)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (2**63, "number: an int must fit into 64 bits"),
        (-(2**63) - 1, "number: an int must fit into 64 bits"),
        (object(), "number: expected int, got object"),
        ([], "number: expected int, got list"),
    ],
)
def test_a_bad_argument_is_refused_by_its_name(box: Devbox, value: Any, complaint: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{complaint}"):
        flyte.run(flyte.devbox.deploy(values.echo), **{**GIVEN, "number": value})


def test_a_declared_pickle_is_refused_with_a_remedy() -> None:
    with pytest.raises(TypeError, match=r"x: the task expects a pickled object, .*; pass the literal of another run's"):
        to_literal({1}, LiteralType(simple=SimpleType.BINARY), name="x")
    assert to_literal(b"x", literal_type_of(bytes), name="x").scalar is not None
