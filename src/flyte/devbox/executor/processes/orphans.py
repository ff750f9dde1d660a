"""Finds and kills the processes of a devbox that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

MARKER = "FLYTE_DEVBOX_PROCESS"
"""Environment variable with a unique value per attempt."""

_PROC = Path("/proc")


def start_time(pid: int) -> str:
    """Return the start time of a process as the system reports it; empty if the process does not exist.

    Together with the process id, it identifies a process even if its id is reused.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            return f"{_boot()}:{_stat(pid)[19]}"
        return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def kill(pid: int | None, birth: str, marker: str) -> bool:
    """Kill the remaining processes of an attempt. Return whether there were any.

    A process group belongs to the attempt if its leader is still the started process, or if a member has the marker in
    its environment.

    Args:
        pid: The started process, if known.
        birth: Its start time; see `start_time`.
        marker: The attempt's value of `MARKER`; empty if nothing was started.
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
    """Return the fields of /proc/<pid>/stat after the command name, which may contain spaces and parentheses."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _marked(marker: str) -> set[int]:
    """Yield the groups of processes with a marker."""
    if sys.platform != "linux":
        return set()
    needle = f"{MARKER}={marker}".encode()
    found: set[int] = set()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            # A process may end at any moment, and processes of other users are not readable.
            with suppress(OSError):
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(_stat(int(entry.name))[2]))
    return found
