"""What is printed on streams that cannot encode all characters."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator

import pytest

from flyte.remote import Action, ActionDetails, App, Run
from flyte.remote.runs import waiting
from flyte.remote.runs.waiting import WaitFor
from flyte_api.messages.flyteidl2.app.app_definition import SpecDesiredState as Desired
from flyte_api.messages.flyteidl2.app.app_definition import StatusDeploymentStatus as State
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as DetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionStatus,
    ErrorInfo,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.watch import Watch
from flyte_rpc.serving.server import serve
from flyte_rpc.terminal import encodable, print_line
from remote.planes.app import AppLogs, Apps, message
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

TEXT = "caf\u00e9 \u2713 \U0001f600 [b]"


class Narrow(io.TextIOWrapper):
    """A stream with an encoding of the test's choice."""

    def __init__(self, encoding: str, errors: str = "strict", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors=errors, newline="\n", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def printed(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding, "surrogateescape")


@pytest.mark.parametrize(
    ("encoding", "errors", "printed"),
    [
        ("ascii", "strict", "caf? ? ? [b]\n"),
        ("ascii", "surrogateescape", "caf? ? ? [b]\n"),
        ("latin-1", "strict", "caf\u00e9 ? ? [b]\n"),
        ("cp1252", "strict", "caf\u00e9 ? ? [b]\n"),
        ("utf-8", "strict", TEXT + "\n"),
        ("ascii", "backslashreplace", "caf\\xe9 \\u2713 \\U0001f600 [b]\n"),
    ],
)
def test_a_line_on_any_stream(encoding: str, errors: str, printed: str) -> None:
    stream = Narrow(encoding, errors)
    print_line(TEXT, stream)
    assert stream.printed == printed


def test_a_surrogate_is_replaced_as_well() -> None:
    stream = Narrow("utf-8")
    print_line("a\udcff", stream)
    assert stream.printed == "a?\n"
    memory = io.StringIO()
    print_line(TEXT, memory)
    assert memory.getvalue() == TEXT + "\n"
    print_line(TEXT, None)
    assert encodable(TEXT, None) == TEXT


@pytest.mark.parametrize("kind", [Run, Action], ids=lambda kind: kind.__name__)
async def test_logs_of_runs_and_actions(monkeypatch: pytest.MonkeyPatch, kind: type[Run | Action]) -> None:
    narrow = Narrow("ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    async with await serve([Runs(), Data(TEXT)]) as server, Client(server.endpoint) as client, asyncio.timeout(30):
        action = ActionMessage(id=succeeded().id)
        entity = Run(RunMessage(action=action), client) if kind is Run else Action(action, client)
        await entity.show_logs.aio()
    assert narrow.printed == "caf? ? ? [b]\n"


async def test_logs_of_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Narrow("ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    apps, logs = Apps(), AppLogs()
    logs.open = False
    logs.write("r1", TEXT)
    async with (
        await serve([apps, logs]) as server,
        Client(server.endpoint, org="o", project="p", domain="d") as client,
        asyncio.timeout(30),
    ):
        app = await App.create.aio(message(), client=client)
        apps.wants("dash", Desired.STOPPED)
        apps.becomes("dash", State.STOPPED)
        await app.show_logs.aio()
    assert narrow.printed == "[r1] caf? ? ? [b]\n"


def states() -> Watch[ActionDetails]:
    async def subscribe() -> AsyncIterator[ActionDetails]:
        identifier = succeeded().id
        yield ActionDetails(DetailsMessage(id=identifier, status=ActionStatus(phase=ActionPhase.RUNNING)))
        error = ErrorInfo(message=TEXT)
        yield ActionDetails(
            DetailsMessage(id=identifier, status=ActionStatus(phase=ActionPhase.FAILED), error_info=error)
        )

    return Watch(subscribe, is_final=lambda details: details.done(), timeout=30, waited_for="it")


@pytest.mark.parametrize("terminal", [True, False], ids=["panel", "lines"])
@pytest.mark.parametrize("errors", ["strict", "backslashreplace"])
async def test_progress(monkeypatch: pytest.MonkeyPatch, terminal: bool, errors: str) -> None:
    stream = Narrow("ascii", errors, terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    wait_for: WaitFor = "terminal"
    assert await waiting.wait(states(), wait_for=wait_for, quiet=False, title="Run r1") == "failed"
    assert "running" in stream.printed and "failed" in stream.printed and stream.printed.isascii()
    assert "\\u28" not in stream.printed
    if terminal or errors == "strict":
        assert "caf? ? ? [b]" in stream.printed


async def test_progress_where_all_characters_are_available(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Narrow("utf-8", terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    await waiting.wait(states(), wait_for="terminal", quiet=False, title="Run r1")
    assert TEXT in stream.printed
    assert any("\u2800" < character <= "\u28ff" for character in stream.printed)
