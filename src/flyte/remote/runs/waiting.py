"""Waiting for an action, with a display of its progress: a panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from flyte.models import UnknownPhase
from flyte_rpc.terminal import encodable, print_line, shows_progress

from .watching import WaitFor, check_wait_for, watch_until

if TYPE_CHECKING:
    from flyte.remote._common import Phase
    from flyte_rpc.entities.watch import Watch

    from .action_details import ActionDetails

__all__ = ["Display", "WaitFor", "check_wait_for", "wait"]

_BRAILLE = "\N{BRAILLE PATTERN DOTS-1456}"


class Display(Protocol):
    """A display of progress."""

    def show(self, details: ActionDetails) -> None:
        """Show the current state."""
        ...

    def close(self) -> None:
        """Restore the screen."""
        ...


async def wait(watch: Watch[ActionDetails], *, wait_for: WaitFor, quiet: bool, title: str) -> Phase:
    """Follow a watch until the action reaches the requested state, and show its progress. See `Run.wait`."""
    display: Display = _Silence() if quiet else _display(title)
    phase: Phase = UnknownPhase(0)
    try:
        async with aclosing(aiter(watch_until(watch, wait_for))) as updates:
            async for details in updates:
                display.show(details)
                phase = details.phase
    finally:
        display.close()
    return phase


def _display(title: str) -> Display:
    if shows_progress():
        return _Panel(title)
    return _Lines(title)


class _Silence:
    def show(self, details: ActionDetails) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines:
    """One line for each phase, on standard error."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.last: tuple[str, int] | None = None

    def show(self, details: ActionDetails) -> None:
        now = (str(details.phase), details.attempts)
        if now != self.last:
            self.last = now
            print_line(f"{self.title}: {_summary(details)}", sys.stderr)

    def close(self) -> None:
        pass


class _Panel:
    """A panel that is redrawn in place and finally shows the last state."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self.title = title
        self.details: ActionDetails | None = None
        self.live = Live(
            get_renderable=self._render,
            console=Console(stderr=True),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.live.start(refresh=True)  # at once, not only with the next regular refresh

    def _render(self) -> Any:
        from rich.panel import Panel
        from rich.spinner import Spinner
        from rich.text import Text

        details = self.details
        # Text objects, not markup: messages of tasks may contain square brackets.
        text = Text("waiting for the first state" if details is None else encodable(_summary(details), sys.stderr))
        body: Any = Spinner(_spinner(), text=text)
        style = "blue"
        if details is not None and details.done():
            body, style = text, "green" if details.phase.is_success else "red"
        return Panel(body, title=Text(self.title), border_style=style, expand=False)

    def show(self, details: ActionDetails) -> None:
        self.details = details
        self.live.refresh()

    def close(self) -> None:
        self.live.stop()


def _spinner() -> str:
    """Return the name of a spinner whose characters standard error can encode."""
    return "dots" if encodable(_BRAILLE, sys.stderr) == _BRAILLE else "line"


def _summary(details: ActionDetails) -> str:
    runtime = details.runtime
    parts = [str(details.phase)]
    if runtime is not None:
        parts.append(f"{runtime.total_seconds():.1f} s")
    if details.attempts > 1:
        parts.append(f"attempt {details.attempts}")
    reason = details.error_message
    if details.abort_info is not None:
        reason = details.abort_info.reason
    # Show only the first line; `raise_for_status` has the whole message.
    first = reason.strip().partition("\n")[0]
    return ", ".join(parts) + (f": {first}" if first else "")
