"""Uploads files and directories for tasks."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from flyte.errors import FlyteWarning
from flyte.types.files.progress import Progress
from flyte.types.files.upload import Uploader
from flyte_rpc.arguments import alias, text
from flyte_rpc.calls.client import Client
from flyte_rpc.sync.decorators import blocking_function

StrPath = str | os.PathLike[str]
_TIMEOUT = 600.0
_TYPE = re.compile(r"[!-~]+/[ -~]*[!-~]")


@blocking_function
async def upload_file(
    path: StrPath | None = None,
    verify: bool = True,
    *,
    fp: StrPath | None = None,
    fname: str | None = None,
    content_type: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    timeout: float = _TIMEOUT,
    progress: Progress = True,
    client: Client | None = None,
) -> tuple[str, str]:
    """Upload a file; `await upload_file.aio(...)` in async code.

    The same content under the same name gets the same URI, so uploads are idempotent.

    Args:
        path: The file.
        verify: Accepted for programs of the official SDK. The client's settings decide about certificates, so False has no effect
            and issues a `FlyteWarning`.
        fp: The name that the official SDK has for `path`.
        fname: File name in the storage. Default: the name of the file.
        content_type: Media type. Default: "application/octet-stream".
        project: Project id. Default: the client's.
        domain: Domain id. Default: the client's.
        timeout: Seconds for the whole upload, retries included. Default: 600.
        progress: A function `progress(done, total, name)`, called with byte counts after each MiB and at the end, from 0
            again in a retry. It runs in an upload thread; an exception ends the upload. True shows a bar on a terminal or
            in a notebook, False shows nothing. Default: True.
        client: The client for the calls. Default: the current one.

    Returns:
        The MD5 digest of the content in hexadecimal, and the URI for tasks.

    Raises:
        OSError: The file cannot be read.
        TypeError: The path is missing or has the wrong type.
        ValueError: An argument is invalid; nothing was sent.
        InitializationError: No client, project or domain is set.
        UploadTimeoutError: `timeout` has passed, or the storage asks for a longer wait.
        RuntimeSystemError: The storage refuses the file.
        RpcError: The call failed; the subclass says how.

    Calls `DataProxyService.CreateUploadLocation`, and uploads to the returned link.
    """
    source = Path(alias("path", path, "fp", fp))
    _check_verify(verify)
    name = "" if fname is None else text("fname", fname, 1)
    if "/" in name or name in (".", ".."):
        raise ValueError(f"fname must be a file name, not a path such as {name!r}; upload_dir keeps directories")
    kind = "application/octet-stream" if content_type is None else text("content_type", content_type)
    if not _TYPE.fullmatch(kind):
        raise ValueError(f"content_type must be a media type such as 'text/csv', not {kind!r}")
    with Uploader(client, project, domain, timeout, source, progress=progress) as uploader:
        stored = await uploader.file(name, kind)
    return stored.digest, stored.uri


@blocking_function
async def upload_dir(
    path: StrPath | None = None,
    verify: bool = True,
    *,
    dir_path: StrPath | None = None,
    prefix: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    timeout: float = _TIMEOUT,
    progress: Progress = True,
    client: Client | None = None,
) -> str:
    """Upload a directory recursively; `await upload_dir.aio(...)` in async code.

    The directory structure is kept. Eight files are uploaded at a time.

    Args:
        path: The directory.
        verify: Accepted for programs of the official SDK. The client's settings decide about certificates, so False has no effect
            and issues a `FlyteWarning`.
        dir_path: The name that the official SDK has for `path`.
        prefix: Target directory in the storage, such as "models/v1". Existing files stay; a different file of the same
            name is an error. Default: derived from the content, so that uploads are idempotent.
        project: Project id. Default: the client's.
        domain: Domain id. Default: the client's.
        timeout: Seconds for the whole upload, retries included. Default: 600.
        progress: A function `progress(done, total, name)` for each file, or whether to show a bar, as in `upload_file`.
            The name is relative to the directory. Default: True.
        client: The client for the calls. Default: the current one.

    Returns:
        The URI of the directory.

    Raises:
        OSError: A file cannot be read, or `path` is not a directory.
        ValueError: An argument is invalid, or the directory has no files, or has an entry that cannot be uploaded, such
            as a link to a directory; nothing was sent.
        InitializationError: No client, project or domain is set.
        AlreadyExistsError: A different file of that name exists below `prefix`.
        UploadTimeoutError: `timeout` has passed, or the storage asks for a longer wait.
        RuntimeSystemError: The storage refuses a file or its name.
        RpcError: A call failed; the subclass says how.

    Calls `DataProxyService.CreateUploadLocation` for each file.
    """
    source = Path(alias("path", path, "dir_path", dir_path))
    _check_verify(verify)
    place = "" if prefix is None else text("prefix", prefix, 1)
    if place and not {"", ".", ".."}.isdisjoint(place.split("/")):
        raise ValueError(f"prefix must be a relative directory such as 'models/v1', not {place!r}")
    with Uploader(client, project, domain, timeout, source, progress=progress) as uploader:
        return (await uploader.directory(place)).uri


def _check_verify(verify: bool) -> None:
    if not verify:
        # An upload without checks of certificates must be asked for where it is done: in the settings of the connections.
        advice = "verify=False has no effect; pass flyte.Network(verify=False) to flyte.init or Client"
        warnings.warn(advice, FlyteWarning, stacklevel=2)
