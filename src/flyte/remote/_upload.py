"""Uploads of files and directories to where tasks can read them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from flyte.types.files.upload import Progress, Uploader
from flyte_rpc.arguments import text
from flyte_rpc.calls.client import Client
from flyte_rpc.sync.decorators import blocking_function

_TIMEOUT = 600.0
_TYPE = re.compile(r"[!-~]+/[ -~]*[!-~]")


@blocking_function
async def upload_file(
    path: str | os.PathLike[str],
    *,
    fname: str | None = None,
    content_type: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    timeout: float = _TIMEOUT,
    progress: Progress | None = None,
    client: Client | None = None,
) -> tuple[str, str]:
    """Upload a file; `await upload_file.aio(...)` in async code.

    The same content under the same name gets the same place, so uploading it again does no harm.

    Args:
        path: The file.
        fname: Name to store it under. Default: its own.
        content_type: Media type that the storage notes. Default: "application/octet-stream".
        project: Project that it is stored for. Default: the client's.
        domain: Domain that it is stored for. Default: the client's.
        timeout: Seconds for the whole upload. Default: 600.
        progress: Called as `progress(path, sent, size)` with numbers of bytes: for each MiB, and when all was sent. It runs
            in a thread of the upload; what it raises ends the upload. Default: nobody is told.
        client: Whose control plane. Default: the current client's.

    Returns:
        The MD5 digest of the content in hexadecimal, and the URI that tasks read it at.

    Raises:
        OSError: The file cannot be read.
        ValueError: An argument cannot be used; nothing was sent.
        InitializationError: There is no client, project or domain.
        WaitTimeoutError: `timeout` has passed.
        RuntimeSystemError: The storage does not take it.
        RpcError: The call failed; its subclasses say how.

    Calls `DataProxyService.CreateUploadLocation`, and puts the file to the link that it gives.
    """
    name = "" if fname is None else text("fname", fname, 1)
    if "/" in name or name in (".", ".."):
        raise ValueError(f"fname is the name of a file, not a path such as {name!r}; upload_dir keeps directories")
    kind = "application/octet-stream" if content_type is None else text("content_type", content_type)
    if not _TYPE.fullmatch(kind):
        raise ValueError(f"content_type is a media type such as 'text/csv', not {kind!r}")
    with Uploader(client, project, domain, timeout, progress=progress) as uploader:
        stored = await uploader.file(Path(path), name, kind)
    return stored.digest, stored.uri


@blocking_function
async def upload_dir(
    path: str | os.PathLike[str],
    *,
    prefix: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    timeout: float = _TIMEOUT,
    progress: Progress | None = None,
    client: Client | None = None,
) -> str:
    """Upload a directory with all that is below it; `await upload_dir.aio(...)` in async code.

    Files keep their places in it, and go eight at a time.

    Args:
        path: The directory.
        prefix: Directory of the storage to put it in, such as "models/v1"; other content that is there already stays, and
            is an error. Default: one of its own for each content, so that uploading it again does no harm.
        project: Project that it is stored for. Default: the client's.
        domain: Domain that it is stored for. Default: the client's.
        timeout: Seconds for the whole upload. Default: 600.
        progress: Called as `progress(path, sent, size)` for each file, as in `upload_file`. Default: nobody is told.
        client: Whose control plane. Default: the current client's.

    Returns:
        The URI of the directory.

    Raises:
        OSError: A file cannot be read, or it is no directory.
        ValueError: An argument cannot be used, or the directory has no files, or one that cannot be uploaded, such as a
            link to a directory; nothing was sent.
        InitializationError: There is no client, project or domain.
        AlreadyExistsError: There is another file of that name below `prefix`.
        WaitTimeoutError: `timeout` has passed.
        RuntimeSystemError: The storage does not take a file, or not under its name.
        RpcError: A call failed; its subclasses say how.

    Calls `DataProxyService.CreateUploadLocation` for each file.
    """
    place = "" if prefix is None else text("prefix", prefix, 1)
    if place and not {"", ".", ".."}.isdisjoint(place.split("/")):
        raise ValueError(f"prefix is a directory of the storage such as 'models/v1', not {place!r}")
    with Uploader(client, project, domain, timeout, progress=progress) as uploader:
        return (await uploader.directory(Path(path), place)).uri
