"""Lines and comments of one file, found by the path of numbers that protoc keys them with."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from .features import Path


class Places:
    """Where the elements of a file stand, and what is written about them."""

    def __init__(self, proto: FileDescriptorProto) -> None:
        self.name = proto.name
        self.locations = {tuple(found.path): found for found in proto.source_code_info.location}

    def at(self, path: Path, otherwise: Path = ()) -> str:
        """The file and line of what the path leads to, else of what the other one does; at least the file."""
        location = self.locations.get(path) or (self.locations.get(otherwise) if otherwise else None)
        return f"{self.name}:{location.span[0] + 1}" if location else self.name

    def doc(self, path: Path) -> str:
        """The comment before an element, else the one behind it."""
        location = self.locations.get(path)
        if location is None:
            return ""
        text = location.leading_comments or location.trailing_comments
        return "\n".join(line.removeprefix(" ").rstrip() for line in text.split("\n")).strip()
