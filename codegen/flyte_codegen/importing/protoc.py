"""Run protoc as a separate process, so that its output can be reported."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from .problem import ImportProblem

_SECONDS = 120


def compile_protos(directory: Path, paths: Sequence[str]) -> dict[str, FileDescriptorProto]:
    """Compile files of a directory. Return the descriptors by path, with source info.

    Raises:
        ImportProblem: protoc rejected a file (the error quotes its first message), or is not installed.
    """
    if not paths:
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "set.pb"
        # Paths are passed in a file: thousands of them would not fit on a command line.
        listing = Path(scratch) / "arguments"
        listing.write_text(
            "\n".join([f"-I{directory}", f"--descriptor_set_out={result}", "--include_source_info", *paths]), "utf-8"
        )
        command = [sys.executable, "-m", "grpc_tools.protoc", f"@{listing}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ImportProblem(f"protoc did not finish {directory} within {_SECONDS} seconds; run it again") from None
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.strip() and "warning:" not in line]
            reason = errors[0] if errors else f"exit status {done.returncode}"
            if "No module named" in done.stderr:
                reason = "grpcio-tools is not installed; pip install 'flyte-remote[codegen]'"
            raise ImportProblem(f"protoc rejected a file in {directory}: {reason}")
        return {file.name: file for file in FileDescriptorSet.FromString(result.read_bytes()).file}
