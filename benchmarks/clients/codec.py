"""The jobs of the codec: the same for each implementation, which `connect` chooses."""

from __future__ import annotations

import time
import zlib
from typing import Any

import implementations
import shapes

clock = time.process_time
"""Nothing here waits, so that it is the time it takes, less what other processes of a busy machine take."""

chosen: implementations.Implementation


def connect(implementation: str) -> None:
    global chosen
    chosen = getattr(implementations, implementation)()


def build(count: int, kind: str) -> list[Any]:
    make = {"runs": shapes.run, "tasks": shapes.task_spec}[kind]
    return [make(chosen.classes, number) for number in range(count)]


def pages(count: int) -> list[bytes]:
    """Runs as listings bring them: a hundred a message."""
    runs = build(count, "runs")
    parts = [runs[at : at + 100] for at in range(0, count, 100)]
    return [chosen.encode(chosen.classes.ListRunsResponse(runs=part)) for part in parts]


def result(seconds: float, count: int, what: object) -> dict[str, Any]:
    return {"value": 1e6 * seconds / count, "check": [count, zlib.crc32(repr(what).encode())]}


def decode_eager(count: int, kind: str) -> dict[str, Any]:
    """Parse, and read every field that is set."""
    classes, parse, moment = chosen.classes, chosen.parse, chosen.moment
    if kind == "runs":
        data = pages(count)
        start = clock()
        read = [shapes.read_run(run, moment) for page in data for run in parse(classes.ListRunsResponse, page).runs]
    else:
        data = [chosen.encode(spec) for spec in build(count, kind)]
        start = clock()
        read = [shapes.read_task_spec(parse(classes.TaskSpec, one), moment) for one in data]
    seconds = clock() - start
    return result(seconds, count, implementations.plain(tuple(read)))


def readable(data: list[bytes], kind: str) -> Any:
    """What serialised messages say, as maps may be in any order."""
    kind_of, read = {"runs": ("Run", shapes.read_run), "tasks": ("TaskSpec", shapes.read_task_spec)}[kind]
    messages = (chosen.parse(getattr(chosen.classes, kind_of), one) for one in data)
    return implementations.plain(tuple(read(message, chosen.moment) for message in messages))


def encode(count: int, kind: str) -> dict[str, Any]:
    """Serialise messages that were built with constructors and never serialised before."""
    messages = build(count, kind)
    start = clock()
    data = [chosen.encode(message) for message in messages]
    return result(clock() - start, count, readable(data, kind))


def reencode(count: int, kind: str) -> dict[str, Any]:
    """Serialise messages that were parsed and not changed, nor read."""
    data = [chosen.encode(message) for message in build(count, kind)]
    kind_of = {"runs": chosen.classes.Run, "tasks": chosen.classes.TaskSpec}[kind]
    messages = [chosen.parse(kind_of, one) for one in data]
    start = clock()
    again = [chosen.encode(message) for message in messages]
    return result(clock() - start, count, readable(again, kind))


def to_dict(count: int, kind: str) -> dict[str, Any]:
    """Turn built messages into what JSON is made of; only the keys are compared, as conventions for values differ."""
    messages = build(count, kind)
    start = clock()
    made = [chosen.to_dict(message) for message in messages]
    return result(clock() - start, count, [_keys(one) for one in made])


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _keys(inner)) for key, inner in value.items())
    return [_keys(inner) for inner in value] if isinstance(value, list) else None
