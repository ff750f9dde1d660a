"""A service with hand-written messages: what the runtime needs of a message is `parse` and `bytes()`, no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final, Self

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

    async def say(self, request: Note, call: ServerCall) -> Note:
        self.calls.append(call)
        self.entered.set()
        if self.failures:
            abort(self.failures.pop(0), "as you wish")
        if "status" in request.fields:
            abort(Status[request.status], request.fields.get("message", "as you wish"))
        if "crash" in request.fields:
            raise RuntimeError("secret path /etc/shadow")
        if "hang" in request.fields:
            await self._hang()
        return Note(**request.fields)

    async def count(self, request: Note, call: ServerCall) -> AsyncIterator[Note]:
        self.calls.append(call)
        self.entered.set()
        for n in range(request.to):
            yield Note(n=n)
        if "status" in request.fields:
            abort(Status[request.status], "after the last")
        if "hang" in request.fields:
            await self._hang()

    async def sum(self, requests: AsyncIterator[Note], call: ServerCall) -> Note:
        return Note(total=sum([request.n async for request in requests]))

    async def chat(self, requests: AsyncIterator[Note], call: ServerCall) -> AsyncIterator[Note]:
        async for request in requests:
            yield Note(n=request.n * 2)

    async def _hang(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
