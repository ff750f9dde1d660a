"""Extraction of archives that others have written."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from flyte.errors import RuntimeSystemError

_CHUNK = 2**20


def extract(archive: Path, target: Path) -> None:
    """Extract a tar archive into a directory. Nothing is written outside of it, and no link is created.

    A link in the archive becomes a copy of the file that it names, which must be in the archive too.

    Args:
        archive: The file, compressed or not.
        target: The directory, which exists. Files in it are replaced.

    Raises:
        RuntimeSystemError: The file is no archive, is damaged, or has an entry that leads out of it; nothing was extracted
            then.
        OSError: A file cannot be written.
    """
    try:
        with tarfile.open(archive) as source:
            members = {_checked(member, archive): member for member in source.getmembers()}
            # Up to the end of the file, where compressed archives have a checksum.
            while source.fileobj.read(_CHUNK):
                pass
            files = {path: _content(path, members, archive) for path, member in members.items() if not member.isdir()}
            _check_paths(files, members, archive)
            places = {path: _inside(target, path) for path in members}
            for path, member in members.items():
                if member.isdir():
                    places[path].mkdir(parents=True, exist_ok=True)
            for path, member in files.items():
                _write(source, member, places[path])
    except (tarfile.TarError, EOFError, UnicodeError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        raise RuntimeSystemError(f"{archive.name} is not a readable tar archive: {why}", code="BadArchive") from None


def _check_paths(
    files: Mapping[PurePosixPath, tarfile.TarInfo], members: Mapping[PurePosixPath, tarfile.TarInfo], archive: Path
) -> None:
    """Refuse a file that is the directory itself, or that another entry takes for a directory."""
    if PurePosixPath() in files:
        raise _unsafe(archive, members[PurePosixPath()], "is the directory itself, but has the content of a file")
    for path in members:
        for above in path.parents:
            if above in files:
                raise _unsafe(archive, members[path], f"is below {str(above)!r}, which is a file")


def _checked(member: tarfile.TarInfo, archive: Path) -> PurePosixPath:
    path = _normal(PurePosixPath(member.name))
    if path is None:
        raise _unsafe(archive, member, "leads out of the directory")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise _unsafe(archive, member, "is neither a file nor a directory")
    return path


def _content(path: PurePosixPath, members: dict[PurePosixPath, tarfile.TarInfo], archive: Path) -> tarfile.TarInfo:
    """Return the member with the content of a file: its own, or that of the file that a link names."""
    member = members[path]
    seen: set[PurePosixPath] = set()
    while not member.isfile():
        link = PurePosixPath(member.linkname)
        named = _normal(path.parent / link if member.issym() else link)
        if named is None:
            raise _unsafe(archive, member, f"links to {member.linkname!r}, outside of the archive")
        if named in seen or named not in members or members[named].isdir():
            raise _unsafe(archive, member, f"links to {member.linkname!r}, which is no file in the archive")
        seen.add(named)
        path, member = named, members[named]
    return member


def _normal(path: PurePosixPath) -> PurePosixPath | None:
    """Return a relative path without `..`; None if it leads out of its root."""
    windows = PureWindowsPath(path)
    if path.is_absolute() or windows.drive or windows.root or "\0" in str(path):
        return None
    parts: list[str] = []
    for part in windows.parts if os.name == "nt" else path.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return PurePosixPath(*parts)


def _inside(target: Path, path: PurePosixPath) -> Path:
    """Return the place of a file. A link that was in the directory before must not lead out of it."""
    if not path.parts:
        return target
    place = target / path
    if not place.parent.resolve().is_relative_to(target.resolve()) or place.is_symlink():
        raise RuntimeSystemError(
            f"{place} is a link, or below one that leads out of {target}; extract into an empty directory",
            code="BadArchive",
        )
    return place


def _write(source: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    content = source.extractfile(member)
    if content is None:  # only directories have none
        raise tarfile.ReadError(f"{member.name} has no content")
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
    if member.mode & 0o100:
        place.chmod(place.stat().st_mode | 0o100)


def _unsafe(archive: Path, member: tarfile.TarInfo, why: str) -> RuntimeSystemError:
    return RuntimeSystemError(
        f"{archive.name} was not extracted: its entry {member.name!r} {why}; pass extract=False to keep the archive",
        code="BadArchive",
    )
