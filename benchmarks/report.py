"""The table for people, and results.json for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .harness import Result, rounded

ROW = "{:<24}{:>11}{:>11}{:>11}  {:<13}{:>12}{:>11}{:>8}"


def heading() -> str:
    """What the numbers depend on, and the head of the table."""
    cores = len(os.sched_getaffinity(0))
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return "\n".join(
        (
            f"{when}, Python {platform.python_version()}, {_processor()}, {cores} cores, load {os.getloadavg()[0]:.1f}",
            "",
            ROW.format("", "ours", "reference", "limit", "unit", "ref./ours", "ours/limit", "spread"),
        )
    )


def row(result: Result) -> str:
    """One line of the table."""
    of = result.as_json()
    return ROW.format(
        result.name,
        *(_number(of[key]) for key in ("ours", "reference", "limit")),
        result.unit,
        _number(of["ratio_vs_reference"]),
        _number(of["ratio_vs_limit"]),
        f"{result.spread:.0%}",
    )


def write(results: Sequence[Result], path: Path) -> None:
    """One object for each measure, one a line."""
    lines = ",\n".join(f"  {json.dumps(result.as_json())}" for result in results)
    path.write_text(f"[\n{lines}\n]\n")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{rounded(value):.3g}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
