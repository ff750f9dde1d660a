"""First stage: compile .proto files to a descriptor set with protoc."""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from flyte_codegen.diagnostics import CodegenError, Diagnostic, error, fail

_SECONDS = 120
_NOT_FOUND = 'add its folder to [input] include; for Flyte\'s definitions, add "@flyte"'
# The prefixes of Google's common definitions, and the one file that their package has under another name.
_COMMON = re.compile(r"google/(api|rpc|rpc/context|type|logging/type|longrunning)/\w+\.proto")
_GET_COMMON = (
    "run `pip install --no-deps --target third_party googleapis-common-protos`, "
    'and add "third_party" to [input] include'
)
_RENAMED = {"google/longrunning/operations.proto": "google/longrunning/operations_proto.proto"}
_COMPLAINT = re.compile(r"(?P<place>[^:]+\.proto(?::\d+(?::\d+)?)?):\s*(?P<message>.*)")
_IMPORT = re.compile(r'Import "([^"]+)" was not found or had errors')


def load(roots: Sequence[Path], include: Sequence[Path] = ()) -> FileDescriptorSet:
    """Compile every .proto file below `roots`, and the files that they import from there or from `include`.

    Only comments of these files are read; protoc's own definitions come without comments.

    Raises:
        CodegenError: A root is missing or empty, or protoc rejects a file; the error has protoc's file and line.
    """
    for root in roots:
        if not root.is_dir():
            raise fail(str(root), "no such folder of .proto files", "correct [input] protos in codegen.toml")
    for root in include:
        if not root.is_dir():
            raise fail(str(root), "no such folder of .proto files", "correct [input] include in codegen.toml")
    own = own_files(roots)
    if not own:
        raise fail(", ".join(map(str, roots)), "no .proto files found", "correct [input] protos in codegen.toml")
    findings = [finding for root in roots for name in own if (finding := _unreadable(root, name))]
    if findings:
        raise CodegenError(findings)
    compiled = _compile([*roots, *include], own)
    for file in compiled.file:
        if file.name not in own:
            for location in file.source_code_info.location:
                location.ClearField("leading_comments")
                location.ClearField("trailing_comments")
    return compiled


def own_files(roots: Sequence[Path]) -> list[str]:
    """Return the names of the .proto files below `roots`, as imports write them."""
    return sorted({p.relative_to(root).as_posix() for root in roots for p in root.rglob("*.proto") if p.is_file()})


def _unreadable(root: Path, name: str) -> Diagnostic | None:
    """Find a file that is not UTF-8. protoc accepts any bytes in comments, but docstrings must be text."""
    file = root / name
    content = file.read_bytes() if file.is_file() else b""
    try:
        content.decode()
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        return error(f"{name}:{line}", "is not UTF-8", "save it as UTF-8")
    return None


def _compile(roots: Sequence[Path], protos: Sequence[str]) -> FileDescriptorSet:
    with tempfile.TemporaryDirectory() as scratch:
        out, listing = Path(scratch, "set.desc"), Path(scratch, "arguments")
        includes = [f"-I{root}" for root in (*roots, files("grpc_tools") / "_proto")]
        wanted = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
        # Paths are passed in a file: thousands of them would not fit on a command line.
        listing.write_text("\n".join([*includes, *wanted, *protos]), encoding="utf-8")
        command = [sys.executable, "-m", "grpc_tools.protoc", f"@{listing}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise fail("protoc", f"did not finish within {_SECONDS} seconds", "run it again") from None
        if done.returncode:
            raise CodegenError(_explained(done.stderr, roots, protos))
        return FileDescriptorSet.FromString(out.read_bytes())


def _explained(stderr: str, roots: Sequence[Path], own: Sequence[str]) -> list[Diagnostic]:
    """Return protoc's errors as diagnostics, without the errors that only follow from a missing import.

    Warnings are left out unless they are all that could be parsed.
    """
    for root in roots:
        stderr = stderr.replace(f"{root}/", "")
    matches = [match for line in stderr.splitlines() if (match := _COMPLAINT.fullmatch(line))]
    said = [(m["place"], m["message"]) for m in matches if not m["message"].startswith("warning")]
    missing = {place for place, message in said if message.startswith("File not found")}
    importing = {_file(place) for place, message in said if _IMPORT.match(message)}
    found: list[Diagnostic] = []
    for place, message in said:
        match = _IMPORT.match(message)
        name = match[1] if match else ""
        undefined = "is not defined" in message
        if name in missing:
            found.append(error(place, f"the imported file {name} was not found", _whence(name, own)))
        # The other errors follow from an import, and are reported there.
        elif not (name or place in missing or (undefined and _file(place) in importing)):
            remedy = "define it, or import the file that defines it" if undefined else "correct the definition"
            found.append(error(place, message, remedy))
    return found or [error("protoc", stderr.strip() or "failed without a message")]


def _whence(name: str, own: Sequence[str]) -> str:
    """Return a remedy for a missing file."""
    if name in _RENAMED:
        return f"import {_RENAMED[name]}, its name in googleapis-common-protos; if that is not found, {_GET_COMMON}"
    if _COMMON.fullmatch(name):
        return _GET_COMMON
    near = difflib.get_close_matches(name, own, n=1)
    return f"did you mean {near[0]}? Otherwise, {_NOT_FOUND}" if near else _NOT_FOUND


def _file(place: str) -> str:
    return place.partition(":")[0]
