"""Log lines as text, and what else they know; printing the last ones."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

import pytest

from flyte.remote import Action, LogLine, Run
from flyte.remote.logs.show import show
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import ContainerIdentifier, LogLineOriginator
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine as LineMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.stream import Stream
from flyte_rpc.serving.server import ServerCall, serve
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

WHEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2030-01-02T03:04:05Z"


def test_a_line_is_its_text() -> None:
    line = LogLine("loss: 0.1", WHEN, "pod-1", True, "main")
    assert line == "loss: 0.1" and "0.1" in line and line.startswith("loss") and line.split(": ") == ["loss", "0.1"]
    assert f"{line}" == str(line) == line.message and type(str(line)) is str
    assert (line.timestamp, line.replica, line.system, line.container) == (WHEN, "pod-1", True, "main")
    assert {line: 1}["loss: 0.1"] == 1
    bare = LogLine("")
    assert (bare.timestamp, bare.replica, bare.system, bare.container) == (None, "", False, "")


def test_a_line_with_its_time() -> None:
    line = LogLine("text", WHEN, show_ts=True)
    assert line == f"{STAMP} text" and line.message == "text"
    assert LogLine("text", show_ts=True) == "text"


@pytest.mark.parametrize("duplicate", [lambda line: pickle.loads(pickle.dumps(line)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("show_ts", [True, False])
def test_copies(duplicate: Callable[[LogLine], LogLine], show_ts: bool) -> None:
    line = duplicate(LogLine("text", WHEN, "pod", True, "main", show_ts=show_ts))
    assert type(line) is LogLine and line == (f"{STAMP} text" if show_ts else "text")
    assert (line.message, line.timestamp, line.replica, line.system) == ("text", WHEN, "pod", True)
    assert line.container == "main"


def test_a_line_read_from_its_message() -> None:
    source = LineMessage(message="text\r\n", timestamp=Timestamp.of(WHEN), originator=LogLineOriginator.SYSTEM)
    line = LogLine.read(source, "pod", "main")
    assert pickle.loads(pickle.dumps(line)).timestamp == WHEN
    assert (line, line.timestamp, line.timestamp, line.system) == ("text", WHEN, WHEN, True)
    assert LogLine.read(source, show_ts=True) == f"{STAMP} text"
    invalid = LineMessage(message="text", timestamp=Timestamp(seconds=2**60))
    assert LogLine.read(invalid, show_ts=True) == "text" and LogLine.read(invalid).timestamp is None


@pytest.mark.parametrize("text", ["X", "a \t"])
@pytest.mark.parametrize("show_ts", [True, False])
def test_what_a_line_read_from_its_message_knows(show_ts: bool, text: str) -> None:
    source = LineMessage(message=f"{text}\r\n", timestamp=Timestamp.of(WHEN), originator=LogLineOriginator.SYSTEM)
    line = LogLine.read(source, "pod", "main", show_ts=show_ts)
    assert line.message == text, "only the line break is cut off"
    assert (line.replica, line.container, line.system, line.timestamp) == ("pod", "main", True, WHEN)
    other = LogLine.read(LineMessage(message="text", originator=LogLineOriginator.USER), show_ts=show_ts)
    assert (other, other.replica, other.container, other.system, other.timestamp) == ("text", "", "", False, None)


class Containers(Data):
    """A log of two containers."""

    def __init__(self) -> None:
        super().__init__("containers")
        self.attempts: list[int] = []

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncGenerator[TailLogsResponse]:
        self.attempts.append(request.attempt)
        for name in ("main", "side"):
            container = ContainerIdentifier(kubernetes_pod_name="pod", kubernetes_container_name=name)
            lines = [LineMessage(message=f"{name} {n}\n", timestamp=Timestamp.of(WHEN)) for n in range(2)]
            yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=lines, container=container)])


async def test_lines_of_an_action(capsys: pytest.CaptureFixture[str]) -> None:
    data = Containers()
    async with asyncio.timeout(60), await serve([Runs(), data]) as server, Client(server.endpoint) as client:
        run = Run(RunMessage(action=ActionMessage(id=succeeded().id)), client)
        lines = [line async for line in run.get_logs()]
        assert [(line.message, line.replica, line.container, line.timestamp) for line in lines] == [
            (f"{name} {n}", "pod", name, WHEN) for name in ("main", "side") for n in range(2)
        ]
        await run.show_logs.aio(1, 3)
        assert capsys.readouterr().out.splitlines() == ["main 1", "side 0", "side 1"]
        action = Action(ActionMessage(id=succeeded().id), client)
        await action.show_logs.aio(None, 1, True)
        assert capsys.readouterr().out == f"{STAMP} side 1\n"
        await action.show_logs.aio(max_lines=1, raw=True)
        assert capsys.readouterr().out.splitlines() == ["main 0", "main 1", "side 0", "side 1"]
        with pytest.raises(ValueError, match="max_lines is -1"):
            await action.show_logs.aio(max_lines=-1)
    assert set(data.attempts) == {1}


class Source:
    """A log whose lines the test writes."""

    def __init__(self, *lines: str) -> None:
        self.waiting: asyncio.Queue[str | None] = asyncio.Queue()
        for line in lines:
            self.waiting.put_nowait(line)

    async def lines(self) -> AsyncGenerator[LogLine]:
        while (line := await self.waiting.get()) is not None:
            yield LogLine(line)


class Printed:
    """Standard output that tells when it has got a line."""

    encoding, errors = "utf-8", "strict"

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.changed = asyncio.Event()

    def write(self, text: str) -> None:
        if text.strip():
            self.lines.append(text)
            self.changed.set()

    def flush(self) -> None:
        pass

    async def has(self, count: int) -> list[str]:
        while len(self.lines) < count:
            self.changed.clear()
            await self.changed.wait()
        return self.lines


@pytest.mark.parametrize(("pause", "patience"), [(0.01, 60.0), (60.0, 0.0)], ids=["pause", "patience"])
async def test_the_last_lines_then_all_new_ones(pause: float, patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
    source, printed = Source("a", "b", "c"), Printed()
    monkeypatch.setattr("sys.stdout", printed)
    async with asyncio.timeout(60):
        task = asyncio.create_task(show(Stream(source.lines), 2, pause=pause, patience=patience))
        # Without patience, the first line ends the wait for older ones.
        expected = ["b", "c"] if patience else ["a", "b", "c"]
        assert await printed.has(len(expected)) == expected
        for text in ("d", "e", "f"):
            source.waiting.put_nowait(text)
        assert await printed.has(len(expected) + 3) == [*expected, "d", "e", "f"]
        source.waiting.put_nowait(None)
        await task


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, ["a", "b", "c"]), (5, ["a", "b", "c"]), (2, ["b", "c"]), (0, [])]
)
async def test_the_last_lines_of_a_log_that_has_ended(
    limit: int | None, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    source = Source("a", "b", "c")
    source.waiting.put_nowait(None)
    async with asyncio.timeout(60):
        await show(Stream(source.lines), limit, pause=60.0, patience=60.0)
    assert capsys.readouterr().out.splitlines() == expected


async def test_pauses_before_the_first_line_do_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def with_silences(source: object, after: float) -> AsyncGenerator[LogLine | None]:
        for text in (None, None, "a", "b", None, "c", None, "d"):
            yield None if text is None else LogLine(text)

    monkeypatch.setattr("flyte.remote.logs.show.with_silences", with_silences)
    await show(Stream(Source().lines), 1, patience=60.0)
    assert capsys.readouterr().out.splitlines() == ["b", "c", "d"]


async def test_patience_counts_from_the_first_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0

    async def with_silences(source: object, after: float) -> AsyncGenerator[LogLine]:
        nonlocal now
        for seconds, text in ((0, "a"), (4, "b"), (7.9, "c"), (8, "d"), (8, "e")):
            now = seconds
            yield LogLine(text)

    monkeypatch.setattr("flyte.remote.logs.show.with_silences", with_silences)
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    await show(Stream(Source().lines), 1, patience=8.0)
    assert capsys.readouterr().out.splitlines() == ["d", "e"], "of the lines before that, the last one"
