"""A server of test.Echo on grpcio, whose HTTP/2 is gRPC's C core: python -m support.grpcio_server SETTINGS.

It prints the port that it listens on and ends when its standard input does. It runs in a process of its own, because the
C core starts threads, which tests that fork must not have. Messages are JSON text, as in `support.echo`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

DETAILS = b"\x08\x05\x12\x02no\x00\xff"
"""Details of every error."""


class Recorder:
    """Counts what happens at the server. Tests wait for a number with `reached`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        """How often each write was carried out, by the number in its request."""
        self.metadata: dict[str, str] = {}
        self.changed = asyncio.Condition()
        self.open: Counter[str] = Counter()
        """Running calls by connection."""

    async def add(self, name: str, change: int = 1) -> None:
        async with self.changed:
            self.counts[name] += change
            self.changed.notify_all()

    async def reached(self, minimum: Mapping[str, int]) -> dict[str, Any]:
        """Wait until all counters have reached their minimum. Return everything that was counted."""
        async with self.changed:
            await self.changed.wait_for(lambda: all(self.counts[name] >= least for name, least in minimum.items()))
        return {"counts": self.counts, "writes": self.writes, "metadata": self.metadata}


async def _serve(options: Mapping[str, int], compression: str, certificate: str) -> None:
    import grpc

    recorder = Recorder()

    async def hang() -> None:
        await recorder.add("entered")
        try:
            await asyncio.Event().wait()
        finally:
            # The task is being cancelled, so another one tells the waiting tests.
            notifications.append(asyncio.create_task(recorder.add("cancelled")))

    notifications: list[asyncio.Task[None]] = []

    async def fail(note: dict[str, Any], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if "status" in note:
            code = next(code for code in grpc.StatusCode if code.value[0] == note["status"])
            context.set_trailing_metadata((("grpc-status-details-bin", DETAILS),))
            await context.abort(code, note.get("message", ""))

    async def say(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        peer = context.peer()
        recorder.open[peer] += 1
        recorder.counts["connections"] = len(recorder.open)
        recorder.counts["most"] = max(recorder.counts["most"], recorder.open[peer])
        try:
            note: dict[str, Any] = json.loads(request)
            recorder.metadata = {name: str(value) for name, value in context.invocation_metadata() or ()}
            await fail(note, context)
            if "write" in note:
                recorder.writes[str(note["write"])] += 1
            if "hang" in note:
                await hang()
            if "size" in note:
                note["big"] = "x" * note["size"]
                return json.dumps(note).encode()
            return request
        finally:
            recorder.open[peer] -= 1

    async def count(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        note: dict[str, Any] = json.loads(request)
        padding = "x" * note.get("size", 0)
        for number in range(note["to"]):
            yield b'{"n": %d, "big": "%b"}' % (number, padding.encode())
            recorder.counts["items"] += 1
        await fail(note, context)
        if "hang" in note:
            await hang()

    async def stats(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        return json.dumps(await recorder.reached(json.loads(request))).encode()

    unary = grpc.unary_unary_rpc_method_handler
    handlers = {name: unary(say) for name in ("Say", "Keep", "Write")}
    handlers["Stats"] = unary(stats)
    handlers["Count"] = grpc.unary_stream_rpc_method_handler(count)
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *options.items()],
        compression=grpc.Compression.Gzip if compression else grpc.Compression.NoCompression,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    if certificate:
        pem = Path(certificate).read_bytes()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


class GrpcioServer(NamedTuple):
    """A running server."""

    port: int
    tls: bool

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"


@contextmanager
def grpcio_server(
    options: Mapping[str, int] | None = None, *, compression: str = "", certificate: Path | None = None
) -> Iterator[GrpcioServer]:
    """Run the server in a process of its own.

    Args:
        options: Channel arguments of the C core, such as `grpc.max_connection_age_ms`.
        compression: `gzip` to compress replies.
        certificate: A certificate with its key, for TLS.
    """
    settings = json.dumps([options or {}, compression, str(certificate or "")])
    command = [sys.executable, "-m", "support.grpcio_server", settings]
    folder = Path(__file__).parent.parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield GrpcioServer(int(process.stdout.readline()), certificate is not None)
        finally:
            process.stdin.close()  # which ends it
            process.wait(20)


if __name__ == "__main__":
    asyncio.run(_serve(*json.loads(sys.argv[1])))
