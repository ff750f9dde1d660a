"""Both type checkers, in their strict modes, over files that use the blocking and awaiting methods."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).parents[2] / "typing"
ROOT = FILES.parent.parent

Findings = dict[str, dict[int, str]]
"""Messages by file and line."""


def mypy() -> Findings:
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--show-absolute-path", *FILES.glob("*.py")]
    environment = os.environ | {"MYPYPATH": str(FILES)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stderr, done.stdout + done.stderr
    found: Findings = {}
    for path, line, message in re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE):
        found.setdefault(Path(path).name, {})[int(line)] = message
    return found


def pyright() -> Findings:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(FILES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(list(FILES.glob("*.py"))), report["summary"]
    found: Findings = {}
    for finding in report["generalDiagnostics"]:
        if finding["severity"] == "error":
            line = finding["range"]["start"]["line"] + 1
            found.setdefault(Path(finding["file"]).name, {})[line] = finding["message"]
    return found


@pytest.fixture(scope="module", params=[mypy, pyright], ids=["mypy", "pyright"])
def findings(request: pytest.FixtureRequest) -> Findings:
    found: Findings = request.param()
    return found


def test_what_is_right_is_accepted(findings: Findings) -> None:
    assert {name: errors for name, errors in findings.items() if name != "bad.py"} == {}


def test_what_is_wrong_is_found(findings: Findings) -> None:
    lines = (FILES / "bad.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(marked) > 20
    found = findings["bad.py"]
    assert {line: found.get(line) for line in found.keys() ^ marked} == {}
