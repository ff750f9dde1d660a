"""Files, directories and data frames: references to what is stored elsewhere, opened only when asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from flyte_rpc.calls.client import Client
    from flyte_rpc.sync.decorators import fetching
else:

    class fetching:
        """`flyte_rpc.sync.decorators.fetching`, imported when the method is used: a worker starts without an event loop."""

        def __init__(self, function):
            self.__wrapped__ = function.__func__

        def __get__(self, instance, owner):
            from flyte_rpc.sync import decorators

            return decorators.fetching(classmethod(self.__wrapped__)).__get__(instance, owner)


_TIMEOUT = 60.0
_UPLOAD_TIMEOUT = 600.0
_WEB = ("http", "https")


@dataclass(frozen=True)
class File:
    """A file that is stored somewhere.

    Attributes:
        uri: Where: a path of this machine, or a URI such as `file:///data/a.csv`, `https://...` or `s3://...`.
        format: What is in it, such as "csv"; empty when nobody said.
        hash: Its content hash, if it is known.
    """

    uri: str
    format: str = ""
    hash: str | None = None

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
        client: Client | None = None,
    ) -> Any:
        """Upload a file of this machine; `await File.from_local.aio(...)` in async code.

        The same content under the same name gets the same place, so uploading it again does no harm.

        Args:
            local_path: The file.
            format: What is in it, such as "csv".
            project: Project that it is stored for. Default: the client's.
            domain: Domain that it is stored for. Default: the client's.
            timeout: Seconds for the whole upload. Default: 600.
            client: Whose control plane. Default: the current client's.

        Returns:
            A reference to the copy, with its MD5 digest as `hash`: actions with the same content share their cache.

        Raises:
            OSError: The file cannot be read.
            InitializationError: There is no client, project or domain.
            WaitTimeoutError: `timeout` has passed.
            RuntimeSystemError: The storage does not take it.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.CreateUploadLocation`, and puts the file to the link that it gives.
        """
        from .upload import Uploader

        with Uploader(client, project, domain, timeout) as uploader:
            stored = await uploader.file(Path(local_path))
        return cls(stored.uri, format, stored.digest)

    @classmethod
    def from_existing_remote(cls, remote_path: str, file_cache_key: str | None = None) -> File:
        """A reference to a file that is stored already; nothing is read.

        Args:
            remote_path: Its URI.
            file_cache_key: What tells its content from another, for caches. Default: nothing, the URI does.
        """
        return cls(remote_path, hash=file_cache_key)

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return _name(self.uri)

    def open(self, mode: str = "rb", *, encoding: str | None = None, timeout: float = _TIMEOUT) -> IO[Any]:
        """Open it for reading.

        Args:
            mode: "rb" for bytes, "r" for text.
            encoding: Encoding of text; UTF-8 unless given.
            timeout: Seconds to wait for each response of a web server.

        Returns:
            An open file; use it in a `with` statement.

        Raises:
            ValueError: The mode is not for reading, or nothing here opens that kind of URI.
            OSError: It cannot be opened.
        """
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f'a File is opened for reading, with mode "rb" or "r", not {mode!r}')
        path = local_path(self.uri)
        if path is not None:
            return path.open(mode, encoding=None if mode == "rb" else encoding or "utf-8")
        import io

        from .web import opened

        if urlsplit(self.uri).scheme not in _WEB:
            raise _unopened(self.uri, _WEB)
        reply = opened(self.uri, timeout)
        return reply if mode == "rb" else io.TextIOWrapper(reply, encoding=encoding or "utf-8")

    def download(self, path: str | os.PathLike[str] | None = None, *, timeout: float = _TIMEOUT) -> Path:
        """Copy it to this machine.

        Args:
            path: The file to write, or a directory to put it in; without it a new temporary directory.
            timeout: Seconds to wait for each response of a web server.

        Returns:
            Where the copy is. Nothing is left there if the copy fails.

        Raises:
            ValueError: Nothing here opens that kind of URI.
            OSError: It cannot be read or written.
        """
        import shutil

        with self.open(timeout=timeout) as source:
            target = Path(path) if path is not None else _temporary()
            if target.is_dir():
                target = target / (self.name or "file")
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                with part.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
        return target


@dataclass(frozen=True)
class Dir:
    """A directory that is stored somewhere.

    Attributes:
        uri: Where: a path of this machine, or a URI such as `file:///data` or `s3://...`.
        format: What its files hold, such as "csv"; empty when nobody said.
        hash: Its content hash, if it is known.
    """

    uri: str
    format: str = ""
    hash: str | None = None

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
        client: Client | None = None,
    ) -> Any:
        """Upload a directory of this machine with all files below it; `await Dir.from_local.aio(...)` in async code.

        Files go eight at a time. The same content gets the same place, so uploading it again does no harm.

        Args:
            local_path: The directory.
            format: What its files hold, such as "csv".
            project: Project that it is stored for. Default: the client's.
            domain: Domain that it is stored for. Default: the client's.
            timeout: Seconds for the whole upload. Default: 600.
            client: Whose control plane. Default: the current client's.

        Returns:
            A reference to the copy, with a digest of names and contents as `hash`.

        Raises:
            OSError: A file cannot be read, or it is no directory.
            ValueError: It has no files, or one that cannot be uploaded, such as a link to a directory.
            InitializationError: There is no client, project or domain.
            WaitTimeoutError: `timeout` has passed.
            RuntimeSystemError: The storage does not take a file, or not under its name.
            RpcError: A call failed; the subclass says how.

        Calls `DataProxyService.CreateUploadLocation` for each file.
        """
        from .upload import Uploader

        with Uploader(client, project, domain, timeout) as uploader:
            stored = await uploader.directory(Path(local_path))
        return cls(stored.uri, format, stored.digest)

    @classmethod
    def from_existing_remote(cls, remote_path: str, dir_cache_key: str | None = None) -> Dir:
        """A reference to a directory that is stored already; nothing is read.

        Args:
            remote_path: Its URI.
            dir_cache_key: What tells its content from another, for caches. Default: nothing, the URI does.
        """
        return cls(remote_path, hash=dir_cache_key)

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return _name(self.uri)

    def files(self) -> Iterator[File]:
        """The files in it and in the directories below, by path.

        Raises:
            ValueError: It is not on this machine.
            NotADirectoryError: The directory does not exist.
        """
        root = self._local()
        for found in sorted(root.rglob("*")):
            if found.is_file():
                yield File(found.as_uri(), self.format)

    def download(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Copy it, with all that is below it.

        Args:
            path: The directory to make or to add to; without it a new temporary directory.

        Raises:
            ValueError: It is not on this machine; nothing here lists a directory elsewhere.
            OSError: It cannot be read or written.
        """
        import shutil

        root = self._local()
        target = Path(path) if path is not None else _temporary() / (self.name or "dir")
        shutil.copytree(root, target, dirs_exist_ok=True)
        return target

    def _local(self) -> Path:
        root = local_path(self.uri)
        if root is None:
            raise _unopened(self.uri, ())
        if not root.is_dir():
            raise NotADirectoryError(f"{self.uri} is not a directory of this machine")
        return root.absolute()


@dataclass(frozen=True)
class StructuredDataset:
    """A data frame that is stored somewhere. It is a reference: a library of data frames reads what `uri` names.

    Attributes:
        uri: Where.
        format: How, such as "parquet"; empty when nobody said.
        columns: Type of each column by name, where the task declares them. A type without Python form is `Any`.
    """

    uri: str
    format: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)


def local_path(uri: str) -> Path | None:
    """The path that a URI means on this machine; None if it is elsewhere.

    Raises:
        ValueError: It is a `file:` URI of another machine.
    """
    parts = urlsplit(uri)
    # One letter is the drive of a Windows path.
    if len(parts.scheme) < 2:
        return Path(uri)
    if parts.scheme != "file":
        return None
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"{uri} is a file of the machine {parts.netloc!r}, not of this one")
    return Path(unquote(parts.path))


def absolute_uri(uri: str) -> str:
    """A URI that means the same in another process: a plain path becomes a `file:` URI."""
    if len(urlsplit(uri).scheme) > 1:
        return uri
    return Path(uri).absolute().as_uri()


def _unopened(uri: str, schemes: tuple[str, ...]) -> ValueError:
    scheme = urlsplit(uri).scheme
    able = ", ".join(["local paths", "file", *schemes])
    return ValueError(f"{uri}: {scheme} is not a scheme that can be opened here (only {able}); use a library for it")


def _temporary() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="flyte-"))


def _name(uri: str) -> str:
    path = urlsplit(uri).path if len(urlsplit(uri).scheme) > 1 else uri
    return unquote(path).rstrip("/").rpartition("/")[2]
