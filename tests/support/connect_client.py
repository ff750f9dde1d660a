"""A connect-go client, which makes one call at a time. Built from `connect_go/client`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a call ended."""

    replies: list[Any]
    code: str
    """Empty for a success."""
    message: str
    details: list[dict[str, str]]
    """Full names and base64 of the messages that the error carries."""


class GoClient:
    """A running client."""

    def __init__(self, process: asyncio.subprocess.Process, endpoint: str) -> None:
        self._process = process
        self._endpoint = endpoint

    async def call(self, path: str, *messages: dict[str, Any], **options: Any) -> Ended:
        """Make a call.

        Args:
            path: Of the method.
            messages: The requests.
            options: Fields of `call` in the client's source: protocol, http, codec, kind, gzip, get, headers, timeout, cancel.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        told = {"protocol": "connect", "http": "1.1", "codec": "proto", "kind": "unary"} | options
        told |= {"url": self._endpoint + path, "messages": [json.dumps(message) for message in messages]}
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        await self._process.stdin.drain()
        ended = json.loads(await self._process.stdout.readline())
        return Ended(
            [json.loads(reply) for reply in ended["replies"]], ended["code"], ended["message"], ended["details"]
        )


@asynccontextmanager
async def go_client(program: Path, endpoint: str) -> AsyncGenerator[GoClient, None]:
    """Run the client."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, stdin=pipe, stdout=pipe, limit=2**28)
    assert process.stdin is not None
    try:
        yield GoClient(process, endpoint)
    finally:
        process.stdin.close()  # which ends it
        await process.wait()
