"""Lines and comments of one file, by protoc's source paths (sequences of numbers)."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from .features import Path


class Places:
    """The lines and comments of a file's elements."""

    def __init__(self, proto: FileDescriptorProto) -> None:
        self.name = proto.name
        self.locations = {tuple(found.path): found for found in proto.source_code_info.location}

    def at(self, path: Path, otherwise: Path = ()) -> str:
        """Return the file and line of `path`, else of the fallback, else only the file."""
        location = self.locations.get(path) or (self.locations.get(otherwise) if otherwise else None)
        return f"{self.name}:{location.span[0] + 1}" if location else self.name

    def doc(self, path: Path) -> str:
        """Return the leading comment of an element, else the trailing one."""
        location = self.locations.get(path)
        if location is None:
            return ""
        text = location.leading_comments or location.trailing_comments
        return "\n".join(line.removeprefix(" ").rstrip() for line in text.split("\n")).strip()
