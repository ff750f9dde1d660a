"""What is measured. docs/performance.md says why, and how fairness is kept."""

from __future__ import annotations

from typing import Any

from . import large_api, whole
from .bench import Bench
from .harness import LIMIT, OURS, REFERENCE, SIDES, Measure, Sample, Value

PER_RUN = "us per run"
IMPLEMENTATIONS = {OURS: "ours", REFERENCE: "betterproto", LIMIT: "upb"}


def client(name: str, unit: str, *, transport: str = "", **sizes: int) -> Measure:
    """A job of the three clients against servers of canned answers, ours over a certain transport."""

    def side(module: str) -> Sample:
        def sample(bench: Bench) -> dict[str, Any]:
            scaled = {key: max(value // bench.scale, 1) for key, value in sizes.items()}
            worker = bench.client(module, transport=transport if module == OURS else "")
            result: dict[str, Any] = worker.ask(name, **scaled)
            return result

        return sample

    shown = f"{name}_{transport}" if transport else name
    return Measure((Value(shown, unit),), {module: side(module) for module in SIDES})


def codec(name: str, kind: str) -> Measure:
    """A job of the three implementations of messages, on messages of one kind."""

    def side(implementation: str) -> Sample:
        def sample(bench: Bench) -> dict[str, Any]:
            result: dict[str, Any] = bench.codec(implementation).ask(name, count=1000 // bench.scale, kind=kind)
            return result

        return sample

    values = (Value(name, PER_RUN) if kind == "runs" else Value(f"{name}_tasks", "us per task"),)
    return Measure(values, {at: side(implementation) for at, implementation in IMPLEMENTATIONS.items()})


MEASURES: tuple[Measure, ...] = (
    client("list_sync", PER_RUN, count=10_000),
    client("list_async", PER_RUN, count=10_000),
    client("list_untouched", PER_RUN, count=10_000),
    *(codec(name, kind) for name in ("decode_eager", "encode", "reencode", "to_dict") for kind in ("runs", "tasks")),
    client("get_many", PER_RUN, count=1_000, at_once=50),
    client("watch_many", "us per update", count=500),
    *(
        measure
        for transport in ("connect", "grpclib")
        for measure in (
            client("list_async", PER_RUN, transport=transport, count=10_000),
            client("get_many", PER_RUN, transport=transport, count=1_000, at_once=50),
        )
    ),
    *whole.MEASURES,
    large_api.MEASURE,
)
