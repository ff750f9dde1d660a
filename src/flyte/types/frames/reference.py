"""`DataFrame`: a reference to a stored data frame, or a frame in memory that is stored when a task takes it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from flyte.types.files.lazy import blocking, fetching
from flyte.types.files.references import shown

from .errors import FrameError
from .libraries import CSV, FRAME_FORMATS, PARQUET, frame_library

if TYPE_CHECKING:
    from flyte_rpc.calls.client import Client

_UPLOAD_TIMEOUT = 600.0
_LIBRARIES = "a pandas or polars DataFrame, or a pyarrow Table"


class _InMemory:
    """A frame in memory. Equal only to itself, because frames compare by element."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame


@dataclass(frozen=True)
class DataFrame:
    """A data frame: a reference to a stored one, or one in memory. Nothing is read before `all`.

    Attributes:
        uri: URI of the data: a Parquet file, a directory of them, or a CSV file; empty for a frame in memory.
        format: Storage format, "parquet" or "csv"; empty if unknown.
        columns: Type of each column by name, if the task declares them. A type without a Python form is `Any`.
        hash: Its content hash, if it is known.
    """

    uri: str = ""
    format: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)
    hash: str | None = None
    _held: _InMemory | None = field(default=None, repr=False)
    _type: type[Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_df(cls, val: Any) -> DataFrame:
        """Wrap a frame in memory. It is stored when it becomes an input or an output.

        Args:
            val: A pandas or polars `DataFrame`, or a pyarrow `Table`.

        Raises:
            TypeError: It is something else.
        """
        if not frame_library(type(val)):
            raise TypeError(f"a DataFrame wraps {_LIBRARIES}, not {type(val).__name__}")
        return cls(_held=_InMemory(val))

    wrap_df = from_df

    @fetching
    @classmethod
    async def from_local(
        cls,
        df: Any,
        *,
        format: Literal["parquet", "csv"] = "parquet",
        project: str | None = None,
        domain: str | None = None,
        timeout: float = _UPLOAD_TIMEOUT,
        client: Client | None = None,
    ) -> Any:
        """Store a frame as a file now; `await DataFrame.from_local.aio(...)` in async code.

        A task on a devbox writes to its data directory. Otherwise, the file is uploaded through a signed link.

        Args:
            df: A pandas or polars `DataFrame`, or a pyarrow `Table`.
            format: "parquet", which keeps the types of columns, or "csv". Default: "parquet".
            project: Project that it is stored for. Default: the client's.
            domain: Domain that it is stored for. Default: the client's.
            timeout: Seconds for the whole upload, retries included. Default: 600.
            client: Whose control plane. Default: the current client's.

        Returns:
            A reference to the stored frame, with its MD5 digest as `hash`: actions with the same content share their cache.

        Raises:
            TypeError: It is something else than a frame.
            ValueError: The format is unknown or cannot express a value, or there is no client.
            OSError: A file cannot be written.
            UploadTimeoutError: `timeout` has passed, or the storage asks for a longer wait.
            RuntimeSystemError: The storage refuses the file.
            RpcError: A call failed; the subclass says how.
        """
        from .formats import write_frame
        from .storing import upload

        frame = cls.from_df(df).val
        _check_format(format)

        def write(path: Path) -> None:
            write_frame(frame, path, format)

        stored = await upload(write, f"data.{format}", project=project, domain=domain, timeout=timeout, client=client)
        return cls(stored.uri, format, hash=stored.digest)

    @classmethod
    def from_existing_remote(cls, remote_path: str, format: str = "", *, hash: str | None = None) -> DataFrame:
        """Create a reference to an existing remote frame. Nothing is read.

        Args:
            remote_path: Its URI.
            format: Storage format, such as "parquet". Default: unknown.
            hash: A hash of its content, for caches. Default: none; caches use the URI.
        """
        return cls(remote_path, format, hash=hash)

    @property
    def val(self) -> Any:
        """The frame in memory; None for a reference."""
        return None if self._held is None else self._held.frame

    def open(self, dataframe_type: type[Any], columns: Sequence[str] | None = None) -> DataFrame:
        """Choose the class that `all` returns. Nothing is read.

        Args:
            dataframe_type: `pandas.DataFrame`, `polars.DataFrame` or `pyarrow.Table`.
            columns: The columns to read. Default: the declared ones, else all.

        Returns:
            A reference to the same data.

        Raises:
            TypeError: Another class, or `columns` is a single text.
        """
        if not frame_library(dataframe_type):
            name = getattr(dataframe_type, "__name__", str(dataframe_type))
            raise TypeError(f"open takes the class of {_LIBRARIES}, not {name}")
        if isinstance(columns, str):
            raise TypeError(f"columns takes a list of names, not {columns!r}; write [{columns!r}]")
        selected = self.columns if columns is None else {name: self.columns.get(name, Any) for name in columns}
        return dataclasses.replace(self, columns=selected, _type=dataframe_type)

    @blocking
    async def all(self) -> Any:
        """Read the frame; `await frame.all.aio()` in async code.

        Works with paths of this machine, `file:`, `http:` and `https:`. The file is read in a thread.

        Returns:
            An instance of the class given to `open`. A frame in memory is returned as it is if it has this class.

        Raises:
            ValueError: No class was chosen with `open`, the data is neither Parquet nor CSV, a column or a library is missing, or the
                scheme is not supported.
            OSError: It cannot be read. `TimeoutError` if a server sends nothing for 60 seconds.
        """
        import asyncio

        return await asyncio.to_thread(self.read)

    def all_sync(self) -> Any:
        """The same as `all`, under the name of the official SDK's blocking form."""
        return self.all()

    async def iter(self) -> AsyncGenerator[Any]:
        """Read the frame in parts: `async for part in await frame.open(pandas.DataFrame).iter()`.

        Only one part is in memory at a time, of 65,536 rows at most. Parts have no index of their own. CSV is read in parts
        with pandas only. A frame in memory is one part. Close the iterator (`aclose`) if you leave the loop early.

        Returns:
            The parts, as instances of the class given to `open`.

        Raises:
            ValueError: No class was chosen with `open`. The loop raises the errors of `all`.
        """
        self._chosen(self._type)
        return self._parts()

    async def _parts(self) -> AsyncGenerator[Any]:
        import asyncio
        from contextlib import ExitStack

        from .formats import read_parts
        from .storing import local_copy

        if self.val is not None:
            yield await asyncio.to_thread(self.read)
            return
        format = self._readable_format()
        library = frame_library(self._chosen(self._type))
        with ExitStack() as stack:
            path = await asyncio.to_thread(stack.enter_context, local_copy(self.uri))
            parts = read_parts(path, library, [*self.columns] or None, format)
            stack.callback(parts.close)
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                yield part

    def read(self, dataframe_type: type[Any] | None = None) -> Any:
        """Read the frame in this thread, also while an event loop runs in it. See `all`.

        Args:
            dataframe_type: The class. Default: the one given to `open`.
        """
        from .formats import read_frame, write_frame
        from .storing import local_copy

        kind = dataframe_type or self._type
        held = self.val
        if held is not None and (kind is None or (isinstance(held, kind) and not self.columns)):
            return held
        columns = [*self.columns] or None
        library = frame_library(self._chosen(kind))
        if held is not None:
            import tempfile

            with tempfile.TemporaryDirectory(prefix="flyte-") as temporary:
                path = Path(temporary) / "data.parquet"
                write_frame(held, path, PARQUET)
                return read_frame(path, library, columns, PARQUET)
        format = self._readable_format()
        with local_copy(self.uri) as path:
            return read_frame(path, library, columns, format)

    def _chosen(self, kind: type[Any] | None) -> type[Any]:
        if kind is None:
            raise FrameError("choose a class first, as in frame.open(pandas.DataFrame).all()")
        return kind

    def _readable_format(self) -> str:
        format = self.format or (CSV if urlsplit(self.uri).path.endswith(".csv") else PARQUET)
        if format not in FRAME_FORMATS:
            raise FrameError(f"{shown(self.uri)} has the format {format!r}; only Parquet and CSV are read here")
        return format

    def stored(self, format: str = "") -> DataFrame:
        """Return a reference: the frame itself, or the stored copy of a frame in memory.

        Args:
            format: Format of the copy. Default: Parquet.

        Raises:
            FrameError: The format is unknown or cannot express a value, or there is no client.
            OSError: It cannot be written.
        """
        frame = self.val
        if frame is None:
            return self
        from .formats import write_frame
        from .storing import store

        chosen = format or PARQUET
        _check_format(chosen)
        stored = store(lambda path: write_frame(frame, path, chosen), f"data.{chosen}")
        return DataFrame(stored.uri, chosen, self.columns, self.hash or stored.digest)

    def check_columns(self, names: Sequence[str]) -> None:
        """Check that a frame in memory has the declared columns. Names of parts of a column, such as "a.b", are not checked.

        Raises:
            FrameError: A column is missing.
        """
        if self._held is None or not names:
            return
        from .formats import column_names

        known = column_names(self._held.frame)
        missing = [name for name in names if name not in known and "." not in name]
        if missing:
            raise FrameError(f"the data frame has no column {missing[0]!r}; it has {', '.join(known) or 'none'}")

    def __repr__(self) -> str:
        if self._held is not None:
            return f"DataFrame({frame_library(type(self.val))} frame in memory)"
        return f"DataFrame(uri={shown(self.uri)}, format={self.format!r}, columns={self.columns!r}, hash={self.hash!r})"


def _check_format(format: str) -> None:
    if format not in FRAME_FORMATS:
        raise FrameError(f"frames are stored as {' or '.join(FRAME_FORMATS)}, not as {format!r}")
