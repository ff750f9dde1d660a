"""Logs of tasks: written line by line to disk, and readable while they grow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import IO

from attrs import frozen

from flyte.devbox import bus, clock
from flyte.devbox.keys import ActionKey

from .blobs import segments

_CHUNK = 1 << 18
_MAX_LINE = 1 << 16
_BATCH = 100


@frozen
class Line:
    """A line of output and when it was read, in microseconds."""

    at: int
    text: str


class Log:
    """The log of one running attempt. Each complete line is written to disk and announced at once."""

    def __init__(self, book: LogBook, key: ActionKey, attempt: int, stream: IO[bytes]) -> None:
        self._book = book
        self._id = (key, attempt)
        self._stream = stream
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Add output of a process."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > _MAX_LINE:
            whole.append(self._rest[:_MAX_LINE])
            self._rest = self._rest[_MAX_LINE:]
        self._append(whole)

    def close(self) -> None:
        """End the log. An unfinished last line counts as a line."""
        self._append([self._rest] if self._rest else [])
        self._rest = b""
        self._stream.close()
        self._book.closed(*self._id)

    def _append(self, lines: list[bytes]) -> None:
        if not lines:
            return
        stamp = b"%d " % clock.now()
        self._stream.write(b"".join(stamp + line.removesuffix(b"\r") + b"\n" for line in lines))
        self._book.changes.publish(bus.log_of(*self._id), None)


class LogBook:
    """The logs of all attempts, one file each: `<microseconds> <text>` per line."""

    def __init__(self, root: Path, changes: bus.Bus) -> None:
        self._root = root
        self._open: set[tuple[ActionKey, int]] = set()
        self.changes = changes

    def open(self, key: ActionKey, attempt: int) -> Log:
        """Create the log of an attempt. Raises OSError if the file cannot be created."""
        path = self._path(key, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: announced lines can be read, and survive a crash of this process.
        stream = path.open("wb", buffering=0)
        self._open.add((key, attempt))
        return Log(self, key, attempt, stream)

    def closed(self, key: ActionKey, attempt: int) -> None:
        """Record that the log of an attempt has ended."""
        self._open.discard((key, attempt))
        self.changes.publish(bus.log_of(key, attempt), None)

    def exists(self, key: ActionKey, attempt: int) -> bool:
        """Whether the attempt has a log."""
        return self._path(key, attempt).exists()

    def last(self, key: ActionKey, attempt: int, count: int) -> list[str]:
        """Return the last lines, for an error message."""
        try:
            with self._path(key, attempt).open("rb") as stream:
                start = max(0, stream.seek(0, 2) - _CHUNK)
                stream.seek(start)
                lines = stream.read().split(b"\n")[1 if start else 0 : -1]
        except FileNotFoundError:
            return []
        return [_parse(line).text for line in lines[-count:]]

    async def follow(self, key: ActionKey, attempt: int) -> AsyncGenerator[list[Line], None]:
        """Yield the existing lines of an attempt in batches, then new lines while it runs."""
        with self.changes.subscribe(bus.log_of(key, attempt)) as subscription:
            try:
                stream = self._path(key, attempt).open("rb")
            except FileNotFoundError:
                return
            with stream:
                while True:
                    running = (key, attempt) in self._open
                    for batch in _batches(stream):
                        yield batch
                    if not running:
                        return
                    await subscription.changes()

    def _path(self, key: ActionKey, attempt: int) -> Path:
        return self._root / segments(*key) / f"{attempt}.log"


def _batches(stream: IO[bytes]) -> Iterator[list[Line]]:
    """Yield the complete lines from the stream's position on. The position ends up after the last one."""
    rest = b""
    while data := stream.read(_CHUNK):
        *whole, rest = (rest + data).split(b"\n")
        for start in range(0, len(whole), _BATCH):
            yield [_parse(line) for line in whole[start : start + _BATCH]]
    stream.seek(-len(rest), 1)


def _parse(line: bytes) -> Line:
    stamp, _, text = line.partition(b" ")
    return Line(int(stamp), text.decode(errors="replace"))
