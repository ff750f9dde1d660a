"""Files of data frames, in Parquet or CSV, written and read by the library of the frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import FrameError
from .libraries import CSV, PARQUET, frame_library, library_module

_PART = 16 << 20
"""Bytes of a pandas frame that are converted at a time. The whole frame would take its size in memory again."""
_MOST_ROWS = 1 << 20
_PART_ROWS = 1 << 16
"""Rows of a part of `DataFrame.iter`."""
_NAMES = {PARQUET: "Parquet", CSV: "CSV"}


def write_frame(frame: Any, path: Path, format: str) -> None:
    """Write a data frame as a file.

    Raises:
        FrameError: The frame has values that the format cannot express, or a library is not installed.
        OSError: The file cannot be written.
    """
    _guarded(f"stored as {_NAMES[format]}", _WRITERS[format][frame_library(type(frame))], frame, path)


def read_frame(path: Path, library: str, columns: Sequence[str] | None, format: str) -> Any:
    """Read a Parquet file, a directory of them, or a CSV file, which may be `data.csv` of a directory.

    Args:
        path: The file or directory.
        library: The library of the frame.
        columns: The columns to read. Default: all.
        format: The format.

    Raises:
        FrameError: It has another format, a column is missing, or a library is not installed.
        OSError: It cannot be read.
    """
    if format == CSV and path.is_dir():
        path = path / "data.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    return _guarded(f"read as {_NAMES[format]}", _READERS[format][library], path, columns)


def read_parts(path: Path, library: str, columns: Sequence[str] | None, format: str) -> Generator[Any]:
    """Read a file in parts of some thousand rows. A CSV file is one part, unless pandas reads it.

    Args:
        path: The file or directory. See `read_frame` for the other arguments and errors.
    """
    if format == CSV and path.is_dir():
        path = path / "data.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    parts = _parquet_parts(path, library, columns) if format == PARQUET else _csv_parts(path, library, columns)
    while (part := _guarded(f"read as {_NAMES[format]}", next, parts, None)) is not None:
        yield part


def _parquet_parts(path: Path, library: str, columns: Sequence[str] | None) -> Generator[Any]:
    pa, pq = library_module("pyarrow"), library_module("pyarrow.parquet")

    for file in sorted(path.rglob("*.parquet")) if path.is_dir() else [path]:
        with pq.ParquetFile(file) as stored:
            wanted = None if columns is None else _checked(columns, stored.schema_arrow.names)
            for batch in stored.iter_batches(_PART_ROWS, columns=wanted):
                table = pa.Table.from_batches([batch])
                if library == "polars":
                    yield library_module("polars").from_arrow(table)
                else:
                    yield table.to_pandas() if library == "pandas" else table


def _csv_parts(path: Path, library: str, columns: Sequence[str] | None) -> Generator[Any]:
    if library != "pandas":
        yield _READERS[CSV][library](path, columns)
        return
    with library_module("pandas").read_csv(path, chunksize=_PART_ROWS) as reader:
        for part in reader:
            yield part if columns is None else part[_checked(columns, [*map(str, part.columns)])]


def column_names(frame: Any) -> list[str]:
    """Return the names of a frame's columns in its Parquet file, with those of the index of a pandas frame."""
    library = frame_library(type(frame))
    if library == "pyarrow":
        return [*frame.column_names]
    index = [name for name in frame.index.names if name is not None] if library == "pandas" else []
    return [*map(str, frame.columns), *map(str, index)]


def _guarded(what: str, work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except (OSError, FrameError, MemoryError):
        raise
    except Exception as error:  # Each library has errors of its own.
        raise FrameError(f"the data frame cannot be {what}: {type(error).__name__}: {error}") from error


def _write_pandas(frame: Any, path: Path) -> None:
    pa, pq = library_module("pyarrow"), library_module("pyarrow.parquet")

    schema = pa.Schema.from_pandas(frame)
    # Without the text behind references, which would take long to measure.
    size = max(int(frame.memory_usage().sum()), 1)
    rows = min(max(len(frame) * _PART // size, 1), _MOST_ROWS)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, max(len(frame), 1), rows):
            writer.write_table(pa.Table.from_pandas(frame.iloc[start : start + rows], schema=schema))


def _write_polars(frame: Any, path: Path) -> None:
    frame.write_parquet(path)


def _write_arrow(frame: Any, path: Path) -> None:
    pq = library_module("pyarrow.parquet")

    pq.write_table(frame, path)


def _read_pandas(path: Path, columns: Sequence[str] | None) -> Any:
    library_module("pandas")

    # Frees each column of the table once pandas has it.
    return _table(path, columns, with_index=True).to_pandas(split_blocks=True, self_destruct=True)


def _read_arrow(path: Path, columns: Sequence[str] | None) -> Any:
    return _table(path, columns, with_index=False)


def _table(path: Path, columns: Sequence[str] | None, *, with_index: bool) -> Any:
    pq = library_module("pyarrow.parquet")

    stored = pq.ParquetDataset(path)
    wanted = None if columns is None else _checked(columns, stored.schema.names)
    return stored.read(columns=wanted, use_pandas_metadata=with_index)


def _read_polars(path: Path, columns: Sequence[str] | None) -> Any:
    pl = library_module("polars")

    # A file name is no pattern.
    frame = pl.scan_parquet(path, glob=path.is_dir())
    if columns is not None:
        frame = frame.select(_checked(columns, frame.collect_schema().names()))
    return frame.collect()


def _checked(columns: Sequence[str], stored: Sequence[str]) -> list[str]:
    # "a.b" is the part b of the column a, which is read as a whole.
    whole = [name if name in stored else name.partition(".")[0] for name in columns]
    missing = [name for name in whole if name not in stored]
    if missing:
        raise FrameError(f"the data frame has no column {missing[0]!r}; it has {', '.join(stored) or 'none'}")
    return [*dict.fromkeys(whole)]


def _write_pandas_csv(frame: Any, path: Path) -> None:
    # An index with names is data; one without is only a number for each row.
    frame.to_csv(path, index=any(name is not None for name in frame.index.names))


def _write_polars_csv(frame: Any, path: Path) -> None:
    frame.write_csv(path)


def _write_arrow_csv(frame: Any, path: Path) -> None:
    library_module("pyarrow.csv").write_csv(frame, path)


def _read_pandas_csv(path: Path, columns: Sequence[str] | None) -> Any:
    frame = library_module("pandas").read_csv(path)
    return frame if columns is None else frame[_checked(columns, [*map(str, frame.columns)])]


def _read_polars_csv(path: Path, columns: Sequence[str] | None) -> Any:
    frame = library_module("polars").read_csv(path, glob=False)
    return frame if columns is None else frame.select(_checked(columns, frame.columns))


def _read_arrow_csv(path: Path, columns: Sequence[str] | None) -> Any:
    table = library_module("pyarrow.csv").read_csv(path)
    return table if columns is None else table.select(_checked(columns, table.column_names))


_WRITERS: Mapping[str, Mapping[str, Callable[[Any, Path], None]]] = {
    PARQUET: {"pandas": _write_pandas, "polars": _write_polars, "pyarrow": _write_arrow},
    CSV: {"pandas": _write_pandas_csv, "polars": _write_polars_csv, "pyarrow": _write_arrow_csv},
}
_READERS: Mapping[str, Mapping[str, Callable[[Path, Sequence[str] | None], Any]]] = {
    PARQUET: {"pandas": _read_pandas, "polars": _read_polars, "pyarrow": _read_arrow},
    CSV: {"pandas": _read_pandas_csv, "polars": _read_polars_csv, "pyarrow": _read_arrow_csv},
}
