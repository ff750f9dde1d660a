"""Data frames and arrays where their libraries are not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from flyte.io import DataFrame
from flyte.types import File, guess_type, literal_type_of, literals_to_python, to_literal
from flyte.types.frames.declared import takes_frames
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import BlobType, LiteralType, UnionType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

# Of the full names by which the classes are recognized.
PANDAS = type("DataFrame", (), {"__module__": "pandas", "index": None, "columns": ()})
POLARS = type("DataFrame", (), {"__module__": "polars.dataframe.frame"})
TABLE = type("Table", (), {"__module__": "pyarrow.lib"})
ARRAY = type("ndarray", (), {"__module__": "numpy", "dtype": type("dtype", (), {"hasobject": False})()})


@pytest.fixture(autouse=True)
def without_libraries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("numpy", "pandas", "polars", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("FLYTE_ACTION_NAME", "a0")
    monkeypatch.setenv("FLYTE_RAW_DATA_PREFIX", str(tmp_path))


def _unreadable(literal: Literal, hint: Any) -> str:
    return literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint}).unsupported["x"]


@pytest.mark.parametrize(
    ("kind", "tag", "extra"),
    [
        (PANDAS, "pandas.DataFrame", "pandas"),
        (POLARS, "polars.dataframe.frame.DataFrame", "polars"),
        (TABLE, "pyarrow.lib.Table", "pandas"),
    ],
)
def test_the_error_names_what_to_install(kind: Any, tag: str, extra: str, tmp_path: Path) -> None:
    literal_type = literal_type_of(kind)
    assert literal_type.structure is not None and literal_type.structure.tag == tag
    assert guess_type(literal_type) is DataFrame
    advice = rf"install it with pip install 'flyte-remote\[{extra}\]'"
    if kind is not POLARS:  # polars writes by a method of the frame
        with pytest.raises(ValueError, match="x: .*" + advice) as caught:
            to_literal(kind(), literal_type, name="x")
        assert isinstance(caught.value.__cause__, ImportError)
    (tmp_path / "frame").write_bytes(b"")
    stored = DataFrame(str(tmp_path / "frame"))
    with pytest.raises(ValueError, match=advice):
        stored.open(kind).all()
    assert f"flyte-remote[{extra}]" in _unreadable(to_literal(stored, literal_type, name="x"), kind)


def test_the_error_of_arrays_names_what_to_install() -> None:
    literal_type = literal_type_of(ARRAY)
    assert guess_type(literal_type) is File
    with pytest.raises(ValueError, match=r"x: .*flyte-remote\[numpy\]"):
        to_literal(ARRAY(), literal_type, name="x")
    literal = to_literal(File("file:///a.npy", "npy"), literal_type, name="x")
    assert "flyte-remote[numpy]" in _unreadable(literal, ARRAY)


def test_references_need_no_library() -> None:
    literal = to_literal(DataFrame("s3://bucket/frame", "parquet"), literal_type_of(PANDAS), name="x")
    found = literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": DataFrame}).values["x"]
    assert found == DataFrame("s3://bucket/frame", "parquet")


def test_declared_types_that_are_uploaded_when_they_are_encoded() -> None:
    array, frame = LiteralType(blob=BlobType(format="npy")), literal_type_of(DataFrame)
    for declared in (array, frame, LiteralType(collection_type=array), LiteralType(map_value_type=frame)):
        assert takes_frames(declared)
        assert takes_frames(LiteralType(union_type=UnionType(variants=[literal_type_of(int), declared])))
    for annotation in (int, list[str], dict[str, File], File | None):
        assert not takes_frames(literal_type_of(annotation))
    assert not takes_frames(None)
