"""Files, directories and data frames: references to what is stored elsewhere, opened only when asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

_TIMEOUT = 60.0
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

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return _name(self.uri)

    def open(self, mode: str = "rb", *, encoding: str | None = None, timeout: float = _TIMEOUT) -> IO[Any]:
        """Open it for reading.

        Args:
            mode: "rb" for bytes, "r" for text.
            encoding: Encoding of text; UTF-8 unless given.
            timeout: Seconds to wait for a web server.

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
        import urllib.request

        if urlsplit(self.uri).scheme not in _WEB:
            raise _unopened(self.uri, _WEB)
        reply: Any = urllib.request.urlopen(self.uri, timeout=timeout)
        return reply if mode == "rb" else io.TextIOWrapper(reply, encoding=encoding or "utf-8")

    def download(self, path: str | os.PathLike[str] | None = None, *, timeout: float = _TIMEOUT) -> Path:
        """Copy it to this machine.

        Args:
            path: The file to write, or a directory to put it in; without it a new temporary directory.
            timeout: Seconds to wait for a web server.

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

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return _name(self.uri)

    def files(self) -> Iterator[File]:
        """The files in it and in the directories below, by path.

        Raises:
            ValueError: It is not on this machine.
            NotADirectoryError: There is no such directory.
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
