"""Results of the checks, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from flyte.access.keys import KEYS, Key
from flyte.access.settings import Settings
from flyte_rpc.redaction import redact

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_MARKS = {PASSED: "ok", FAILED: "FAILED", SKIPPED: "skipped"}


class Failed(Exception):
    """A check found a fault."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class Skipped(Exception):
    """A check does not apply."""


class Result(NamedTuple):
    """The result of one check."""

    check: str
    outcome: str
    detail: str
    remedy: str
    seconds: float


def described(settings: Settings) -> list[dict[str, str]]:
    """The settings that are set, with their sources. Secrets are not shown."""
    rows: list[dict[str, str]] = []
    for key in KEYS:
        value = settings[key.name]
        if value is not None:
            rows.append({"setting": key.name, "value": _shown(key, value), "source": settings.source(key.name)})
    return rows


def _shown(key: Key, value: Any) -> str:
    if key.secret:
        return "***"
    if key.name in ("command", "proxy_command"):  # whose arguments may be secret
        return " ".join((value[0], *("..." for _ in value[1:2])))
    text = redact(str(value) if isinstance(value, (str, bool, int)) else ", ".join(value))
    # An endpoint has no user or password in it. If one is there, it may lack the scheme that redact needs.
    return f"***@{text.rpartition('@')[2]}" if key.name == "endpoint" and "@" in text and "://" not in text else text


def as_text(settings: list[dict[str, str]]) -> str:
    """The table of settings."""
    if not settings:
        return "Settings: none\n"
    widths = [max(len(row[name]) for row in settings) for name in ("setting", "value")]
    lines = [f"  {row['setting']:<{widths[0]}}  {row['value']:<{widths[1]}}  {row['source']}" for row in settings]
    return "\n".join(["Settings", *lines, ""])


def line(result: Result) -> str:
    """The lines of one result."""
    shown = f"{_MARKS[result.outcome]:<8}{result.check}: {result.detail}"
    if result.outcome == PASSED and result.seconds >= 0.001:
        shown += f" ({result.seconds * 1000:.0f} ms)"
    return shown + (f"\n        {result.remedy}" if result.remedy else "")


def as_json(settings: list[dict[str, str]], results: Iterable[Result]) -> str:
    """Everything as JSON."""
    checks: list[dict[str, Any]] = [result._asdict() for result in results]
    return json.dumps({"settings": settings, "checks": checks}, indent=2)
