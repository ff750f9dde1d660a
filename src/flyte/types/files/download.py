"""Downloads of files and directories. A copy is complete or does not exist."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from flyte_rpc.arguments import seconds
from flyte_rpc.calls.client import Client
from flyte_rpc.http.transfer import Transfer

from .network import streaming_client
from .progress import Progress, ProgressReporter
from .threads import TransferThreads
from .web import download_url

_CHUNK = 1 << 20
_NAME_BYTES = 180
_IDLE = 60.0


async def download_file(
    uri: str,
    name: str,
    path: str | os.PathLike[str] | None,
    *,
    timeout: float | timedelta,
    progress: Progress,
    client: Client | None,
) -> Path:
    """Download a file from a web server. See `File.download`.

    Args:
        uri: An http: or https: URI.
        name: Name of the copy in a directory.
        path: The target.
        timeout: Seconds without new data.
        progress: The caller's function, or whether to show a bar.
        client: Whose certificates and proxies to use.
    """
    idle = seconds("timeout", timeout)

    def work(transfer: Transfer) -> Path:
        target = _target(path, name)
        download_url(http, uri, target, transfer, timeout=idle, report=partial(_report, reporter, name))
        return target

    with (
        ProgressReporter(progress, name) as reporter,
        streaming_client(client) as http,
        TransferThreads(1) as threads,
    ):
        return await threads.run(work, idle=idle)


async def copy_file(source: Path, name: str, path: str | os.PathLike[str] | None, *, progress: Progress) -> Path:
    """Copy a file of this machine. See `File.download`.

    Args:
        source: The file.
        name: Name of the copy in a directory.
        path: The target.
        progress: The caller's function, or whether to show a bar.
    """

    def work(transfer: Transfer) -> Path:
        target = _target(path, name)
        _copy(source, target, transfer, reporter, name)
        return target

    with ProgressReporter(progress, name) as reporter, TransferThreads(1) as threads:
        return await threads.run(work, idle=_IDLE)


def _target(path: str | os.PathLike[str] | None, name: str) -> Path:
    target = Path(path) if path is not None else temporary_directory()
    return target / _safe(name) if target.is_dir() else target


def _safe(name: str) -> str:
    """A file name made of the last part of a URL, which may decode to anything."""
    plain = "".join("_" if letter in "/\\\0" else letter for letter in name)
    return "download" if plain in ("", ".", "..") else plain


def _report(reporter: ProgressReporter, name: str, done: int, total: int | None) -> None:
    reporter.report(done, total, name)


async def copy_dir(root: Path, target: Path, *, progress: Progress) -> Path:
    """Copy a directory of this machine, one file at a time. See `Dir.download`.

    Args:
        root: The directory.
        target: The directory to create or to copy into.
        progress: The caller's function, or whether to show a bar.
    """

    def work(transfer: Transfer) -> Path:
        target.mkdir(parents=True, exist_ok=True)
        entries = [*_entries(root, transfer)]
        reporter.expect(sum(path.stat().st_size for path in entries if not path.is_dir()))
        for path in entries:
            name = path.relative_to(root)
            if path.is_dir():
                (target / name).mkdir(exist_ok=True)
            else:
                _copy(path, target / name, transfer, reporter, name.as_posix())
                shutil.copystat(path, target / name)
        return target

    with ProgressReporter(progress, root.name) as reporter, TransferThreads(1) as threads:
        return await threads.run(work, idle=_IDLE)


def _entries(root: Path, transfer: Transfer) -> Iterator[Path]:
    """All directories and files below a directory, directories first. Links to directories are followed."""
    for path in sorted(root.iterdir()):
        transfer.check()
        yield path
        if path.is_dir():
            yield from _entries(path, transfer)


def _copy(source: Path, target: Path, transfer: Transfer, reporter: ProgressReporter, name: str) -> None:
    short = os.fsdecode(os.fsencode(target.name)[:_NAME_BYTES])
    part = target.with_name(f".{short}.{secrets.token_hex(6)}.part")
    try:
        with source.open("rb") as original, part.open("xb") as copy:
            total, done = os.fstat(original.fileno()).st_size, 0
            while chunk := original.read(_CHUNK):
                transfer.check()
                copy.write(chunk)
                done += len(chunk)
                reporter.report(done, total, name)
            if not done:
                reporter.report(0, total, name)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def temporary_directory() -> Path:
    """Create a temporary directory. The caller removes it."""
    return Path(tempfile.mkdtemp(prefix="flyte-"))
