"""First stage: .proto files to a descriptor set, by protoc."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from .diagnostics import CodegenError, Diagnostic, error, fail

_PROTOC_LINE = re.compile(r"^(?P<place>[^:\s]+\.proto(?::\d+(?::\d+)?)?):\s*(?P<message>.*)$")


def load(roots: Sequence[Path]) -> FileDescriptorSet:
    """Compile every .proto file below `roots`, comments and dependencies included.

    Raises:
        CodegenError: A root is missing or empty, or protoc refuses a file; with protoc's file and line.
    """
    for root in roots:
        if not root.is_dir():
            raise fail(str(root), "no such folder of .proto files", "correct [input] protos in codegen.toml")
    protos = sorted({p.relative_to(root).as_posix() for root in roots for p in root.rglob("*.proto")})
    if not protos:
        raise fail(", ".join(map(str, roots)), "no .proto files found", "correct [input] protos in codegen.toml")
    well_known = str(files("grpc_tools") / "_proto")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "set.desc")
        includes = [f"-I{root}" for root in roots] + [f"-I{well_known}"]
        arguments = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *arguments, *protos]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CodegenError(_explained(done.stderr))
        return FileDescriptorSet.FromString(out.read_bytes())


def _explained(stderr: str) -> list[Diagnostic]:
    """protoc's complaints as diagnostics; its warnings ride along only when nothing is recognised as an error."""
    found = []
    for line in stderr.splitlines():
        match = _PROTOC_LINE.match(line)
        if match and not match["message"].startswith("warning"):
            remedy = "add the folder that holds it to [input] protos" if "not found" in match["message"] else ""
            found.append(error(match["place"], match["message"], remedy))
    return found or [error("protoc", stderr.strip() or "failed without a message")]
