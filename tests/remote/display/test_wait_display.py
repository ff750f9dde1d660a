"""What a wait shows: a panel on a terminal and in a notebook, lines elsewhere."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from flyte.models import ActionPhase
from flyte.remote import ActionDetails
from flyte.remote.runs import waiting
from flyte.remote.runs.waiting import WaitFor
from flyte_api.messages.flyteidl2.common.phase import ActionPhase as WirePhase
from flyte_api.messages.flyteidl2.workflow.run_definition import AbortInfo, ActionAttempt, ActionStatus, ErrorInfo
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as DetailsMessage
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.entities.watch import Watch
from flyte_rpc.terminal import in_notebook, shows_progress

PROGRAM = Path(__file__).with_name("waiting_program.py")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(phase: str) -> str:
    """Run the program with a terminal as its standard error, and return all that it writes there."""
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    environment.pop("NO_COLOR", None)
    written = b""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), phase],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
    ) as process:
        os.close(slave)
        try:
            while chunk := os.read(master, 1 << 16):
                written += chunk
        except OSError:  # Linux: all writers have closed the terminal
            pass
        finally:
            os.close(master)
        assert process.stdout is not None
        assert process.stdout.read().decode().strip() == phase.lower()
        assert process.wait(timeout=60) == 0
    return written.decode()


@pytest.mark.parametrize(
    ("phase", "colour", "summary"),
    [
        ("FAILED", "\x1b[31m", "failed, attempt 2: broken [red]brackets[/red]"),
        ("SUCCEEDED", "\x1b[32m", "succeeded, attempt 2"),
    ],
)
def test_a_panel_on_a_terminal(phase: str, colour: str, summary: str) -> None:
    written = on_a_terminal(phase)
    shown = _SEQUENCE.sub("", written)
    assert "Run [b]r1[/b]" in shown, "titles are no markup"
    assert "running" in shown and summary in shown and "second line" not in shown
    assert "running, attempt" not in shown, "the first attempt needs no number"
    last = written[written.rindex("\u256d") - 20 :]
    assert colour in last and "\x1b[34m" in written[: written.rindex(colour)], "blue until the end"
    assert "\x1b[?25l" in written and written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l"), "the cursor is back"


def details(phase: WirePhase, attempt: int = 1, **fields: object) -> ActionDetails:
    start, end = Timestamp(seconds=100), Timestamp(seconds=102, nanos=500_000_000)
    status = ActionStatus(phase=phase, attempts=attempt, start_time=start, end_time=end)
    return ActionDetails(DetailsMessage(status=status, **fields))  # type: ignore[arg-type]


def watch(*states: ActionDetails) -> Watch[ActionDetails]:
    async def subscribe() -> AsyncIterator[ActionDetails]:
        for state in states:
            yield state

    return Watch(subscribe, is_final=lambda item: item.done(), timeout=60)


async def printed(
    monkeypatch: pytest.MonkeyPatch, *states: ActionDetails, quiet: bool = False, wait_for: WaitFor = "terminal"
) -> tuple[list[str], object]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    phase = await waiting.wait(watch(*states), wait_for=wait_for, quiet=quiet, title="Run r1")
    return stream.getvalue().splitlines(), phase


async def test_a_line_for_each_phase_and_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, phase = await printed(
        monkeypatch,
        details(WirePhase.QUEUED, 0),
        details(WirePhase.RUNNING),
        details(WirePhase.RUNNING),
        details(WirePhase.RUNNING, 2),
        details(WirePhase.FAILED, 2, error_info=ErrorInfo(message="\nbroken [x]\nmore")),
        details(WirePhase.SUCCEEDED, 3),
    )
    assert lines == [
        "Run r1: queued, 2.5 s",
        "Run r1: running, 2.5 s",
        "Run r1: running, 2.5 s, attempt 2",
        "Run r1: failed, 2.5 s, attempt 2: broken [x]",
    ]
    assert phase is ActionPhase.FAILED


async def test_the_reason_of_an_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, _ = await printed(monkeypatch, details(WirePhase.ABORTED, abort_info=AbortInfo(reason="too slow")))
    assert lines == ["Run r1: aborted, 2.5 s: too slow"]


async def test_nothing_if_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await printed(monkeypatch, details(WirePhase.SUCCEEDED), quiet=True) == ([], ActionPhase.SUCCEEDED)


@pytest.mark.parametrize(("wait_for", "count"), [("running", 2), ("logs-ready", 3), ("terminal", 4)])
async def test_what_ends_a_wait(monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor, count: int) -> None:
    states = [
        details(WirePhase.QUEUED, 1),
        details(WirePhase.RUNNING, 1),
        details(WirePhase.RUNNING, 2, attempts=[ActionAttempt(attempt=2, logs_available=True)]),
        details(WirePhase.SUCCEEDED, 2),
    ]
    lines, phase = await printed(monkeypatch, *states, wait_for=wait_for)
    assert len(lines) == count and phase is states[count - 1].phase


class Terminal(io.StringIO):
    """Stands in for a terminal of 80 columns with colours."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


BLUE, GREEN, RED = "\x1b[34m", "\x1b[32m", "\x1b[31m"


@pytest.mark.parametrize(
    ("phase", "colour"), [(WirePhase.SUCCEEDED, GREEN), (WirePhase.FAILED, RED), (WirePhase.ABORTED, RED)]
)
async def test_a_panel_from_the_first_state_to_the_last(
    monkeypatch: pytest.MonkeyPatch, phase: WirePhase, colour: str
) -> None:
    terminal = use_terminal(monkeypatch)
    drawn: list[str] = []
    streams = sys.stdout, sys.stderr

    def new() -> str:
        """Return what was drawn since the last time."""
        text = terminal.getvalue()
        terminal.seek(0)
        terminal.truncate()
        return text

    async def subscribe() -> AsyncGenerator[ActionDetails]:
        drawn.append(new())
        yield details(WirePhase.RUNNING)
        drawn.append(new())
        assert (sys.stdout, sys.stderr) == streams, "what a program prints meanwhile is left alone"
        yield details(phase)

    states: Watch[ActionDetails] = Watch(subscribe, is_final=lambda item: item.done(), timeout=60)
    await waiting.wait(states, wait_for="terminal", quiet=False, title="Run r1")
    first, running, last = *drawn, new()
    assert re.search(r"\u2502 [\u2801-\u28ff] waiting for the first state \u2502", _SEQUENCE.sub("", first))
    assert re.search(r"\u2502 [\u2801-\u28ff] running, 2\.5 s \u2502", _SEQUENCE.sub("", running))
    assert f"\u2502 {phase.name.lower()}, 2.5 s \u2502" in _SEQUENCE.sub("", last)
    for text, border in ((first, BLUE), (running, BLUE), (last, colour)):
        assert re.findall(r"(\x1b\[\d+m)\u256d", text)[-1] == border


class ZMQInteractiveShell:
    """Named like the shell of a Jupyter kernel."""


class TerminalInteractiveShell:
    """Named like the shell of IPython on a terminal."""


@pytest.mark.parametrize(
    ("shell", "found"), [(ZMQInteractiveShell(), True), (TerminalInteractiveShell(), False), (None, False)]
)
def test_notebooks(shell: object, found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert in_notebook() is found and shows_progress() is found
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook() and not shows_progress()
    monkeypatch.setattr(sys, "stderr", None)
    assert not shows_progress()


async def test_a_panel_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = ModuleType("IPython")
    ipython.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    lines, phase = await printed(monkeypatch, details(WirePhase.SUCCEEDED))
    assert phase is ActionPhase.SUCCEEDED
    assert any("Run r1" in line and line.startswith("\u256d") for line in lines)
    assert any("succeeded, 2.5 s" in line for line in lines)
