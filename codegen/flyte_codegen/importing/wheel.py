"""Read wheels of compiled protobuf modules as data. Code inside a wheel is never imported or run."""

import ast
import email.parser
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import attrs
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from .problem import ImportProblem

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*")
_DOWNLOAD_SECONDS = 300


@attrs.frozen
class Wheel:
    """The descriptors of one wheel.

    Attributes:
        name: Distribution name, from the wheel's metadata.
        version: Distribution version.
        sha256: Hash of the wheel file, in hexadecimal.
        files: Its file descriptors by ``.proto`` path.
    """

    name: str
    version: str
    sha256: str
    files: Mapping[str, FileDescriptorProto] = attrs.field(repr=False)


def open_wheel(source: str) -> Wheel:
    """Read a wheel from a path, or download it with pip for a pinned requirement such as ``flyteidl2==2.0.53``."""
    if source.endswith(".whl"):
        return read_wheel(Path(source))
    if not _PIN.fullmatch(source):
        raise ImportProblem(
            f"{source!r} is neither a path to a .whl file nor a pinned requirement; write it like flyteidl2==2.0.53"
        )
    with tempfile.TemporaryDirectory() as directory:
        return read_wheel(_download(source, Path(directory)))


def _download(pin: str, directory: Path) -> Path:
    # fmt: off
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--only-binary", ":all:", "--dest", str(directory), pin,
    ]
    # fmt: on
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ImportProblem(
            f"pip did not fetch {pin} within {_DOWNLOAD_SECONDS} seconds; download the wheel and pass its path"
        ) from None
    wheels = sorted(directory.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise ImportProblem(f"pip could not fetch {pin} ({lines[-1].strip()}); download the wheel and pass its path")
    return wheels[0]


def read_wheel(path: Path) -> Wheel:
    """Read the descriptors inside a wheel file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImportProblem(f"cannot read the wheel {path}: {error.strerror or error}; check the path") from None
    files: dict[str, FileDescriptorProto] = {}
    name = version = ""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                if member.endswith("_pb2.py"):
                    file = _descriptor_of(archive.read(member), f"{path}:{member}")
                    if file is not None:
                        files[file.name] = file
                elif member.endswith(".dist-info/METADATA") and member.count("/") == 1:
                    metadata = email.parser.BytesParser().parsebytes(archive.read(member), headersonly=True)
                    name, version = str(metadata.get("Name", "")), str(metadata.get("Version", ""))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ImportProblem(f"{path} is not a readable wheel ({error}); download it again") from None
    if not name or not version:
        raise ImportProblem(f"{path} has no dist-info metadata, so it is not a wheel; download it again")
    if not files:
        raise ImportProblem(f"{path} contains no compiled protobuf modules (*_pb2.py); pass a wheel that does")
    return Wheel(name=name, version=version, sha256=hashlib.sha256(data).hexdigest(), files=files)


def _descriptor_of(source: bytes, where: str) -> FileDescriptorProto | None:
    """Return the serialized descriptor that a ``_pb2.py`` registers, from its syntax tree; None if there is none."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ImportProblem(f"{where} is not valid Python ({error}); download the wheel again") from None
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="AddSerializedFile"), args=[ast.Constant(value=bytes(data))]):
                try:
                    return FileDescriptorProto.FromString(data)
                except DecodeError:
                    raise ImportProblem(f"{where} contains a damaged descriptor; download the wheel again") from None
            case _:
                pass
    return None
