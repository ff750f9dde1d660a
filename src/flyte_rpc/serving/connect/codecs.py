"""How messages are written: protobuf, or the JSON mapping of protobuf."""

from __future__ import annotations

import json
from typing import Any, Protocol

from flyte_rpc.calls.rpc import Rpc


class MessageCodec(Protocol):
    """Reads requests and writes replies."""

    name: str
    """As in content types."""

    def fits(self, rpc: Rpc[Any, Any]) -> bool:
        """Whether the messages of a method can be written this way."""
        ...

    def decode(self, rpc: Rpc[Any, Any], data: bytes) -> Any:
        """Read a request.

        Raises:
            ValueError: The data is not the request of this method.
        """
        ...

    def encode(self, reply: Any) -> bytes:
        """Write a reply."""
        ...


class _Proto:
    name = "proto"

    def fits(self, rpc: Rpc[Any, Any]) -> bool:
        return True

    def decode(self, rpc: Rpc[Any, Any], data: bytes) -> Any:
        return rpc.request_type.parse(data)

    def encode(self, reply: Any) -> bytes:
        return bytes(reply)


class _Json:
    name = "json"

    def fits(self, rpc: Rpc[Any, Any]) -> bool:
        # Messages that are written by hand need no JSON form.
        return hasattr(rpc.request_type, "from_json") and hasattr(rpc.response_type, "to_dict")

    def decode(self, rpc: Rpc[Any, Any], data: bytes) -> Any:
        # Fields of newer definitions are ignored, as they are in protobuf.
        return rpc.request_type.from_json(data or b"{}", ignore_unknown_fields=True)

    def encode(self, reply: Any) -> bytes:
        return json.dumps(reply.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()


PROTO: MessageCodec = _Proto()
JSON: MessageCodec = _Json()
