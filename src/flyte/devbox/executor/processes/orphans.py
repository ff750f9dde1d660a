"""Processes that outlived a devbox which was killed: recognised without doubt, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

MARKER = "FLYTE_DEVBOX_PROCESS"
"""Environment variable whose value is unique to an attempt."""

_PROC = Path("/proc")


def start_time(pid: int) -> str:
    """When a process was started, in the system's own words; empty when there is no such process.

    Together with its id this tells a process from a later one that was given the same id.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            return f"{_boot()}:{_stat(pid)[19]}"
        return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def kill(pid: int | None, birth: str, marker: str) -> bool:
    """Kill what an attempt left behind; returns whether there was something.

    A process group is ours when its leader is still the process that was started, or when one of its members carries the
    marker in its environment.

    Args:
        pid: The process that was started, when that is known.
        birth: When it was started, see `start_time`.
        marker: The attempt's value of `MARKER`; empty when nothing was started.
    """
    groups = _marked(marker) if marker else set[int]()
    if pid is not None and birth and start_time(pid) == birth:
        groups.add(pid)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    return bool(groups)


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the command name, which may itself contain blanks and parentheses."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _marked(marker: str) -> set[int]:
    """The groups of the processes that carry a marker."""
    if sys.platform != "linux":
        return set()
    needle = f"{MARKER}={marker}".encode()
    found: set[int] = set()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            # A process may end at any moment, and other users' are not readable.
            with suppress(OSError):
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(_stat(int(entry.name))[2]))
    return found
