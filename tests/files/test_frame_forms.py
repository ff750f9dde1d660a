"""Data frames as CSV, and as fields of data classes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.io import DataFrame
from flyte.types import from_literal, guess_type, literal_type_of, literals_to_python, to_literal
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

pd = pytest.importorskip("pandas", reason="pandas is missing; install flyte-remote[pandas]")
pa = pytest.importorskip("pyarrow", reason="pyarrow is missing; install flyte-remote[pandas]")

frame_tasks = pytest.importorskip("files.frame_tasks")

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x,y", 'say "z"']})


@pytest.fixture
def task_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLYTE_ACTION_NAME", "a0")
    monkeypatch.setenv("FLYTE_RAW_DATA_PREFIX", tmp_path.as_uri())
    return tmp_path


def read(literal: Literal, hint: Any) -> Any:
    return literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint}).values["x"]


def stored(value: Any, hint: Any) -> Literal:
    return to_literal(value, literal_type_of(hint), name="x")


def test_frames_are_stored_as_csv(task_directory: Path) -> None:
    literal = stored(FRAME, Annotated[pd.DataFrame, "csv"])
    (path,) = task_directory.rglob("data.csv")
    assert path.read_text() == 'a,b\n1,"x,y"\n2,"say ""z"""\n'
    found = from_literal(literal)
    assert (found.uri, found.format) == (path.as_uri(), "csv")
    for hint in (pd.DataFrame, Annotated[pd.DataFrame, "csv"]):
        pd.testing.assert_frame_equal(read(literal, hint), FRAME)
    assert [*read(literal, Annotated[pd.DataFrame, {"b": str}]).columns] == ["b"]
    # Other SDKs refer to the directory, and sometimes leave out the format of a file.
    for uri, format in ((str(path.parent), "csv"), (path.as_uri(), "")):
        pd.testing.assert_frame_equal(DataFrame(uri, format).open(pd.DataFrame).all(), FRAME)
    with pytest.raises(ValueError, match="the data frame has no column 'z'; it has a, b"):
        found.open(pd.DataFrame, ["z"]).all()
    with pytest.raises(FileNotFoundError, match=r"data\.csv does not exist"):
        DataFrame(str(path.parents[1]), "csv").open(pd.DataFrame).all()


def test_an_index_with_a_name_is_a_column_of_the_csv(task_directory: Path) -> None:
    frame = FRAME.set_index("a")
    pd.testing.assert_frame_equal(read(stored(frame, Annotated[pd.DataFrame, "csv"]), pd.DataFrame), FRAME)


def test_tables_and_polars_frames_as_csv(task_directory: Path) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    literal = stored(table, Annotated[pa.Table, "csv"])
    assert read(literal, pa.Table) == table
    assert read(literal, Annotated[pa.Table, {"a": int}]).column_names == ["a"]
    with pytest.raises(ValueError, match="the data frame cannot be stored as CSV"):
        stored(pa.table({"a": [[1]]}), Annotated[pa.Table, "csv"])
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    literal = stored(frame, Annotated[pl.DataFrame, "csv"])
    assert read(literal, pl.DataFrame).equals(frame)
    assert read(literal, Annotated[pl.DataFrame, {"a": int}]).equals(frame.select("a"))
    assert read(literal, pa.Table) == table


async def test_formats_of_stored_frames(task_directory: Path) -> None:
    found = await DataFrame.from_local.aio(FRAME, format="csv")
    assert found.format == "csv" and found.uri.endswith("/data.csv") and found.hash
    with pytest.raises(ValueError, match="frames are stored as parquet or csv, not as 'orc'"):
        await DataFrame.from_local.aio(FRAME, format="orc")


async def test_frames_are_read_in_parts(task_directory: Path) -> None:
    rows = (1 << 16) + 5
    frame = pd.DataFrame({"a": range(rows), "b": ["x"] * rows})
    for format in ("parquet", "csv"):
        found = await DataFrame.from_local.aio(frame, format=format)
        parts = [part async for part in await found.open(pd.DataFrame, ["a"]).iter()]
        assert [len(part) for part in parts] == [1 << 16, 5] and [*parts[1].columns] == ["a"]
        assert [part.iloc[-1]["a"] for part in parts] == [(1 << 16) - 1, rows - 1]
        tables = [part async for part in await found.open(pa.Table).iter()]
        assert pa.concat_tables(tables).num_rows == rows
        early = await found.open(pd.DataFrame).iter()
        assert (await anext(early)).iloc[0]["a"] == 0
        await early.aclose()
    (part,) = [part async for part in await DataFrame.from_df(FRAME).open(pd.DataFrame).iter()]
    assert part is FRAME
    with pytest.raises(ValueError, match="choose a class first"):
        await found.iter()
    with pytest.raises(ValueError, match="the data frame has no column 'z'"):
        await anext(await found.open(pd.DataFrame, ["z"]).iter())
    with pytest.raises(FileNotFoundError, match="does not exist"):
        await anext(await DataFrame(str(task_directory / "nothing")).open(pd.DataFrame).iter())


# --- fields of data classes -------------------------------------------------------------------------------------------


@dataclass
class Report:
    table: DataFrame
    frame: pd.DataFrame
    more: list[DataFrame] = field(default_factory=list)
    rest: DataFrame | None = None


@dataclass
class Referring:
    """What the definition of the task becomes without the class."""

    table: DataFrame
    frame: DataFrame
    more: list[DataFrame]
    rest: DataFrame | None


def test_frames_are_fields(task_directory: Path) -> None:
    report = Report(DataFrame.from_df(FRAME), FRAME.iloc[:1], [DataFrame("s3://b/x", "csv", hash="h")], None)
    literal = stored(report, Report)
    found = read(literal, Report)
    assert found.table.format == "parquet" and found.table.val is None and found.table.hash
    pd.testing.assert_frame_equal(found.table.open(pd.DataFrame).all(), FRAME)
    pd.testing.assert_frame_equal(found.frame, FRAME.iloc[:1])
    assert found.more == [DataFrame("s3://b/x", "csv", hash="h")] and found.rest is None
    referring = read(literal, Referring)
    assert referring.frame.uri.endswith("/data.parquet") and referring.rest is None
    assert stored(referring, Report) == literal, "references are passed on as they are"
    guessed = from_literal(literal, literal_type_of(Report))
    assert guessed.table == found.table and guessed.frame == referring.frame


def test_the_definition_is_that_of_the_official_sdk() -> None:
    kind: LiteralType = literal_type_of(Report)
    assert kind.metadata is not None
    schema = json.loads(kind.metadata.to_json())
    assert schema["properties"]["table"]["title"] == "DataFrame"
    assert set(schema["properties"]["table"]["properties"]) == {"uri", "format", "hash"}
    assert guess_type(kind).__dataclass_fields__["frame"].type is DataFrame


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (Report(3, FRAME), r"x\.table: expected .*got int"),  # type: ignore[arg-type]
        (Report(DataFrame(), FRAME), r"x\.table: the DataFrame has no URI"),
        (
            Report(DataFrame("s3://b/x"), pd.DataFrame({"a": [1, object()]})),
            r"x\.frame: the data frame cannot be stored",
        ),
    ],
)
def test_fields_that_are_no_frames(report: Report, message: str, task_directory: Path) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        stored(report, Report)


def test_a_field_that_cannot_be_read_says_where(task_directory: Path) -> None:
    literal = stored(Report(DataFrame("s3://b/x"), DataFrame("s3://b/y")), Report)
    with pytest.raises((TypeError, ValueError), match=r"x\.frame: 's3://b/y': s3 is not a supported scheme"):
        read(literal, Report)


def test_a_frame_in_a_data_class_is_an_input_and_an_output(flyte_devbox: Devbox) -> None:
    task = flyte.devbox.deploy(frame_tasks.summed)
    run = flyte.run(task, batch=frame_tasks.Batch("n", DataFrame.from_df(FRAME)))
    run.wait(quiet=True, timeout=120)
    (result,) = run.outputs(as_types={"o0": frame_tasks.Batch})
    assert result.name == "n: 3" and [*result.table.open(pd.DataFrame).all()["a"]] == [2, 3]
