"""The deadline: what goes over the wire, and what any failure at that moment is called."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from rpc.conftest import AT_ONCE
from support.echo import Echo, Note
from support.peers import Peer, scripted

_UNITS = {"u": 1e-6, "m": 1e-3, "S": 1.0}

Ending = Callable[[Peer, int], None]
ENDINGS: dict[str, Ending] = {
    "reset": lambda peer, at: peer.reset(at, ErrorCodes.CANCEL),
    "refused": lambda peer, at: peer.reset(at, ErrorCodes.REFUSED_STREAM),
    "bad gateway": lambda peer, at: peer.begin(at, ((":status", "502"),), end=True),
    "gateway timeout": lambda peer, at: peer.begin(at, ((":status", "504"),), end=True),
    "unavailable": lambda peer, at: (peer.begin(at), peer.end(at, (("grpc-status", "14"),)))[0],
    "cancelled": lambda peer, at: (peer.begin(at), peer.end(at, (("grpc-status", "1"),)))[0],
    "closed": lambda peer, at: peer.transport.close(),
}


@pytest.mark.parametrize("timeout", [0.5, 98.9999, 99.5, 250.0, 99_999.5, 1e9])
async def test_the_server_never_gets_less_time_than_the_client_waits(timeout: float) -> None:
    async with (
        scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers),
        Client(endpoint, timeout=timeout) as client,
    ):
        before = time.monotonic()  # the loop's own clock may stand still during a step
        await unary(client, Echo.WRITE, Note())
        text = peers[0].headers[0]["grpc-timeout"]
        assert len(text) <= 9
        sent = int(text[:-1]) * _UNITS[text[-1]]
        passed = time.monotonic() - before
        assert sent >= min(timeout - passed, 99_999_999)
        assert sent <= timeout + 1


@pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
async def test_a_failure_at_the_deadline_is_the_deadline(
    ending: Ending, rpc: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers and proxies have a clock of their own, and react to a passed deadline in many ways."""
    calls: list[int] = []

    def script(peer: Peer, at: int) -> None:
        calls.append(at)
        ending(peer, at)

    monkeypatch.setattr("flyte_rpc.calls.call_path._TOLERANCE", 60)  # the whole call is at the deadline
    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20, retry=AT_ONCE) as client:
        with pytest.raises(errors.DeadlineExceededError) as raised:
            await unary(client, rpc, Note())  # type: ignore[arg-type]
    assert not raised.value.unprocessed
    assert "may have taken effect" in str(raised.value)
    assert len(calls) == 1, "it is not sent again when there is no time left"


async def test_a_stream_that_is_cut_at_its_deadline() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at)
        peer.flush()
        asyncio.get_running_loop().call_later(0.09, lambda: (peer.reset(at, ErrorCodes.CANCEL), peer.flush()))

    async with scripted(script) as (endpoint, _), Client(endpoint) as client:
        with pytest.raises(errors.DeadlineExceededError):
            await anext(stream(client, Echo.COUNT, Note(), timeout=0.1))


async def test_a_failure_before_the_deadline_keeps_its_name() -> None:
    async with (
        scripted(lambda peer, at: peer.reset(at, ErrorCodes.CANCEL)) as (endpoint, _),
        Client(endpoint, timeout=20) as client,
    ):
        with pytest.raises(errors.ConnectionLostError):
            await unary(client, Echo.WRITE, Note())


async def test_a_credential_that_the_server_repeats_at_the_deadline_is_in_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at)
        peer.end(at, (("grpc-status", "14"), ("grpc-message", "rejected open-sesame")))

    monkeypatch.setattr("flyte_rpc.calls.call_path._TOLERANCE", 60)  # the whole call is at the deadline
    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20, token="open-sesame") as client:
        with pytest.raises(errors.DeadlineExceededError) as raised:
            await unary(client, Echo.WRITE, Note())
    shown = "".join(traceback.format_exception(raised.value))
    assert "rejected" in shown and "sesame" not in shown
