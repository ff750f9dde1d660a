"""How fast and how large the client is: python -m benchmarks [NAME ...] [--rounds N] [--quick] [--output FILE]."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from . import report
from .bench import HERE, PYTHONS, Bench
from .harness import Result, take
from .measures import MEASURES
from .processes import Failed


def arguments() -> argparse.Namespace:
    names = [value.name for measure in MEASURES for value in measure.values]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the client; see docs/performance.md."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"measures to take; all by default: {', '.join(names)}"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="samples of each side, of which the median counts; default 5"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the items: for trying out, not for quoting")
    parser.add_argument(
        "--output",
        type=Path,
        help="where to write results; benchmarks/results.json when all measures are taken in full",
    )
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    if unknown := set(given.names) - set(names):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if given.output is None and not given.names and not given.quick:
        given.output = HERE / "results.json"
    return given


def main() -> None:
    given = arguments()
    if not PYTHONS["reference"].exists():
        sys.exit(".reference is missing: run `make bench`, or `make .reference/ready` first")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    chosen = [m for m in MEASURES if not given.names or {value.name for value in m.values} & set(given.names)]
    results: list[Result] = []
    start = time.monotonic()
    print(report.heading(), flush=True)
    with Bench(quick=given.quick) as bench:
        try:
            for measure in chosen:
                for result in take(measure, bench, given.rounds):
                    results.append(result)
                    print(report.row(result), flush=True)
        except Failed as failure:
            sys.exit(f"\n{failure}")
    print(f"\n{time.monotonic() - start:.0f} s; medians of {given.rounds} rounds; spread: of our own samples")
    if given.output is not None:
        report.write(results, given.output)
        print(f"written to {given.output}")


if __name__ == "__main__":
    main()
