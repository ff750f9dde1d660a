"""Requests that are damaged at random: each is answered, or its connection closed, and the server works on."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from random import Random

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, ResponseReceived, StreamEnded

from flyte_rpc.serving.server import RunningServer
from support.echo import Echo, Note

SAMPLES = 500

SAY, COUNT, SUM = (rpc.path for rpc in (Echo.SAY, Echo.COUNT, Echo.SUM))
BODY = bytes(Note(to=2, n=1))
ENVELOPE = struct.pack(">BI", 0, len(BODY)) + BODY

REQUESTS = [
    (SAY, "application/proto", BODY),
    (COUNT, "application/connect+proto", ENVELOPE),
    (SUM, "application/connect+proto", ENVELOPE * 3),
    (SAY, "application/grpc-web", ENVELOPE),
    (COUNT, "application/grpc-web-text", b"AAAAABF7InRvIjogMiwgIm4iOiAxfQ=="),
]

HEADERS = {
    "connect-timeout-ms": "5000",
    "grpc-timeout": "5S",
    "accept-encoding": "gzip",
    "connect-accept-encoding": "gzip",
    "x-request-id": "r1",
    "x-data-bin": "AAEC",
}


def http1(random: Random) -> bytes:
    """Two requests, the second of which comes in chunks."""
    made = b""
    for chunked in (False, True):
        path, kind, body = random.choice(REQUESTS)
        lines = [f"POST {path} HTTP/1.1", "host: x", f"content-type: {kind}"]
        lines += [f"{name}: {value}" for name, value in HEADERS.items() if random.random() < 0.5]
        if chunked:
            lines.append("transfer-encoding: chunked")
            half = len(body) // 2
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
        else:
            lines.append(f"content-length: {len(body)}")
        made += "\r\n".join([*lines, "", ""]).encode() + body
    return made


def http2(random: Random, connection: H2Connection | None = None, *, broken: bool = True) -> bytes:
    """Two requests, one of them over gRPC now and then. Some lack a header, or have one that is not valid."""
    if connection is None:
        connection = H2Connection(H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False))
    connection.initiate_connection()
    for stream in (1, 3):
        path, kind, body = random.choice([*REQUESTS, (SAY, "application/grpc", ENVELOPE)])
        headers = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
        headers += [("content-type", kind), ("te", "trailers")]
        headers += [(name, value) for name, value in HEADERS.items() if random.random() < 0.5]
        if broken and random.random() < 0.3:
            del headers[random.randrange(len(headers))]
        if broken and random.random() < 0.2:
            headers.append((random.choice(["x", "X", "", "content-length", "x-bin", ":path", "é"]), "é\r\n\0="))
        connection.send_headers(stream, headers)
        connection.send_data(stream, body, end_stream=True)
    return connection.data_to_send()


def damaged(data: bytes, random: Random) -> bytes:
    """Data with a few bytes changed, lost, repeated or made up."""
    made = bytearray(data)
    for _ in range(random.choice([0, 1, 1, 2, 5])):
        at = random.randrange(len(made) + 1)
        match random.randrange(5):
            case 0:
                made[at : at + 1] = bytes((random.randrange(256),))
            case 1:
                del made[at : at + random.randrange(1, 20)]
            case 2:
                made[at:at] = made[at : at + random.randrange(1, 40)]
            case 3:
                made[at:at] = random.randbytes(random.randrange(1, 20))
            case _:
                made[at:at] = random.choice([b"\r\n", b"\0", b"\r\n\r\n", b"\xff\xff\xff\xff", b" ", b":"])
    return bytes(made)


@pytest.mark.parametrize("make", [http1, http2, lambda random: random.randbytes(200)], ids=["http1", "http2", "noise"])
async def test_damaged_requests(make: Callable[[Random], bytes], server: RunningServer, quiet: None) -> None:
    for seed in range(SAMPLES):
        random = Random(seed)
        data = damaged(make(random), random)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(10):
                for at in range(0, len(data), size := random.choice([1000, 1000, 50])):
                    if not writer.is_closing():
                        writer.write(data[at : at + size])
                    await asyncio.sleep(0)
                if not writer.is_closing():
                    writer.write_eof()
                while await reader.read(2**16):
                    pass
                while server.connections:
                    await asyncio.sleep(0)
        except TimeoutError:
            pytest.fail(f"the connection of seed {seed} stays open after {data!r}")
        except OSError:
            pass  # closed before everything was sent
        finally:
            writer.transport.abort()
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > 1:  # handlers are cancelled with their connections
            await asyncio.sleep(0)


async def test_the_requests_are_answered_while_they_are_whole(server: RunningServer, quiet: None) -> None:
    for seed in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(http1(Random(seed)))
        received = b""
        async with asyncio.timeout(10):
            while received.count(b"HTTP/1.1 200 OK") < 2:
                received += await reader.read(2**16)
        writer.close()

        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        client = H2Connection()
        writer.write(http2(Random(seed), client, broken=False))
        events: list[Event] = []
        async with asyncio.timeout(10):
            while sum(isinstance(event, StreamEnded) for event in events) < 2:
                events += client.receive_data(await reader.read(2**16))
        heads = [dict(event.headers or []) for event in events if isinstance(event, ResponseReceived)]
        assert [head[b":status"] for head in heads] == [b"200", b"200"]
        writer.close()
