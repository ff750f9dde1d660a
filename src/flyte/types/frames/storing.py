"""Files of values in memory: in the data directory of a task on this machine, else uploaded through a signed link."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flyte._context import ctx
from flyte.types.converters.calls import wait_for
from flyte.types.files.references import WEB_SCHEMES, File, local_path, unsupported_scheme

from .errors import FrameError

_TIMEOUT = 60.0


class Stored(NamedTuple):
    """The URI of a stored file, and the MD5 of its content."""

    uri: str
    digest: str


def store(write: Callable[[Path], None], name: str, **options: Any) -> Stored:
    """Store a value, and wait until it is stored. Also works on a running event loop, which it blocks.

    Args:
        write: Writes the file.
        name: Name of the file.
        options: Arguments of `File.from_local`.

    Raises:
        FrameError: There is no client for an upload.
        OSError: The file cannot be written.
    """
    directory = _task_directory()
    if directory is not None:
        # A worker needs no event loop for this.
        return _write_at(write, directory / uuid.uuid4().hex / name)
    from flyte_rpc.sync import bridge

    if not bridge.in_event_loop():
        return bridge.run(upload(write, name, **options))
    # The loop may be the one that `bridge.run` uses.
    found: Stored = wait_for(upload(write, name, **options))
    return found


async def upload(write: Callable[[Path], None], name: str, **options: Any) -> Stored:
    """Store a value. The file is written in a thread. See `store`."""
    import asyncio

    from flyte.errors import InitializationError

    directory = _task_directory()
    if directory is not None:
        path = directory / uuid.uuid4().hex / name
        return await asyncio.to_thread(_write_at, write, path)
    with tempfile.TemporaryDirectory(prefix="flyte-") as temporary:
        path = Path(temporary) / name
        await asyncio.to_thread(write, path)
        try:
            file: File = await File.from_local.aio(path, progress=False, **options)
        except InitializationError as error:
            raise FrameError(f"it is uploaded first, which needs a client: {error}") from error
    return Stored(file.uri, file.hash or "")


def _task_directory() -> Path | None:
    """Return the directory for data of the current task, if it is on this machine."""
    place = ctx().raw_data_path
    return local_path(place) if place else None


def _write_at(write: Callable[[Path], None], path: Path) -> Stored:
    path.parent.mkdir(parents=True)
    write(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return Stored(path.absolute().as_uri(), digest)


@contextmanager
def local_copy(uri: str) -> Generator[Path]:
    """Provide a stored file, or a directory on this machine, as a path.

    Raises:
        FrameError: The scheme is not supported, or the URI is not well-formed.
        OSError: The file cannot be downloaded.
    """
    try:
        path = local_path(uri)
        if path is None and urlsplit(uri).scheme not in WEB_SCHEMES:
            raise unsupported_scheme(uri, WEB_SCHEMES)
    except ValueError as error:
        raise FrameError(str(error)) from error
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="flyte-") as temporary:
        path = Path(temporary) / "download"
        with File(uri).open(timeout=_TIMEOUT) as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        yield path
