"""Data frames and arrays exchanged with the `flyte` distribution, through files on disk."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flyte.io import DataFrame
from flyte.types import File, from_literal, literal_type_of, literals_to_python, to_literal
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

sys.path.insert(0, str(Path(__file__).parent))
import other_sdk

if not other_sdk.INTERPRETER:
    pytest.skip("there is no other SDK to exchange values with; make .reference/ready", allow_module_level=True)
for name in ("numpy", "pandas", "pyarrow"):
    pytest.importorskip(name, reason=f"{name} is missing; install flyte-remote[numpy,pandas]")
if subprocess.run([other_sdk.INTERPRETER, "-Ic", "import numpy, pandas, pyarrow"], capture_output=True).returncode:
    pytest.skip("the other SDK's environment lacks numpy, pandas or pyarrow; install them", allow_module_level=True)

shapes = pytest.importorskip("frame_shapes")

WRAPPED = {"wrapped": (DataFrame, DataFrame.from_df(shapes.FRAME))}


@dataclass
class Holding:
    name: str
    frame: DataFrame


HELD = {"held": (Holding, Holding("x", DataFrame.from_df(shapes.FRAME)))}
ARRAY = {"array": (shapes.np.ndarray, shapes.ARRAY)}
ALL: dict[str, tuple[Any, Any]] = shapes.FRAMES | WRAPPED | HELD


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Literal, LiteralType]]:
    """What the other SDK writes, by name of the shape."""
    names = [*ALL, *ARRAY]
    requests = [{"do": "write", "name": name} for name in names]
    replies = other_sdk.ask("frame_peer.py", requests, tmp_path_factory.mktemp("theirs"))
    found: dict[str, tuple[Literal, LiteralType]] = {}
    for name, reply in zip(names, replies, strict=True):
        assert "error" not in reply, (name, reply)
        kinds = (("literal", Literal), ("type", LiteralType))
        literal, literal_type = (kind.parse(base64.b64decode(reply[key])) for key, kind in kinds)
        found[name] = (literal, literal_type)
    return found


@pytest.fixture(scope="module")
def read_by_them(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the other SDK says about what we write."""
    directory = tmp_path_factory.mktemp("ours")
    requests: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYTE_ACTION_NAME", "a0")
        patch.setenv("FLYTE_RAW_DATA_PREFIX", str(directory))
        for name, (kind, value) in (ALL | ARRAY).items():
            literal_type = literal_type_of(kind)
            literal = to_literal(value, literal_type, name=name)
            messages = {"type": literal_type, "literal": literal}
            encoded = {key: base64.b64encode(bytes(each)).decode() for key, each in messages.items()}
            requests.append({"do": "read", "name": name, **encoded})
    return dict(zip(ALL | ARRAY, other_sdk.ask("frame_peer.py", requests, directory), strict=True))


def _read(literal: Literal, hint: Any, **options: bool) -> Any:
    found = literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint}, **options)
    assert found.unsupported == {}
    return found.values["x"]


@pytest.mark.parametrize("name", ALL)
def test_they_read_what_we_write(name: str, read_by_them: dict[str, dict[str, Any]]) -> None:
    assert read_by_them[name].get("same") is True, read_by_them[name]


@pytest.mark.parametrize("name", ALL)
def test_we_read_what_they_write(name: str, theirs: dict[str, tuple[Literal, LiteralType]]) -> None:
    kind, value = ALL[name]
    read = _read(theirs[name][0], kind)
    if name == "wrapped":
        read, value = read.open(shapes.pd.DataFrame).all(), shapes.FRAME
    if name == "held":
        assert read.name == "x"
        read, value = read.frame.open(shapes.pd.DataFrame).all(), shapes.FRAME
    assert shapes.same(read, value), read


@pytest.mark.parametrize("name", [name for name in ALL if name not in HELD])
def test_types_are_equal(name: str, theirs: dict[str, tuple[Literal, LiteralType]]) -> None:
    assert literal_type_of(ALL[name][0]) == theirs[name][1]


def test_polars_reads_what_they_write(theirs: dict[str, tuple[Literal, LiteralType]]) -> None:
    pl = pytest.importorskip("polars", reason="polars is missing; install flyte-remote[polars]")
    assert _read(theirs["pandas"][0], pl.DataFrame)["n"].to_list() == [1, 2, 3]


def test_without_a_class_their_frames_are_references(theirs: dict[str, tuple[Literal, LiteralType]]) -> None:
    found = from_literal(*theirs["pandas with columns"])
    assert isinstance(found, DataFrame) and found.columns == shapes.COLUMNS and found.format == "parquet"


def test_they_read_our_arrays_as_files(read_by_them: dict[str, dict[str, Any]]) -> None:
    assert read_by_them["array"] == {"same": True, "guessed": "File", "format": "npy"}


def test_their_arrays_are_pickles(theirs: dict[str, tuple[Literal, LiteralType]]) -> None:
    literal, literal_type = theirs["array"]
    assert from_literal(literal, literal_type) is literal
    assert shapes.same(_read(literal, shapes.np.ndarray, allow_pickle=True), shapes.ARRAY)


def test_a_file_of_theirs_is_an_array_here(tmp_path: Path) -> None:
    shapes.np.save(tmp_path / "a.npy", shapes.ARRAY)
    literal = to_literal(File(str(tmp_path / "a.npy")), literal_type_of(File), name="x")
    assert shapes.same(_read(literal, shapes.np.ndarray), shapes.ARRAY)
