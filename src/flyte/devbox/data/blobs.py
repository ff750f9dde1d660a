"""Files in place of object storage: inputs.pb, outputs.pb, and other files of tasks and clients."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from flyte.devbox.keys import ActionKey, RunKey

from . import hashing

_NAMESPACE = "flyte"
_MAX_SEGMENT = 200
"""Maximum bytes of a file name, without the suffix that is appended to truncated names."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f/]|%(?=[0-9A-F]{2})")
"""Characters that file names cannot or should not have, and their replacements."""
_SAFE = "@+=:,~!$&'()*"


class BlobError(Exception):
    """A URI is not in this storage, or a file cannot be read or written."""


class Blobs:
    """A directory of files with `file://` URIs, so that any process on this machine can open them."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @property
    def base(self) -> str:
        """URI of the storage, without a trailing slash. It takes the place of a bucket."""
        return self.root.as_uri()

    def read(self, uri: str) -> bytes | None:
        """Return the content of a file, or None if it does not exist.

        Raises:
            BlobError: The reference is not a file of this machine, or reading failed.
        """
        try:
            return self.path(uri).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BlobError(f"cannot read {uri}: {error.strerror}") from error

    def write(self, uri: str, data: bytes) -> None:
        """Write a file atomically: readers see the old or the new content.

        Raises:
            BlobError: The reference is not a file of this machine, or writing failed.
        """
        path = self.path(uri)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise BlobError(f"cannot write {uri}: {error.strerror}") from error

    def copy(self, source: str, target: str) -> None:
        """Copy a file.

        Raises:
            BlobError: Either reference is not a file of this machine, or copying failed.
        """
        origin, path = self.path(source), self.path(target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, path)
        except OSError as error:
            raise BlobError(f"cannot copy {source} to {target}: {error.strerror}") from error

    def exists(self, uri: str) -> bool:
        """Whether the storage has a file with that URI."""
        try:
            return self.path(uri).is_file()
        except BlobError:
            return False

    def path(self, uri: str) -> Path:
        """Return the file path of a URI.

        Raises:
            BlobError: The URI does not name a file of this machine by its absolute path.
        """
        parts = urlsplit(uri)
        path = Path(unquote(parts.path))
        if parts.scheme not in ("", "file") or parts.netloc or not path.is_absolute():
            raise BlobError(f"{uri!r} is not a file:// URI with an absolute path; the devbox stores only such files")
        return path

    def run_base(self, run: RunKey, base: str = "") -> str:
        """Return the directory URI of a run's files, with a trailing slash; `base` replaces the storage's URI."""
        return f"{base.rstrip('/') or self.base}/{uri_path(*run)}/"

    def output_directory(self, run_output_base: str, key: ActionKey, attempt: int) -> str:
        """Return the output directory of an attempt: the shard follows the bucket."""
        shard = hashing.shard(f"{_NAMESPACE}/{key.run}-{key.name}")
        inside = run_output_base.removeprefix(f"{self.base}/")
        bucket = self.base if inside != run_output_base else inside.rstrip("/")
        rest = inside.strip("/") if bucket == self.base else ""
        return "/".join(part for part in (bucket, shard, rest, uri_path(key.name), str(attempt)) if part)


def segments(*names: str) -> str:
    """Convert names to path segments that can't leave the directory and are not too long for a file name."""
    return "/".join(_segment(name) for name in names if name)


def uri_path(*names: str) -> str:
    """Convert names to the path segments of a URI."""
    return quote(segments(*names), safe=f"/{_SAFE}")


def _segment(name: str) -> str:
    text = _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", name)
    if text in (".", ".."):
        text = text.replace(".", "%2E")
    if len(text.encode()) > _MAX_SEGMENT:
        kept = text.encode()[:_MAX_SEGMENT].decode(errors="ignore")
        text = f"{kept}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return text
