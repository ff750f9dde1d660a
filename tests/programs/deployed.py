"""The deployed tasks that the programs use. Workers import this module, so handles of other tasks must not fetch anything here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flyte
from flyte.remote import Action, Task
from flyte.types import File
from flyte_api.messages.flyteidl2.actions.actions_service import Action as NewAction
from flyte_api.messages.flyteidl2.actions.actions_service import EnqueueRequest
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.workflow.run_definition import ConditionAction
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.sync.decorators import blocking_function

_fahrenheit = Task.get("weather.fahrenheit", auto_version="latest")
_measure = Task.get("weather.measure", auto_version="latest")


@dataclass
class Station:
    """A weather station."""

    name: str
    height: float = 0.0
    tags: list[str] = field(default_factory=list)


@flyte.task
def fahrenheit(celsius: float, digits: int = 1) -> float:
    """Convert a temperature."""
    print(f"converting {celsius}", flush=True)
    print("done", flush=True)
    return round(celsius * 9 / 5 + 32, digits)


@flyte.task
def measure(value: float) -> float:
    """Reject impossible temperatures."""
    if value < -273.15:
        raise ValueError(f"{value} is below absolute zero")
    return value


@flyte.task
def summary(values: list[float], station: str = "here") -> tuple[str, float, int]:
    """Return three outputs."""
    return f"{station}: {min(values)} to {max(values)}", sum(values) / len(values), len(values)


@flyte.task
def label(station: Station) -> str:
    """Take a dataclass."""
    return f"{station.name} at {station.height:g} m ({', '.join(station.tags) or 'no tags'})"


@flyte.task
def lines(source: File) -> int:
    """Count the lines of a file."""
    with source.open("r") as opened:
        return sum(1 for _ in opened)


@flyte.task
def variable(name: str) -> str:
    """Read an environment variable."""
    return os.environ.get(name, "unset")


@flyte.task
def metadata() -> dict[str, str]:
    """Return the custom context of the run."""
    return dict(flyte.ctx().custom_context)


@flyte.task
def listen(station: str = "here") -> str:
    """Run until a user aborts it."""
    print(f"listening to {station}", flush=True)
    while True:
        time.sleep(0.05)


@flyte.workflow
def week(celsius: list[float]) -> list[float]:
    """Convert each temperature in an action of its own."""
    return [_fahrenheit(celsius=each) for each in celsius]


@flyte.workflow
def careful(values: list[float]) -> float:
    """Check each temperature in an action of its own."""
    return sum(_measure(value=each) for each in values)


@blocking_function
async def ask(question: str) -> None:
    """Create a condition, as the tasks of the official SDK do."""
    here = flyte.ctx()
    run = RunIdentifier(project=here.project, domain=here.domain, name=here.run_name)
    action = NewAction(
        action_id=ActionIdentifier(run=run, name=f"{question}-1"),
        parent_action_name=here.action,
        condition=ConditionAction(name=question, type=LiteralType(simple=SimpleType.BOOLEAN)),
    )
    await unary(flyte.current_client(), ActionsService.ENQUEUE, EnqueueRequest(action=action))


@flyte.task
def publish(title: str) -> str:
    """Ask a question, and wait for its answer."""
    ask("review")
    phase = Action.get(flyte.ctx().run_name, "review-1").wait(quiet=True, timeout=60)
    return f"{title}: review {phase}"


TASKS: dict[str, Callable[..., Any]] = {
    f"weather.{function.__name__}": function
    for function in (
        fahrenheit,
        measure,
        summary,
        label,
        lines,
        variable,
        metadata,
        listen,
        week,
        careful,
        publish,
    )
}
