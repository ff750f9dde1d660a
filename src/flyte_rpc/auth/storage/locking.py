"""A lock between processes, so that one of them renews tokens for all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from flyte_rpc.errors import AuthenticationError

_POLL = 0.05


class LockedError(AuthenticationError):
    """Another process, or another session of this one, holds the lock for too long."""


@contextmanager
def process_lock(
    path: Path,
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[None]:
    """Hold a lock. The operating system releases it if the process ends.

    Args:
        path: The file that stands for the lock. It stays there.
        seconds: How long to wait for another process.
        sleep: Waits between attempts.
        clock: The monotonic clock.

    Raises:
        LockedError: Another process holds the lock for too long.
        OSError: The file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        end = clock() + seconds
        while not _acquire(descriptor):
            if clock() >= end:
                raise LockedError(
                    f"Another process has been logging in for {seconds:g} s. Complete its log-in, or stop it."
                )
            sleep(_POLL)
        try:
            yield
        finally:
            _release(descriptor)
    finally:
        os.close(descriptor)


if os.name == "posix":
    import fcntl

    def _acquire(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

else:
    import msvcrt

    def _acquire(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
