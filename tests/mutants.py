"""Change one thing at a time in a module, run tests, and print the changes that no test noticed.

    python tests/mutants.py src/flyte/remote/tasks/override.py tests/remote/calling

Options of pytest may follow the tests, such as `-k window`.

mutmut does it, in a copy of the repository's tracked files, because it writes into the source. The exit status is 1 when the
tests noticed less than 85 % of the changes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[1]
COPY = REPO / "build/mutants"
LOG = COPY / "mutmut.log"
LAST_LINES = 60
IMPORTED = ("src", "generated", "codegen", "tests")
MUTMUT = Path(sys.executable).with_name("mutmut")
LEAST = 0.85
# Changes of what only a type checker reads.
UNSEEN = re.compile(r"^[-+].*\bcast\(", re.MULTILINE)


def main(module: str, tests: list[str]) -> int:
    if not (REPO / module).is_file():
        print(
            f"There is no file {module}. Name one: make mutants MODULE=src/flyte/... TESTS=tests/...", file=sys.stderr
        )
        return 2
    copy()
    for name in IMPORTED:  # before Python starts, because it does not look again for folders that were missing
        (COPY / "mutants" / name).mkdir(parents=True)
    configure(module, tests)
    print(
        f"Changing {module} and running {' '.join(tests)} for each change. Progress: {LOG.relative_to(REPO)}",
        flush=True,
    )
    with LOG.open("wb") as log:
        done = subprocess.run([MUTMUT, "run"], cwd=COPY, env=environment(), stdout=log, stderr=log, check=False)
    if done.returncode:
        # A line of progress is overwritten by the next: only the last one counts.
        lines = [line.rpartition("\r")[2] for line in LOG.read_text("utf-8", "replace").split("\n")]
        print("\n".join(lines[-LAST_LINES:]), file=sys.stderr)
        return done.returncode
    listed = subprocess.run([MUTMUT, "results", "--all", "true"], cwd=COPY, capture_output=True, text=True, check=True)
    results = dict(re.findall(r"^\s*(\S+): (.+)$", listed.stdout, re.MULTILINE))
    changes = {name: difference(name) for name, result in results.items() if result in ("survived", "no tests")}
    unnoticed = {name: change for name, change in changes.items() if not UNSEEN.search(change)}
    for name, change in unnoticed.items():
        print(f"\n{name}: {results[name]}\n{change}")
    total = len(results) - (len(changes) - len(unnoticed))
    noticed = total - len(unnoticed)
    print(f"\nThe tests noticed {noticed} of {total} changes of {module}: {noticed / max(total, 1):.0%}")
    return 0 if noticed >= LEAST * total else 1


def environment() -> dict[str, str]:
    """Return the variables for mutmut. Its tests import the copy, whatever else is installed."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables["PYTHONPATH"] = os.pathsep.join(str(COPY / "mutants" / name) for name in IMPORTED)
    return variables


def copy() -> None:
    """Copy the tracked files, with their changes, to a folder of their own."""
    shutil.rmtree(COPY, ignore_errors=True)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (REPO / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, COPY / name)


def configure(module: str, tests: list[str]) -> None:
    """Add mutmut's settings to the copy. Its values are JSON, which TOML reads as well."""
    settings = {
        "source_paths": ["src"],
        "only_mutate": [module],
        "pytest_add_cli_args_test_selection": tests,
        # The tests start threads, which do not survive a fork.
        "process_isolation": "forkserver",
        # A change may make tests hang. They end after so many times the time that they take without it.
        "timeout_multiplier": 5,
        "also_copy": sorted(path.name for path in COPY.iterdir() if path.name not in ("src", "tests", ".git")),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (COPY / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n" + "\n".join(lines) + "\n")


def difference(name: str) -> str:
    """Return the lines that a change has replaced."""
    shown = subprocess.run([MUTMUT, "show", name], cwd=COPY, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in shown.splitlines() if re.match(r"[-+](?![-+]{2} )", line))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("Name a module: make mutants MODULE=src/flyte/... TESTS=tests/...", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1], sys.argv[2:] or ["tests"]))
