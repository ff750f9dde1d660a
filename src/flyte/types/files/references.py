"""Files and directories: references to stored data, which is opened only on request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from flyte_rpc.arguments import seconds

from .lazy import blocking, fetching

if TYPE_CHECKING:
    from flyte_rpc.calls.client import Client

    from .progress import Progress

_TIMEOUT = 60.0
_UPLOAD_TIMEOUT = 600.0
WEB_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class File:
    """A reference to a stored file.

    Attributes:
        uri: A path on this machine, or a URI such as `file:///data/a.csv`, `https://...` or `s3://...`.
        format: File format, such as "csv"; empty if unknown.
        hash: Its content hash, if it is known.
    """

    uri: str
    format: str = ""
    hash: str | None = None

    @property
    def path(self) -> str:
        """The URI, under the name that the official SDK has for it."""
        return self.uri

    @fetching
    @classmethod
    async def from_local(
        cls,
        local_path: str | os.PathLike[str],
        *,
        format: str = "",
        project: str | None = None,
        domain: str | None = None,
        timeout: float = _UPLOAD_TIMEOUT,
        progress: Progress = True,
        client: Client | None = None,
    ) -> Any:
        """Upload a local file; `await File.from_local.aio(...)` in async code.

        The same content under the same name gets the same URI, so uploads are idempotent.

        Args:
            local_path: The file.
            format: File format, such as "csv".
            project: Project that it is stored for. Default: the client's.
            domain: Domain that it is stored for. Default: the client's.
            timeout: Seconds for the whole upload, retries included. Default: 600.
            progress: A function `progress(done, total, name)`, True for a bar on a terminal or in a notebook, or False for
                none; see `flyte.remote.upload_file`. Default: True.
            client: Whose control plane. Default: the current client's.

        Returns:
            A reference to the copy, with its MD5 digest as `hash`: actions with the same content share their cache.

        Raises:
            OSError: The file cannot be read.
            InitializationError: There is no client, project or domain.
            UploadTimeoutError: `timeout` has passed, or the storage asks for a longer wait.
            RuntimeSystemError: The storage refuses the file.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.CreateUploadLocation`, and puts the file to the link that it gives.
        """
        from .upload import Uploader

        with Uploader(client, project, domain, timeout, Path(local_path), progress=progress) as uploader:
            stored = await uploader.file()
        return cls(stored.uri, format, stored.digest)

    @classmethod
    def from_existing_remote(cls, remote_path: str, file_cache_key: str | None = None) -> File:
        """Create a reference to an existing remote file. Nothing is read.

        Args:
            remote_path: Its URI.
            file_cache_key: A hash of its content, for caches. Default: none; caches use the URI.
        """
        return cls(remote_path, hash=file_cache_key)

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return _name(self.uri)

    def open(
        self,
        mode: str = "rb",
        *,
        encoding: str | None = None,
        timeout: float | timedelta = _TIMEOUT,
        client: Client | None = None,
    ) -> IO[Any]:
        """Open the file for reading.

        Reads of a file on a web server wait for the network, and are not retried. In async code, call `download.aio`.

        Args:
            mode: "rb" for bytes, "r" for text.
            encoding: Text encoding. Default: UTF-8.
            timeout: The most seconds that a web server may send nothing. Default: 60.
            client: Whose certificates and proxies to use for web servers. Default: the current client's, if there is one.

        Returns:
            An open file; use it in a `with` statement.

        Raises:
            ValueError: The mode is not for reading, or the URI's scheme is not supported.
            OSError: The file cannot be opened.
        """
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f'a File can only be opened for reading, with mode "rb" or "r", not {mode!r}')
        idle = seconds("timeout", timeout)
        path = local_path(self.uri)
        if path is not None:
            return path.open(mode, encoding=None if mode == "rb" else encoding or "utf-8")
        import io

        from .web import open_url

        if urlsplit(self.uri).scheme not in WEB_SCHEMES:
            raise unsupported_scheme(self.uri, WEB_SCHEMES)
        reply = open_url(self.uri, idle, client)
        return reply if mode == "rb" else io.TextIOWrapper(reply, encoding=encoding or "utf-8")

    @blocking
    async def download(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        timeout: float | timedelta = _TIMEOUT,
        progress: Progress = True,
        client: Client | None = None,
    ) -> Path:
        """Copy the file to this machine; `await file.download.aio(...)` in async code.

        A download from a web server that breaks continues where it broke, if the server supports ranges and says that the
        file is still the same. Else it starts again.

        Args:
            path: The target file or directory. Default: a new temporary directory.
            timeout: Gives up after this many seconds without new data, retries included. Default: 60.
            progress: A function `progress(done, total, name)`, True for a bar on a terminal or in a notebook, or False for
                none. The function is called in the thread of the download; what it raises ends the download. `total` is
                None if the server does not say it. Default: True.
            client: Whose certificates and proxies to use for web servers. Default: the current client's, if there is one.

        Returns:
            The path of the copy. If the copy fails or is cancelled, no partial file is left.

        Raises:
            ValueError: The URI's scheme is not supported.
            OSError: It cannot be read or written. `TimeoutError` after `timeout` seconds without new data.
        """
        from .download import copy_file, download_file

        name = self.name or "file"
        source = local_path(self.uri)
        if source is not None:
            return await copy_file(source, name, path, progress=progress)
        if urlsplit(self.uri).scheme not in WEB_SCHEMES:
            raise unsupported_scheme(self.uri, WEB_SCHEMES)
        return await download_file(self.uri, name, path, timeout=timeout, progress=progress, client=client)

    def __repr__(self) -> str:
        return f"File(uri={shown(self.uri)}, format={self.format!r}, hash={self.hash!r})"


@dataclass(frozen=True)
class Dir:
    """A reference to a stored directory.

    Attributes:
        uri: A path on this machine, or a URI such as `file:///data` or `s3://...`.
        format: Format of its files, such as "csv"; empty if unknown.
        hash: Its content hash, if it is known.
    """

    uri: str
    format: str = ""
    hash: str | None = None

    @property
    def path(self) -> str:
        """The URI, under the name that the official SDK has for it."""
        return self.uri

    @fetching
    @classmethod
    async def from_local(
        cls,
        local_path: str | os.PathLike[str],
        *,
        format: str = "",
        project: str | None = None,
        domain: str | None = None,
        timeout: float = _UPLOAD_TIMEOUT,
        progress: Progress = True,
        client: Client | None = None,
    ) -> Any:
        """Upload a local directory recursively; `await Dir.from_local.aio(...)` in async code.

        Eight files are uploaded at a time. The same content gets the same URI, so uploads are idempotent.

        Args:
            local_path: The directory.
            format: Format of its files, such as "csv".
            project: Project that it is stored for. Default: the client's.
            domain: Domain that it is stored for. Default: the client's.
            timeout: Seconds for the whole upload, retries included. Default: 600.
            progress: A function `progress(done, total, name)`, True for a bar on a terminal or in a notebook, or False for
                none; see `flyte.remote.upload_file`. Default: True.
            client: Whose control plane. Default: the current client's.

        Returns:
            A reference to the copy, with a digest of names and contents as `hash`.

        Raises:
            OSError: A file cannot be read, or `local_path` is not a directory.
            ValueError: The directory has no files, or an entry that cannot be uploaded, such as a link to a directory.
            InitializationError: There is no client, project or domain.
            UploadTimeoutError: `timeout` has passed, or the storage asks for a longer wait.
            RuntimeSystemError: The storage refuses a file or its name.
            RpcError: A call failed; the subclass says how.

        Calls `DataProxyService.CreateUploadLocation` for each file.
        """
        from .upload import Uploader

        with Uploader(client, project, domain, timeout, Path(local_path), progress=progress) as uploader:
            stored = await uploader.directory()
        return cls(stored.uri, format, stored.digest)

    @classmethod
    def from_existing_remote(cls, remote_path: str, dir_cache_key: str | None = None) -> Dir:
        """Create a reference to an existing remote directory. Nothing is read.

        Args:
            remote_path: Its URI.
            dir_cache_key: A hash of its content, for caches. Default: none; caches use the URI.
        """
        return cls(remote_path, hash=dir_cache_key)

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return _name(self.uri)

    def files(self) -> Iterator[File]:
        """List all files below the directory, by path.

        Raises:
            ValueError: The directory is not on this machine.
            NotADirectoryError: The directory does not exist.
        """
        root = self._local()
        for found in sorted(root.rglob("*")):
            if found.is_file():
                yield File(found.as_uri(), self.format)

    @blocking
    async def download(self, path: str | os.PathLike[str] | None = None, *, progress: Progress = True) -> Path:
        """Copy the directory recursively; `await directory.download.aio(...)` in async code.

        Args:
            path: The target directory, which may exist. Default: a new temporary directory.
            progress: A function `progress(done, total, name)` for each file, True for a bar on a terminal or in a notebook,
                or False for none. Default: True.

        Returns:
            The path of the copy. If the copy fails or is cancelled, each file in it is complete.

        Raises:
            ValueError: The directory is not on this machine; remote directories cannot be listed.
            OSError: It cannot be read or written.
        """
        from .download import copy_dir, temporary_directory

        root = self._local()
        target = Path(path) if path is not None else temporary_directory() / (self.name or "dir")
        return await copy_dir(root, target, progress=progress)

    def __repr__(self) -> str:
        return f"Dir(uri={shown(self.uri)}, format={self.format!r}, hash={self.hash!r})"

    def _local(self) -> Path:
        root = local_path(self.uri)
        if root is None:
            raise unsupported_scheme(self.uri, ())
        if not root.is_dir():
            raise NotADirectoryError(f"{self.uri} is not a directory on this machine")
        return root.absolute()


def local_path(uri: str) -> Path | None:
    """Return the local path of a URI; None if it is not on this machine.

    Raises:
        ValueError: It is a `file:` URI with another host.
    """
    parts = urlsplit(uri)
    # A single letter is the drive of a Windows path.
    if len(parts.scheme) < 2:
        return Path(uri)
    if parts.scheme != "file":
        return None
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"{shown(uri)} is a file on the machine {parts.netloc!r}, not on this one")
    return Path(unquote(parts.path))


def absolute_uri(uri: str) -> str:
    """Return a URI that is valid in other processes: a plain path becomes a `file:` URI."""
    if len(urlsplit(uri).scheme) > 1:
        return uri
    return Path(uri).absolute().as_uri()


def unsupported_scheme(uri: str, schemes: tuple[str, ...]) -> ValueError:
    """Return the error for a URI that cannot be opened here; `schemes` are those that can, besides local paths."""
    scheme = urlsplit(uri).scheme
    able = ", ".join(["local paths", "file", *schemes])
    return ValueError(f"{shown(uri)}: {scheme} is not a supported scheme (only {able}); use a library that supports it")


def shown(uri: str) -> str:
    """The repr of a URI without the signature of a signed link."""
    from flyte_rpc.redaction import redact

    return repr(redact(uri))


def _name(uri: str) -> str:
    path = urlsplit(uri).path if len(urlsplit(uri).scheme) > 1 else uri
    return unquote(path).rstrip("/").rpartition("/")[2]
