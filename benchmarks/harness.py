"""Measures, and how they are taken: rounds in which the sides take turns, checked against each other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .bench import Bench
from .processes import Failed

OURS, REFERENCE, LIMIT = SIDES = ("ours", "reference", "limit")

Sample = Callable[[Bench], dict[str, Any]]
"""Takes one sample of one side: values by key, and under `check` what every side must have found alike."""


class Value(NamedTuple):
    """One line of the results."""

    name: str
    unit: str
    key: str = "value"


class Measure(NamedTuple):
    """What is sampled together."""

    values: tuple[Value, ...]
    sides: Mapping[str, Sample]
    once: bool = False
    """Whether one sample is enough: sizes, and what takes minutes."""
    warm: bool = True
    """Whether a first sample is thrown away, in which things are opened, imported and cached."""


class Result(NamedTuple):
    """One object of results.json, and how far the samples of ours are apart."""

    name: str
    ours: float
    reference: float | None
    limit: float | None
    unit: str
    spread: float

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ours": rounded(self.ours),
            "reference": rounded(self.reference),
            "limit": rounded(self.limit),
            "unit": self.unit,
            "ratio_vs_reference": rounded(None if self.reference is None else self.reference / self.ours),
            "ratio_vs_limit": rounded(None if self.limit is None else self.ours / self.limit),
        }


def rounded(value: float | None) -> float | None:
    """To four digits: the rest is noise."""
    return None if value is None else float(f"{value:.4g}")


def take(measure: Measure, bench: Bench, rounds: int) -> list[Result]:
    """Sample all sides of a measure, in turns.

    Raises:
        Failed: A side failed, or found something else than the others.
    """
    samples: dict[str, list[dict[str, Any]]] = {side: [] for side in measure.sides}
    order = list(measure.sides)
    if measure.warm:
        for side in order:
            measure.sides[side](bench)
    for _ in range(1 if measure.once else rounds):
        for side in order:
            samples[side].append(measure.sides[side](bench))
        order.append(order.pop(0))
    checks = {side: {str(sample.get("check")) for sample in taken} for side, taken in samples.items()}
    if len(set[str]().union(*checks.values())) > 1:
        raise Failed(f"{measure.values[0].name}: not everybody found the same: {checks}")
    return [_result(value, samples) for value in measure.values]


def _result(value: Value, samples: Mapping[str, list[dict[str, Any]]]) -> Result:
    taken = {side: [sample[value.key] for sample in all_of_it] for side, all_of_it in samples.items()}
    medians = {side: statistics.median(numbers) for side, numbers in taken.items()}
    ours = taken[OURS]
    return Result(
        value.name,
        medians[OURS],
        medians.get(REFERENCE),
        medians.get(LIMIT),
        value.unit,
        (max(ours) - min(ours)) / medians[OURS],
    )
