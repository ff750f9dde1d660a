"""``protos.lock``: the source of the definitions, and their hashes at the time of the import."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from .problem import ImportProblem

FILE_NAME = "protos.lock"


@attrs.frozen
class Source:
    """One recorded wheel."""

    name: str
    version: str
    sha256: str


@attrs.frozen
class Lock:
    """The record of one import: the wheels, and the hash of each written file by path."""

    sources: tuple[Source, ...] = ()
    files: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @classmethod
    def load(cls, directory: Path) -> "Lock":
        """Read the lock of a directory; without a lock file, return an empty lock."""
        path = directory / FILE_NAME
        try:
            table = tomllib.loads(path.read_text("utf-8"))
            sources = tuple(Source(str(s["name"]), str(s["version"]), str(s["sha256"])) for s in table["source"])
            return cls(sources, {str(name): str(digest) for name, digest in table["files"].items()})
        except FileNotFoundError:
            return cls()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ImportProblem(f"{path} cannot be read ({error!r}); delete it and run the import again") from None

    def text(self) -> str:
        """The lock as TOML."""
        lines = ["# Written by `flyte-codegen import`. The hashes ignore comments and blank lines."]
        for source in self.sources:
            lines += [
                "",
                "[[source]]",
                *(f"{key} = {json.dumps(value)}" for key, value in attrs.asdict(source).items()),
            ]
        lines += ["", "[files]", *(f"{json.dumps(name)} = {json.dumps(digest)}" for name, digest in self.files.items())]
        return "\n".join(lines) + "\n"

    def check_sources(self, sources: Sequence[Source]) -> None:
        """Refuse a wheel if its contents changed without a new version."""
        known = {(source.name, source.version): source.sha256 for source in self.sources}
        for source in sources:
            recorded = known.get((source.name, source.version), source.sha256)
            if recorded != source.sha256:
                raise ImportProblem(
                    f"{source.name} {source.version} has sha256 {source.sha256}, but {FILE_NAME} recorded {recorded}; "
                    f"find out why a released wheel changed, and delete {FILE_NAME} to accept it"
                )


def definitions_hash(text: str) -> str:
    """Return the SHA-256 of a file's definitions: its lines without comments and blank lines."""
    kept = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("//")]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def verify(directory: Path) -> list[str]:
    """Yield differences between a directory and its lock, one line each: missing files and edited definitions."""
    lock = Lock.load(directory)
    if not lock.files:
        return [f"{directory / FILE_NAME} does not exist; run `flyte-codegen import`"]
    found: list[str] = []
    for name, digest in lock.files.items():
        path = directory / name
        if not path.is_file():
            found.append(f"{path} is missing; run `flyte-codegen import`")
        elif definitions_hash(path.read_text("utf-8")) != digest:
            found.append(
                f"{path} differs from what was imported; only comments may be edited, run `flyte-codegen import`"
            )
    return found
