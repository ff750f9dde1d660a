"""Archives that lead out of the directory they are extracted to."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte.errors import RuntimeSystemError
from flyte.remote.runs.downloads.archives import extract

Fill = Callable[[tarfile.TarFile], None]


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> Fill:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), mode
        archive.addfile(member, io.BytesIO(content))

    return add


def entry(name: str, kind: bytes, link: str = "") -> Fill:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member)

    return add


def packed(directory: Path, *entries: Fill, mode: str = "w:gz") -> Path:
    path = directory / "code.tgz"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # the mode is one of several
        for add in entries:
            add(archive)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_files_directories_and_links_within(tmp_path: Path, target: Path) -> None:
    archive = packed(
        tmp_path,
        entry("./", tarfile.DIRTYPE),
        entry("empty", tarfile.DIRTYPE),
        file("./pkg/main.py", b"main", 0o755),
        entry("pkg/same.py", tarfile.SYMTYPE, "main.py"),
        entry("again.py", tarfile.SYMTYPE, "pkg/../pkg/same.py"),
        entry("pkg/hard.py", tarfile.LNKTYPE, "pkg/main.py"),
    )
    extract(archive, target)
    assert contents(target) == dict.fromkeys(("pkg/main.py", "pkg/same.py", "again.py", "pkg/hard.py"), b"main")
    assert (target / "empty").is_dir()
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "pkg/main.py").stat().st_mode & 0o100


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([file("../evil.py")], "leads out"),
        ([file("a/../../evil.py")], "leads out"),
        ([file("/tmp/evil.py")], "leads out"),
        ([file("C:/evil.py")], "leads out"),
        ([entry("link", tarfile.SYMTYPE, "../secret")], "outside of the archive"),
        ([entry("link", tarfile.SYMTYPE, "/etc/passwd")], "outside of the archive"),
        ([entry("link", tarfile.LNKTYPE, "../secret")], "outside of the archive"),
        ([entry("link", tarfile.SYMTYPE, "missing")], "is no file in the archive"),
        ([entry("dir", tarfile.DIRTYPE), entry("link", tarfile.SYMTYPE, "dir")], "is no file in the archive"),
        ([entry("a", tarfile.SYMTYPE, "b"), entry("b", tarfile.SYMTYPE, "a")], "is no file in the archive"),
        ([entry("pipe", tarfile.FIFOTYPE)], "neither a file nor a directory"),
        ([entry("device", tarfile.CHRTYPE)], "neither a file nor a directory"),
    ],
)
def test_nothing_is_extracted_from_an_archive_with_a_bad_entry(
    tmp_path: Path, target: Path, entries: list[Fill], complaint: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    archive = packed(tmp_path, file("good.py"), *entries)
    with pytest.raises(RuntimeSystemError, match=complaint):
        extract(archive, target)
    assert list(target.iterdir()) == []
    assert not (tmp_path / "evil.py").exists()


def test_links_that_were_there_before_are_not_followed(tmp_path: Path, target: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (target / "pkg").symlink_to(outside)
    with pytest.raises(RuntimeSystemError, match="leads out of"):
        extract(packed(tmp_path, file("pkg/main.py")), target)
    (outside / "kept").write_text("kept")
    (target / "main.py").symlink_to(outside / "kept")
    with pytest.raises(RuntimeSystemError, match="is a link"):
        extract(packed(tmp_path, file("main.py")), target)
    assert contents(outside) == {"kept": b"kept"}


@pytest.mark.parametrize("damage", ["text", "cut"])
def test_damaged_archives(tmp_path: Path, target: Path, damage: str) -> None:
    archive = packed(tmp_path, file("main.py", bytes(range(256)) * 400))
    archive.write_bytes(b"no archive" if damage == "text" else archive.read_bytes()[:200])
    with pytest.raises(RuntimeSystemError, match=r"code\.tgz is not a readable tar archive"):
        extract(archive, target)


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_changed_byte_is_noticed_before_anything_is_written(tmp_path: Path, target: Path, mode: str) -> None:
    archive = packed(tmp_path, file("main.py", random.Random(1).randbytes(200_000)), mode=mode)
    data = bytearray(archive.read_bytes())
    data[100_000] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(RuntimeSystemError, match=r"code\.tgz is not a readable tar archive"):
        extract(archive, target)
    assert contents(target) == {}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("x", "a", "a/b"), r"its entry 'a/b' is below 'a', which is a file"),
        (("x", "."), "its entry '.' is the directory itself"),
        (("x", "a/.."), "its entry 'a/..' is the directory itself"),
    ],
)
def test_files_in_the_place_of_directories(tmp_path: Path, target: Path, names: tuple[str, ...], told: str) -> None:
    with pytest.raises(RuntimeSystemError, match=told):
        extract(packed(tmp_path, *map(file, names)), target)
    assert contents(target) == {}
