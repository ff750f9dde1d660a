"""Logs that a server replays on each connection: each line arrives once, whatever its time and place."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import pytest

from flyte.remote import Action, App
from flyte.remote.logs import deduplication as _log_deduplication
from flyte.remote.logs.deduplication import LogDeduplicator
from flyte_api.messages.flyteidl2.app.app_definition import SpecDesiredState as Desired
from flyte_api.messages.flyteidl2.app.app_definition import StatusDeploymentStatus as State
from flyte_api.messages.flyteidl2.app.app_logs_payload import TailLogsRequest as TailAppRequest
from flyte_api.messages.flyteidl2.app.app_logs_payload import TailLogsResponse as TailAppResponse
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import ContainerIdentifier, LogLine
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.apps.following import quick_logs as quick_app_logs
from remote.logs.following import quick_logs
from remote.planes.app import AppLogs, Apps, containers, message
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

AT_ONCE = Backoff(attempts=20, first=0.001, longest=0.001)


class Written(NamedTuple):
    text: str
    at: int | None = None
    writer: str = "main"


def t(at: int, writer: str = "main") -> Written:
    """A line of that second, with it as its text."""
    return Written(f"t{at}", at, writer)


def line(written: Written) -> LogLine:
    timestamp = None if written.at is None else Timestamp(seconds=1_700_000_000 + written.at)
    return LogLine(message=f"{written.text}\n", timestamp=timestamp)


Connections = Sequence[Sequence[Written]]

CASES: dict[str, tuple[Connections, list[str]]] = {
    "not ordered by time": ([[t(5), t(3)], [t(5), t(3), t(6)]], ["t5", "t3", "t6"]),
    "a late line before known ones": ([[t(5)], [t(3), t(5), t(6)]], ["t5", "t3", "t6"]),
    "a late line of the same time": ([[t(5)], [Written("x", 5), t(5)]], ["t5", "x"]),
    "no times": ([[Written("a"), Written("b")], [Written("a"), Written("b"), Written("c")]], ["a", "b", "c"]),
    "some times": ([[Written("a"), t(1)], [Written("a"), t(1), Written("b"), t(2)]], ["a", "t1", "b", "t2"]),
    "equal lines": ([[Written("a", 1)] * 3, [Written("a", 1)] * 5], ["a"] * 5),
    "equal lines without a time": ([[Written("a")] * 2, [Written("a")] * 3], ["a"] * 3),
    "two containers that write the same": (
        [[t(1, "main"), t(1, "side")], [t(1, "side"), t(1, "main"), t(1, "main")]],
        ["t1", "t1", "t1"],
    ),
    "another container that writes the same": ([[t(1, "main")], [t(1, "side")]], ["t1", "t1"]),
    "two containers in turn": (
        [[t(1, "main"), t(2, "side"), t(3, "main")], [t(1, "main"), t(2, "side"), t(3, "main"), t(4, "side")]],
        ["t1", "t2", "t3", "t4"],
    ),
    "only the last lines again": (
        [[t(1), t(2), t(3)], [t(3), t(4)], [t(1), t(4), t(5)]],
        ["t1", "t2", "t3", "t4", "t5"],
    ),
    "a cut in the replay": (
        [[t(1), t(2), t(3)], [t(1)], [], [t(1), t(2)], [t(1), t(2), t(3), t(4)]],
        ["t1", "t2", "t3", "t4"],
    ),
}
cases = pytest.mark.parametrize(("connections", "expected"), CASES.values(), ids=CASES)


class Replaying(Data):
    """Sends these lines on each connection, and cuts all except the last."""

    def __init__(self, connections: Connections) -> None:
        super().__init__("replaying")
        self.connections = [*connections]

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        for written in self.connections.pop(0):
            container = ContainerIdentifier(kubernetes_pod_name="pod", kubernetes_container_name=written.writer)
            yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=[line(written)], container=container)])
        if self.connections:
            abort(Status.UNAVAILABLE, "restarting")


class ReplayingApp(AppLogs):
    """The same for an app, which stops at the end."""

    def __init__(self, connections: Connections, apps: Apps) -> None:
        super().__init__()
        self.connections = [*connections]
        self.apps = apps

    async def tail_logs(self, request: TailAppRequest, call: ServerCall) -> AsyncIterator[TailAppResponse]:
        for written in self.connections.pop(0):
            yield containers(written.writer, [line(written)])
        if self.connections:
            abort(Status.UNAVAILABLE, "restarting")
        self.apps.wants("dash", Desired.STOPPED)
        self.apps.becomes("dash", State.STOPPED)


@cases
async def test_lines_of_an_action_arrive_once(connections: Connections, expected: list[str]) -> None:
    log = Replaying(connections)
    async with await serve([Runs(), log]) as server, Client(server.endpoint) as client, asyncio.timeout(30):
        action = Action(ActionMessage(id=succeeded().id), client)
        assert [text async for text in quick_logs(action, backoff=AT_ONCE)] == expected
    assert log.connections == []


@cases
async def test_lines_of_an_app_arrive_once(connections: Connections, expected: list[str]) -> None:
    apps = Apps()
    log = ReplayingApp(connections, apps)
    async with (
        await serve([apps, log]) as server,
        Client(server.endpoint, org="o", project="p", domain="d") as client,
        asyncio.timeout(30),
    ):
        app = await App.create.aio(message(), client=client)
        assert [text.message async for text in quick_app_logs(app)] == expected
    assert log.connections == []


def delivered(connections: Sequence[Sequence[LogLine]], chance: random.Random) -> list[str]:
    """Read the connections in batches of any size."""
    deduplicator = LogDeduplicator()
    found: list[str] = []
    for lines in connections:
        deduplicator.reconnect()
        first = 0
        while first < len(lines):
            last = first + chance.randrange(1, 15)
            found += [item.message for item in deduplicator.new_lines("w", lines[first:last])]
            first = last
    return found


@pytest.mark.parametrize("seed", range(30))
def test_any_log_over_any_connections(seed: int) -> None:
    chance = random.Random(seed)
    log: list[LogLine] = []
    connections: list[list[LogLine]] = []
    seen: Counter[str] = Counter()
    for _ in range(5):
        for _ in range(20):  # anywhere, with few times and texts, so that many lines are equal
            new = Written(chance.choice("ab"), chance.choice([None, 1, 2]))
            log.insert(chance.randrange(len(log) + 1), LogLine.parse(bytes(line(new))))
        replay = log[: chance.randrange(len(log) + 1)]
        connections.append(replay)
        seen |= Counter(str(bytes(item)) for item in replay)
    assert len(delivered(connections, chance)) == seen.total()


def numbered(count: int, first: int = 0) -> list[LogLine]:
    return [LogLine(message=str(number)) for number in range(first, first + count)]


@pytest.mark.parametrize("begin", [0, 4000, 4990])
def test_more_lines_than_it_remembers(begin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_deduplication, "REMEMBERED", 1000)
    deduplicator = LogDeduplicator()
    for first in range(0, 5000, 50):
        assert len(deduplicator.new_lines("w", numbered(50, first))) == 50
        assert len(deduplicator.new_lines(f"w{first}", numbered(1))) == 1
    remembered = sum(len(lines) for _, lines in deduplicator._remembered)
    assert 1000 <= remembered <= 2000, "bounded"
    for _ in range(3):
        deduplicator.reconnect()
        assert list(deduplicator.new_lines("w", numbered(5000 - begin, begin))) == []
    assert [item.message for item in deduplicator.new_lines("w", numbered(2, 5000))] == ["5000", "5001"]


def test_a_replay_that_begins_among_the_forgotten_lines_repeats_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_deduplication, "REMEMBERED", 100)
    monkeypatch.setattr(_log_deduplication, "_CHUNK", 10)
    deduplicator = LogDeduplicator()
    for first in range(0, 1000, 50):
        deduplicator.new_lines("w", numbered(50, first))
    deduplicator.reconnect()
    assert [item.message for item in deduplicator.new_lines("w", numbered(999, 1))] == [
        str(number) for number in range(1, 900)
    ]


class Forgetful:
    """A log of which the last ten lines are remembered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_log_deduplication, "REMEMBERED", 10)
        monkeypatch.setattr(_log_deduplication, "_CHUNK", 1)
        self.deduplicator = LogDeduplicator()

    def read(self, lines: Sequence[LogLine], writer: str = "w") -> list[str]:
        """Read lines one by one, and return the new ones."""
        return [item.message for line in lines for item in self.deduplicator.new_lines(writer, [line])]

    def read_again(self, lines: Sequence[LogLine], writer: str = "w") -> list[str]:
        self.deduplicator.reconnect()
        return self.read(lines, writer)


@pytest.mark.parametrize("count", [10, 11, 12, 30])
def test_a_replay_skips_what_was_forgotten_and_no_more(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Forgetful(monkeypatch)
    lines, late = numbered(count), LogLine(message="late")
    assert len(log.read(lines)) == count
    forgotten = count - 10
    assert log.read_again([*lines[:forgotten], late, *lines[forgotten:]]) == ["late"]
    assert log.read_again([*lines, lines[0], late, *numbered(2, count)]) == ["0", str(count), str(count + 1)], (
        "a new line like the first one begins nothing"
    )


def test_a_writer_whose_lines_are_all_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Forgetful(monkeypatch)
    assert len(log.read(numbered(3), "quiet")) == 3
    assert len(log.read(numbered(20), "busy")) == 20
    assert log.read_again(numbered(4), "quiet") == ["3"]


def test_memory_is_used_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_deduplication, "_CHUNK", 10)
    deduplicator = LogDeduplicator()
    for number in range(25):
        deduplicator.new_lines("w", numbered(1, number))
    assert [len(lines) for _, lines in deduplicator._remembered] == [10, 10, 5]
