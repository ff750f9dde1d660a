"""Data frames and arrays: stored as files through signed links, and read by their own libraries."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

import flyte
from files.conftest import Plane
from flyte.devbox import Devbox
from flyte.io import DataFrame
from flyte.types import (
    File,
    TypeEngine,
    TypeTransformer,
    from_literal,
    guess_type,
    literal_type_of,
    literals_to_python,
    to_literal,
)
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_api.registry import registry
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from flyte_rpc.sync import bridge
from support.storage import Storage

np = pytest.importorskip("numpy", reason="NumPy is missing; install flyte-remote[numpy]")
pd = pytest.importorskip("pandas", reason="pandas is missing; install flyte-remote[pandas]")
pa = pytest.importorskip("pyarrow", reason="pyarrow is missing; install flyte-remote[pandas]")

frame_tasks = pytest.importorskip("files.frame_tasks")

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.5], "c": ["x", "", None]})


class WebPlane(Plane):
    """Stores where the same link reads."""

    async def create_upload_location(
        self, request: CreateUploadLocationRequest, call: ServerCall
    ) -> CreateUploadLocationResponse:
        made = await super().create_upload_location(request, call)
        made.native_url = made.signed_url
        return made


@pytest.fixture
def web(storage: Storage) -> Iterator[WebPlane]:
    """The control plane of the current client."""
    plane = WebPlane(storage)
    plane.largest = 10**9
    server = bridge.run(serve([plane]))
    previous = registry.default
    with Client(server.endpoint, project="p", domain="d", timeout=20) as client:
        registry.set_default(client)
        yield plane
        registry.set_default(previous)
    bridge.run(server.close())


@pytest.fixture
def task_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of a task on this machine."""
    monkeypatch.setenv("FLYTE_ACTION_NAME", "a0")
    monkeypatch.setenv("FLYTE_RAW_DATA_PREFIX", tmp_path.as_uri())
    return tmp_path


def _read(literal: Literal, hint: Any) -> Any:
    return literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint}).values["x"]


def _unreadable(literal: Literal, hint: Any) -> str:
    return literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint}).unsupported["x"]


def _stored(value: Any, hint: Any) -> Literal:
    return Literal.parse(bytes(to_literal(value, literal_type_of(hint), name="x")))


FRAMES = {
    "plain": FRAME,
    "empty": FRAME.iloc[:0],
    "without columns": pd.DataFrame(),
    "named index": FRAME.set_index("a"),
    "text index": FRAME.set_index("c"),
    "sliced": FRAME.iloc[1:],
    "two indexes": FRAME.assign(d=1).set_index(["a", "d"]),
    "times": pd.DataFrame({"t": pd.date_range("2024-03-30", periods=4, freq="12h", tz="Europe/Berlin")}),
    "nanoseconds": pd.DataFrame({"t": pd.to_datetime([1, 2], unit="ns")}),
    "categories": pd.DataFrame({"k": pd.Categorical(["x", "y", "x"])}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_pandas_frames_survive_a_round_trip(name: str, task_directory: Path) -> None:
    read = _read(_stored(FRAMES[name], pd.DataFrame), pd.DataFrame)
    pd.testing.assert_frame_equal(read, FRAMES[name])


def test_a_frame_of_several_parts_survives_a_round_trip(task_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyte.types.frames.formats._MOST_ROWS", 2)
    late = FRAME.assign(late=[None, None, "text"], index=[5, 6, 7]).set_index("index")
    pd.testing.assert_frame_equal(_read(_stored(late, pd.DataFrame), pd.DataFrame), late)


def test_tables_survive_a_round_trip_and_become_frames(task_directory: Path) -> None:
    table = pa.table({"a": [1, 2], "nested": [[1], []], "s": [{"x": 1}, None]})
    literal = _stored(table, pa.Table)
    assert _read(literal, pa.Table).equals(table)
    assert [*_read(literal, pd.DataFrame)["a"]] == [1, 2]
    # Any class of frames may be passed to any input of frames, because they are stored alike.
    assert _read(_stored(FRAME, pa.Table), pa.Table)["a"].to_pylist() == [1, 2, 3]


def test_polars_frames_survive_a_round_trip(task_directory: Path) -> None:
    pl = pytest.importorskip("polars", reason="polars is missing; install flyte-remote[polars]")
    frame = pl.DataFrame({"a": [1, None], "l": [["x"], []]})
    literal = _stored(frame, pl.DataFrame)
    assert literal_type_of(pl.DataFrame).structure.tag == "polars.dataframe.frame.DataFrame"  # type: ignore[union-attr]
    assert _read(literal, pl.DataFrame).equals(frame)
    assert _read(literal, Annotated[pl.DataFrame, {"l": list[str]}]).equals(frame.select("l"))
    assert _read(literal, pa.Table)["a"].to_pylist() == [1, None]
    assert from_literal(literal).open(pl.DataFrame, ["a"]).all().equals(frame.select("a"))
    with pytest.raises(ValueError, match="has no column 'z'; it has a, l"):
        from_literal(literal).open(pl.DataFrame, ["z"]).all()


HINTS: list[tuple[Any, Any]] = [
    (list[pd.DataFrame], [FRAME, FRAME.iloc[:1]]),
    (dict[str, pd.DataFrame], {"x": FRAME}),
    (pd.DataFrame | None, FRAME),
    (pd.DataFrame | None, None),
    (int | pd.DataFrame, FRAME),
]


@pytest.mark.parametrize(("hint", "value"), HINTS)
def test_frames_are_nested(hint: Any, value: Any, task_directory: Path) -> None:
    read = _read(_stored(value, hint), hint)
    for one, other in zip(_parts(read), _parts(value), strict=True):
        pd.testing.assert_frame_equal(one, other) if other is not None else None
        assert type(one) is type(other)


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [*value.values()] if isinstance(value, dict) else [value]


def test_without_an_annotation_a_frame_is_a_reference(task_directory: Path) -> None:
    literal = _stored(FRAME, pd.DataFrame)
    found = from_literal(literal, literal_type_of(pd.DataFrame))
    assert isinstance(found, DataFrame) and found.format == "parquet" and found.val is None
    assert guess_type(literal_type_of(pd.DataFrame)) is DataFrame
    pd.testing.assert_frame_equal(found.open(pd.DataFrame).all(), FRAME)
    pd.testing.assert_frame_equal(found.open(pd.DataFrame).all_sync(), FRAME)
    assert [*found.open(pd.DataFrame, columns=["b"]).all().columns] == ["b"]
    assert _read(literal, DataFrame) == found
    # It can be passed on as it is, with its hash.
    assert _stored(found, pd.DataFrame) == literal
    with pytest.raises(ValueError, match="choose a class first"):
        found.all()
    with pytest.raises(ValueError, match="has no column 'z'; it has a, b, c"):
        found.open(pd.DataFrame, ["z"]).all()


def test_the_same_content_has_the_same_hash(task_directory: Path) -> None:
    first, second = _stored(FRAME, pd.DataFrame), _stored(FRAME.copy(), pd.DataFrame)
    assert first.hash and first.hash == second.hash
    assert first.hash != _stored(FRAME.iloc[1:], pd.DataFrame).hash
    assert from_literal(first).hash == first.hash


@dataclass
class Columns:
    a: int
    b: float


def test_columns_are_declared_and_restrict_what_is_read(task_directory: Path) -> None:
    for declared in ({"a": int, "b": float}, Columns):
        hint = Annotated[pd.DataFrame, declared]
        kind = literal_type_of(hint).structured_dataset_type
        assert [(each.name, each.literal_type) for each in kind.columns] == [  # type: ignore[union-attr]
            ("a", literal_type_of(int)),
            ("b", literal_type_of(float)),
        ]
        literal = _stored(FRAME, hint)
        assert [*_read(literal, hint).columns] == ["a", "b"]
        # The columns travel with the value.
        assert [*_read(literal, pd.DataFrame).columns] == ["a", "b"]
        assert from_literal(literal).columns == {"a": int, "b": float}
        assert _read(literal, Annotated[DataFrame, {"a": int}]).columns == {"a": int}
        assert [*_read(_stored(FRAME, pd.DataFrame), hint).columns] == ["a", "b"]
    with pytest.raises(ValueError, match="x: the data frame has no column 'z'; it has a, b, c"):
        _stored(FRAME, Annotated[pd.DataFrame, {"z": int}])
    assert "has no column 'z'" in _unreadable(_stored(FRAME, pd.DataFrame), Annotated[pd.DataFrame, {"z": int}])


def test_columns_have_the_types_of_numpy_and_of_parts() -> None:
    hint = Annotated[DataFrame, {"i": np.int32, "t": np.datetime64, "p": {"x": str}, "l": list[int]}, "parquet"]
    kind = literal_type_of(hint).structured_dataset_type
    assert {each.name: each.literal_type for each in kind.columns} == {  # type: ignore[union-attr]
        "i": literal_type_of(int),
        "t": literal_type_of(dt.datetime),
        "p.x": literal_type_of(str),
        "l": literal_type_of(list[int]),
    }
    assert kind.format == "parquet"  # type: ignore[union-attr]
    schema = pa.schema([("a", pa.int64())])
    arrow = literal_type_of(Annotated[pa.Table, schema]).structured_dataset_type
    assert arrow.external_schema_type == "arrow"  # type: ignore[union-attr]
    for wrong in (bytes, int | str, np.complex128):
        with pytest.raises(TypeError, match="column a: "):
            literal_type_of(Annotated[pd.DataFrame, {"a": wrong}])


def test_columns_with_declared_parts_are_read_as_a_whole(task_directory: Path) -> None:
    table = pa.table({"p": [{"x": 1, "y": 2}], "q": [3]})
    hint = Annotated[pa.Table, {"p": {"x": int, "y": int}}]
    assert _read(_stored(table, hint), hint).to_pylist() == [{"p": {"x": 1, "y": 2}}]
    pl = pytest.importorskip("polars", reason="polars is missing; install flyte-remote[polars]")
    assert _read(_stored(table, hint), pl.DataFrame).to_dicts() == [{"p": {"x": 1, "y": 2}}]


@pytest.mark.parametrize(
    ("value", "hint", "error", "message"),
    [
        (FRAME, int, TypeError, "expected int, got DataFrame"),
        (FRAME, File, TypeError, "expected a file, got DataFrame"),
        (np.zeros(2), File, TypeError, "expected a file, got ndarray"),
        ({"a": [1]}, pd.DataFrame, TypeError, "expected a data frame, got dict; pass a DataFrame of flyte.io"),
        (FRAME["a"], pd.DataFrame, TypeError, "expected a data frame, got Series"),
        ([1.0], np.ndarray, TypeError, r"expected numpy.ndarray, got list"),
        (pd.DataFrame({"a": [1, "x", object()]}), pd.DataFrame, ValueError, "cannot be stored as Parquet: Arrow"),
        (np.array([{}]), np.ndarray, ValueError, "dtype object holds Python objects, which only a pickle can store"),
        (FRAME, Annotated[pd.DataFrame, "orc"], ValueError, "frames are stored as parquet or csv, not as 'orc'"),
        (DataFrame(), pd.DataFrame, ValueError, "the DataFrame has an empty URI"),
    ],
)
def test_what_does_not_fit_is_refused(
    value: Any, hint: Any, error: type[Exception], message: str, task_directory: Path
) -> None:
    with pytest.raises(error, match=message):
        _stored(value, hint)
    assert not [*task_directory.rglob("*.parquet")] or error is ValueError


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="a DataFrame wraps a pandas or polars DataFrame, or a pyarrow Table, not dict"):
        DataFrame.from_df({})
    with pytest.raises(TypeError, match=r"open takes the class of .*, not int"):
        DataFrame("x").open(int)
    with pytest.raises(TypeError, match=r"not 'a'; write \['a'\]"):
        DataFrame("x").open(pd.DataFrame, "a")
    for kind in (pd.DataFrame, pa.Table, np.ndarray, DataFrame):
        with pytest.raises(ValueError, match="has a Flyte type already"):
            TypeEngine.register(_Converter(kind))


class _Converter(TypeTransformer[Any]):
    def __init__(self, kind: type) -> None:
        super().__init__("mine", kind)

    def get_literal_type(self, t: Any) -> Any: ...

    def to_literal(self, python_val: Any, python_type: Any, expected: Any) -> Any: ...

    def to_python_value(self, lv: Any, expected_python_type: Any) -> Any: ...


def test_what_cannot_be_read_stays_a_literal_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no frame")
    kind = literal_type_of(DataFrame)
    cases = {
        "s3://bucket/frame": "s3 is not a supported scheme",
        "file://elsewhere/frame": "a file on the machine 'elsewhere'",
        str(tmp_path / "text"): "the data frame cannot be read as Parquet: Arrow",
        str(tmp_path / "missing"): "does not exist",
        "http://127.0.0.1:1/frame?signature=secret": "127.0.0.1",
    }
    for uri, reason in cases.items():
        found = _unreadable(to_literal(DataFrame(uri, "parquet"), kind, name="x"), pd.DataFrame)
        assert reason in found and "secret" not in found, found
    orc = to_literal(DataFrame("s3://bucket/frame", "orc"), kind, name="x")
    assert "has the format 'orc'; only Parquet and CSV are read here" in _unreadable(orc, pd.DataFrame)
    array = to_literal(File(str(tmp_path / "text"), "npy"), literal_type_of(np.ndarray), name="x")
    assert "the array cannot be read" in _unreadable(array, np.ndarray)
    with pytest.raises(TypeError, match=r"x: expected numpy.ndarray, got a file of format 'csv'"):
        _read(to_literal(File("a", "csv"), literal_type_of(File), name="x"), np.ndarray)
    with pytest.raises(TypeError, match="x: expected DataFrame, got int"):
        _read(to_literal(1, literal_type_of(int), name="x"), pd.DataFrame)


def test_without_a_client_there_is_nowhere_to_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_default", None, raising=False)
    for value, hint in ((FRAME, pd.DataFrame), (np.zeros(1), np.ndarray)):
        with pytest.raises(ValueError, match="x: it is uploaded first, which needs a client"):
            _stored(value, hint)


ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.zeros((0, 3), dtype=np.float32),
    np.array(3.5),
    np.array(["é", "text"]),
    np.array(["2024-02-29"], dtype="datetime64[ns]"),
    np.asfortranarray(np.ones((3, 4), dtype=np.complex64)),
    np.arange(10)[::2],
    np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_survive_a_round_trip(array: Any, task_directory: Path) -> None:
    for hint in (np.ndarray, np.typing.NDArray[Any], np.ndarray | None, int | np.ndarray):
        read = _read(_stored(array, hint), hint)
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype


def test_an_array_is_a_file_without_an_annotation(task_directory: Path) -> None:
    kind = literal_type_of(np.ndarray)
    found = from_literal(_stored(np.arange(3), np.ndarray), kind)
    assert isinstance(found, File) and found.format == "npy" and found.hash
    assert [*np.load(found.download(task_directory / "copy"), allow_pickle=False)] == [0, 1, 2]
    assert _stored(found, np.ndarray) == _stored(File(found.uri, "npy", found.hash), np.ndarray)


def test_a_pickle_in_an_array_is_not_loaded(task_directory: Path) -> None:
    np.save(task_directory / "objects.npy", np.array([{}]), allow_pickle=True)
    file = File(str(task_directory / "objects.npy"), "npy")
    assert "the array cannot be read: Object arrays cannot be loaded" in _unreadable(
        _stored(file, np.ndarray), np.ndarray
    )


def test_values_are_uploaded_and_read_through_links(web: WebPlane) -> None:
    literal = _stored(FRAME, pd.DataFrame)
    assert from_literal(literal).uri.startswith("http://127.0.0.1")
    assert [request.filename for request in web.requests] == ["data.parquet"]
    pd.testing.assert_frame_equal(_read(literal, pd.DataFrame), FRAME)
    pd.testing.assert_frame_equal(from_literal(literal).open(pd.DataFrame).all(), FRAME)
    assert [*_read(_stored(np.arange(3), np.ndarray), np.ndarray)] == [0, 1, 2]
    assert "secret" not in repr(from_literal(literal))
    uploaded = DataFrame.from_local(FRAME)
    assert uploaded.hash == literal.hash and len(web.storage.files) == 2, "the same content is stored once"


async def test_values_are_uploaded_on_a_running_loop(web: WebPlane) -> None:
    literal = _stored(FRAME, pd.DataFrame)
    reference = await DataFrame.from_local.aio(FRAME)
    assert reference.uri == from_literal(literal).uri
    pd.testing.assert_frame_equal(await reference.open(pd.DataFrame).all.aio(), FRAME)


def test_a_wrapped_frame_is_stored_when_it_is_needed(web: WebPlane) -> None:
    wrapped = DataFrame.from_df(FRAME)
    assert wrapped.val is FRAME and wrapped.all() is FRAME and repr(wrapped) == "DataFrame(pandas frame in memory)"
    assert wrapped == DataFrame.wrap_df(FRAME) or wrapped != DataFrame.from_df(FRAME.copy())
    assert wrapped.open(pa.Table).all()["a"].to_pylist() == [1, 2, 3]
    assert [*wrapped.open(pd.DataFrame, ["a"]).all().columns] == ["a"]
    assert web.requests == []
    pd.testing.assert_frame_equal(_read(_stored(wrapped, DataFrame), pd.DataFrame), FRAME)


def test_a_large_frame_is_not_copied_as_a_whole(task_directory: Path) -> None:
    frame = pd.DataFrame({f"c{n}": np.arange(2_000_000, dtype="float64") + n for n in range(10)})
    size = int(frame.memory_usage().sum())
    before = pa.default_memory_pool().max_memory()
    tracemalloc.start()
    reference = DataFrame.from_df(frame).stored()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 2
    assert pa.default_memory_pool().max_memory() < max(before, size / 2)
    assert reference.open(pd.DataFrame, ["c3"]).all().equals(frame[["c3"]])


def test_tasks_take_and_return_frames_and_arrays(flyte_devbox: Devbox) -> None:
    double = flyte.devbox.deploy(frame_tasks.double, name="frames.double")
    run = flyte.run(double, frame=FRAME[["a"]])
    run.wait()
    outputs = run.outputs(as_types={"o0": pd.DataFrame})
    assert [*outputs[0]["a"]] == [2, 4, 6]
    reference = run.outputs()[0]
    assert isinstance(reference, DataFrame) and [*reference.open(pa.Table).all()["a"].to_pylist()] == [2, 4, 6]
    # The output of a run is the input of the next.
    again = flyte.run(double, frame=reference, factor=5)
    again.wait()
    assert [*again.outputs(as_types={"o0": pd.DataFrame})[0]["a"]] == [10, 20, 30]


def test_tasks_take_columns_references_and_arrays(flyte_devbox: Devbox) -> None:
    columns = flyte.run(flyte.devbox.deploy(frame_tasks.columns, name="frames.columns"), frame=FRAME)
    describe = flyte.run(
        flyte.devbox.deploy(frame_tasks.describe, name="frames.describe"),
        frame=DataFrame.from_df(FRAME),
        table=None,
        frames=[FRAME, FRAME],
    )
    scaled = flyte.run(
        flyte.devbox.deploy(frame_tasks.scaled, name="frames.scaled"), array=np.arange(3), by=np.array([0.5, 1, 2])
    )
    for run in (columns, describe, scaled):
        run.wait()
    assert columns.outputs()[0] == ["a"]
    o0, o1, o2 = describe.outputs(as_types={"o0": pd.DataFrame, "o1": pa.Table})
    assert o0["a"].tolist() == o1["a"].to_pylist() == [1, 2, 3] and o2 == 6
    product, others = scaled.outputs(as_types={"o0": np.ndarray, "o1": dict[str, np.ndarray]})
    assert product.tolist() == [0, 1, 4] and others["by"].tolist() == [0.5, 1, 2]
