"""When a silent connection is pinged: as servers allow by default, which is one ping in five minutes and two more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from flyte_rpc.transports.http2.keepalive import Keepalive, PingPolicy


class Clock:
    """Stands in for an event loop, with a time of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None], Any]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> Any:
        timer = Timer()
        self.timers.append((self.now + delay, lambda: callback(*arguments), timer))
        return timer

    def run_until(self, end: float) -> None:
        while due := [entry for entry in self.timers if entry[0] <= end and not entry[2].cancelled]:
            entry = min(due, key=lambda entry: entry[0])
            self.timers.remove(entry)
            self.now = entry[0]
            entry[1]()
        self.now = end


class Timer:
    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Connection:
    """A silent peer that answers pings unless it is dead."""

    def __init__(self, interval: float = 30, timeout: float = 15) -> None:
        self.clock = Clock()
        self.pings: list[float] = []
        self.deaths: list[str] = []
        self.dead = False
        self.calls = True
        self.policy = PingPolicy(interval, timeout)
        loop: Any = self.clock
        self.keepalive = Keepalive(
            loop, self.policy, calls_open=lambda: self.calls, send_ping=self.ping, dead=self.deaths.append
        )

    def ping(self) -> None:
        self.pings.append(self.clock.now)
        if not self.dead:
            self.clock.call_later(0.1, self.answer)

    def answer(self) -> None:
        self.keepalive.last_received = self.clock.now
        self.keepalive.answered()

    def receive(self, at: float, *, reply: bool) -> None:
        """Receive something at a time: a part of a reply, or something else."""
        self.clock.run_until(at)
        self.keepalive.last_received = at
        if reply:
            self.keepalive.reply_received()


@pytest.fixture
def connection() -> Connection:
    return Connection()


def test_a_quiet_watch_is_pinged_as_often_as_servers_allow(connection: Connection) -> None:
    connection.keepalive.start()
    connection.clock.run_until(3600)
    assert connection.pings[:2] == pytest.approx([30, 60], abs=1)
    later = [b - a for a, b in pairwise(connection.pings[1:])]
    assert later and min(later) >= 300
    assert strikes(connection.pings) <= 2, "a server with gRPC's defaults would close the connection"


def test_silence_begins_with_the_last_bytes(connection: Connection) -> None:
    connection.keepalive.start()
    connection.clock.run_until(20)
    connection.keepalive.last_received = connection.clock.now
    connection.clock.run_until(49.9)
    assert connection.pings == []
    connection.clock.run_until(50.1)
    assert connection.pings == pytest.approx([50], abs=0.01)


def test_a_peer_that_sends_anything_but_the_answer_is_alive(connection: Connection) -> None:
    connection.dead = True
    connection.keepalive.start()
    connection.clock.run_until(31)
    connection.keepalive.last_received = connection.clock.now
    connection.clock.run_until(60.9)
    assert connection.deaths == [] and connection.pings == pytest.approx([30], abs=0.01)
    connection.clock.run_until(61.1)
    assert connection.pings == pytest.approx([30, 61], abs=0.01), "the silence counts from the last bytes"


def strikes(pings: list[float]) -> int:
    """How many pings came within five minutes of the one before, as gRPC's servers count them."""
    return sum(b - a < 300 for a, b in pairwise(pings))


def test_replies_begin_the_count_anew(connection: Connection) -> None:
    connection.keepalive.start()
    for minute in range(60):
        connection.clock.run_until(minute * 60)
        connection.keepalive.last_received = connection.clock.now
        connection.keepalive.reply_received()
    assert len(connection.pings) >= 50


def test_a_reply_allows_two_early_pings_again(connection: Connection) -> None:
    connection.keepalive.start()
    connection.receive(100, reply=True)
    connection.clock.run_until(700)
    assert connection.pings == pytest.approx([30, 60.1, 130, 160.1, 465.2], abs=0.01), (
        "two early ones, then five minutes"
    )


def test_a_reply_during_the_long_pause_after_an_answer_by_other_bytes(connection: Connection) -> None:
    connection.dead = True
    connection.keepalive.start()
    connection.receive(31, reply=False)
    connection.receive(62, reply=False)
    connection.receive(100, reply=True)
    connection.clock.run_until(131)
    assert connection.pings == pytest.approx([30, 61, 130], abs=0.01)


def test_an_answer_ends_a_wait_that_is_longer_than_the_interval() -> None:
    connection = Connection(30, 120)
    connection.keepalive.start()
    connection.clock.run_until(70)
    assert connection.pings == pytest.approx([30, 60.1], abs=0.01)


def test_a_reply_does_not_end_the_wait_for_an_answer() -> None:
    connection = Connection(30, 120)
    connection.dead = True
    connection.keepalive.start()
    connection.receive(31, reply=True)
    connection.clock.run_until(149)
    assert len(connection.pings) == 1, "one ping at a time"
    connection.clock.run_until(151)
    assert len(connection.pings) == 2 and connection.deaths == []


def test_bytes_at_the_very_time_of_the_ping_are_an_answer(connection: Connection) -> None:
    connection.dead = True
    connection.keepalive.start()
    connection.clock.run_until(30)
    assert len(connection.pings) == 1
    connection.receive(30, reply=False)
    connection.clock.run_until(46)
    assert connection.deaths == []


def test_calls_after_a_time_without_calls_are_watched_over(connection: Connection) -> None:
    connection.keepalive.start()
    connection.calls = False
    connection.clock.run_until(100)
    connection.calls = True
    connection.receive(100, reply=False)
    connection.keepalive.start()
    connection.keepalive.start()
    connection.clock.run_until(131)
    assert connection.pings == pytest.approx([130], abs=0.01)


def test_a_connection_that_is_stopped_is_not_pinged(connection: Connection) -> None:
    connection.keepalive.start()
    connection.keepalive.stop()
    connection.keepalive.stop()
    connection.clock.run_until(3600)
    assert connection.pings == []


def test_a_server_that_asks_for_fewer_pings_gets_half(connection: Connection) -> None:
    connection.policy.back_off()
    assert connection.policy.interval == 60
    connection.keepalive.start()
    connection.clock.run_until(121)
    assert connection.pings == pytest.approx([60, 120.1], abs=0.2)


def test_a_long_interval_is_not_shortened() -> None:
    connection = Connection(400, 15)
    connection.keepalive.start()
    connection.clock.run_until(1300)
    assert connection.pings == pytest.approx([400, 800, 1200], abs=1)


def test_without_calls_nothing_is_sent(connection: Connection) -> None:
    connection.keepalive.start()
    connection.calls = False
    connection.clock.run_until(3600)
    assert connection.pings == []


def test_an_unanswered_ping_is_the_end(connection: Connection) -> None:
    connection.dead = True
    connection.keepalive.start()
    connection.clock.run_until(3600)
    assert connection.deaths == ["the server has not answered a ping for 15 s"]


def test_the_class_works_on_a_real_loop() -> None:
    async def main() -> int:
        pinged = asyncio.Event()
        keepalive = Keepalive(
            asyncio.get_running_loop(),
            PingPolicy(0.001, 10),
            calls_open=lambda: True,
            send_ping=pinged.set,
            dead=lambda reason: None,
        )
        keepalive.start()
        await pinged.wait()
        keepalive.stop()
        return 1

    assert asyncio.run(main()) == 1
