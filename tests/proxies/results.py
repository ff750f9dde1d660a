"""The table of what passed with which foreign program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

_CELL = 9
_ORDER = ("ok", "skip", "FAIL")
"""Of several outcomes in one cell, the last one in this order counts."""


class Results:
    """Outcomes by test and program."""

    def __init__(self, peers: Sequence[str]) -> None:
        self._peers = peers
        self._cells: dict[str, dict[str, str]] = {}
        self._versions: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._seen: set[str] = set()

    def add(self, report: pytest.TestReport) -> None:
        """Take the outcome of a part of a test."""
        properties = dict(report.user_properties)
        peer = str(properties.get("peer", ""))
        if not peer or report.nodeid in self._seen:
            return
        if report.when == "call" or report.outcome != "passed":
            self._seen.add(report.nodeid)
            name = report.nodeid.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
            outcome = {"passed": "ok", "skipped": "skip"}.get(report.outcome, "FAIL")
            row = self._cells.setdefault(name, {})
            row[peer] = max(outcome, row.get(peer, "ok"), key=_ORDER.index)
            if outcome == "skip" and isinstance(report.longrepr, tuple):
                self._reasons[peer] = report.longrepr[2].removeprefix("Skipped: ")
        if "version" in properties:
            self._versions[peer] = str(properties["version"])

    def lines(self) -> Iterator[str]:
        """The table, the reasons of what was skipped, and how to read it."""
        if not self._cells:
            return
        width = max(map(len, self._cells)) + 2
        yield ""
        yield " " * width + "".join(f"{peer:<{_CELL}}" for peer in self._peers)
        yield f"{'version':<{width}}" + "".join(f"{self._versions.get(peer, '-'):<{_CELL}}" for peer in self._peers)
        for name, row in self._cells.items():
            yield f"{name:<{width}}" + "".join(f"{row.get(peer, ''):<{_CELL}}" for peer in self._peers)
        yield "* Connect over HTTP/1.1 to connect-go; the other proxies pass gRPC over HTTP/2. Empty: does not apply."
        for peer, reason in self._reasons.items():
            yield f"SKIPPED {peer}: {reason}"
