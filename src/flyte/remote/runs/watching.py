"""When a watch of an action ends."""

from __future__ import annotations

from typing import Literal, Protocol, TypeVar, get_args

from flyte.models import ActionPhase
from flyte.remote._common import Phase
from flyte_rpc.entities.watch import Watch

WaitFor = Literal["terminal", "running", "logs-ready"]


_UNTIL: dict[WaitFor, str] = {
    "terminal": "to end",
    "running": "to start running",
    "logs-ready": "to write its first logs",
}
"""What a watch waits for, in the error of its timeout."""


class Watched(Protocol):
    """The part of an action's details that tells whether a watch is over."""

    @property
    def phase(self) -> Phase: ...
    def done(self) -> bool: ...
    def logs_available(self, attempt: int | None = None) -> bool: ...
    async def cache_action_data(self) -> None: ...


D = TypeVar("D", bound=Watched)


def check_wait_for(wait_for: str) -> None:
    """Refuse an unknown `wait_for`.

    Raises:
        ValueError: `wait_for` is unknown.
    """
    if wait_for not in get_args(WaitFor):
        raise ValueError(f"wait_for must be one of {', '.join(map(repr, get_args(WaitFor)))}, not {wait_for!r}")


def reached(details: Watched, wait_for: WaitFor) -> bool:
    """Whether an action is in the requested state, or has ended."""
    if details.done():
        return True
    if wait_for == "running":
        return details.phase is ActionPhase.RUNNING
    return wait_for == "logs-ready" and details.logs_available()


def watch_until(watch: Watch[D], wait_for: WaitFor, *, cache_data_on_done: bool = False) -> Watch[D]:
    """Return a watch that ends in the requested state. See `Action.watch`.

    Raises:
        ValueError: `wait_for` is unknown.
    """
    check_wait_for(wait_for)
    if wait_for == "terminal" and not cache_data_on_done:
        return watch

    async def cache(details: D) -> None:
        if details.done():
            await details.cache_action_data()

    return watch.ending(
        lambda details: reached(details, wait_for),
        on_final=cache if cache_data_on_done else None,
        until=_UNTIL[wait_for],
    )
