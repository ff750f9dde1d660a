"""A service with hand-written messages: what the runtime needs of a message is `parse` and `bytes()`, no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final, Self

from flyte_api.messages.google.protobuf.duration import Duration
from flyte_rpc.calls.rpc import Cardinality, Effect, Rpc
from flyte_rpc.serving.server import ServerCall, ServiceBase, Status, abort


class Note:
    """A message that travels as JSON text."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __bytes__(self) -> bytes:
        return json.dumps(self.fields).encode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        return cls(**json.loads(data))


def _rpc(method: str, cardinality: Cardinality, effect: Effect = Effect.READ) -> Rpc[Note, Note]:
    return Rpc(f"/test.Echo/{method}", "support.echo:Note", "support.echo:Note", cardinality, effect)


class Echo:
    SAY: Final = _rpc("Say", Cardinality.UNARY)
    KEEP: Final = _rpc("Keep", Cardinality.UNARY, Effect.IDEMPOTENT)
    WRITE: Final = _rpc("Write", Cardinality.UNARY, Effect.WRITE)
    COUNT: Final = _rpc("Count", Cardinality.SERVER_STREAM)
    SUM: Final = _rpc("Sum", Cardinality.CLIENT_STREAM)
    CHAT: Final = _rpc("Chat", Cardinality.BIDI)
    MISSING: Final = _rpc("Missing", Cardinality.UNARY)


class EchoServer(ServiceBase):
    """Answers with what it was sent; fails as its requests ask; remembers every call."""

    RPCS = (
        ("say", Echo.SAY),
        ("say", Echo.KEEP),
        ("say", Echo.WRITE),
        ("count", Echo.COUNT),
        ("sum", Echo.SUM),
        ("chat", Echo.CHAT),
    )

    def __init__(self) -> None:
        self.calls: list[ServerCall] = []
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()
        self.failures: list[Status] = []
        """Statuses that the next calls end with, first one first."""
        self.sent = 0
        """The number in the reply that a stream is sending."""
        self.read = 0
        """How many requests the streams of clients have read."""
        self.reading = asyncio.Event()
        """Streams of clients are only read while it is set."""
        self.reading.set()

    async def say(self, request: Note, call: ServerCall) -> Note:
        self.calls.append(call)
        self.entered.set()
        if self.failures:
            abort(self.failures.pop(0), "as you wish")
        if "status" in request.fields:
            details = [Duration(seconds=90)] if "details" in request.fields else []
            abort(Status[request.status], request.fields.get("message", "as you wish"), details)
        if "crash" in request.fields:
            raise RuntimeError("secret path /etc/shadow")
        if "hang" in request.fields:
            await self._hang()
        if "size" in request.fields:
            return Note(big="x" * request.size)
        return Note(**request.fields)

    async def count(self, request: Note, call: ServerCall) -> AsyncIterator[Note]:
        self.calls.append(call)
        self.entered.set()
        big = {"big": "x" * request.size} if "size" in request.fields else {}
        for n in range(request.to):
            self.sent = n
            yield Note(n=n, **big)
        if "status" in request.fields:
            abort(Status[request.status], "after the last")
        if "hang" in request.fields:
            await self._hang()

    async def sum(self, requests: AsyncIterator[Note], call: ServerCall) -> Note:
        self.calls.append(call)
        total = 0
        async for request in requests:
            self.entered.set()
            self.read += 1
            total += request.n
            await self.reading.wait()
        return Note(total=total)

    async def chat(self, requests: AsyncIterator[Note], call: ServerCall) -> AsyncIterator[Note]:
        async for request in requests:
            yield Note(n=request.n * 2)

    async def _hang(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
