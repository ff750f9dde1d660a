"""The environment that has the `flyte` distribution: `make test` makes it in `.reference`.

FLYTE_INTEROP_PYTHON names another interpreter that has the distribution.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_READY = _HERE.parents[1] / ".reference" / "ready"
INTERPRETER = os.environ.get("FLYTE_INTEROP_PYTHON") or (
    str(_READY.parent / "bin" / "python") if _READY.exists() else ""
)
_QUIET = {"DO_NOT_TRACK": "1", "FLYTE_DISABLE_TELEMETRY": "1", "FLYTE_DISABLE_SENTRY": "true"}


def environment() -> dict[str, str]:
    """The environment of a program of the other side. The name `flyte` must mean the other distribution there."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | _QUIET


def ask(script: str, requests: list[dict[str, Any]], directory: Path) -> list[dict[str, Any]]:
    """The other side's replies, in the order of the requests; what it stores goes into the directory."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [INTERPRETER, str(_HERE / script)],
        input=lines,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        env=environment(),
        cwd=directory,
    )
    replies = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]
    assert len(replies) == len(requests), done.stderr[-4000:]
    return replies
