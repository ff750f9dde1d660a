"""Filters repeated lines out of logs that a server replays on each connection."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from flyte_rpc.codec.paths import encoded_field

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine

REMEMBERED = 100_000
"""Number of lines that a log recognizes after a reconnect, of all writers together, at 8 bytes a line. A reconnect counts
them, which takes about 10 MB until the replay is over."""
_CHUNK = 1000


def timestamp_of(line: LogLine) -> datetime | None:
    """Return the time of a line; None if it is unset or invalid."""
    try:
        return None if line.timestamp is None else line.timestamp.to_datetime()
    except ValueError:
        return None


def _fingerprint(line: LogLine) -> int:
    # The time stays encoded, because decoding it takes most of the time that a line takes.
    return hash((encoded_field(line, "timestamp"), line.message))


class LogDeduplicator:
    """Recognizes the lines of a log that an earlier connection has delivered.

    Each connection replays the log from its beginning, or only its last lines. The lines need no order: a replayed line is
    known if a line of the same writer with the same time and text was delivered, as often as it was delivered. So lines
    that arrive late are new, wherever they appear.

    Only the last `REMEMBERED` lines are compared. Of older lines, the number per writer is known. When a replay begins with
    the first line of a writer, that many lines are skipped; a late line among them is lost, and its successor repeated.
    When a replay begins with another line that was forgotten, the forgotten lines are repeated.
    """

    def __init__(self) -> None:
        self._writers: dict[str, _Writer] = {}
        self._remembered: deque[tuple[_Writer, array[int]]] = deque()
        """The fingerprints of the last lines, in the order of their delivery."""
        self._count = 0

    def reconnect(self) -> None:
        """Record that a new connection replays the log."""
        for writer in self._writers.values():
            writer.expected = Counter()
            writer.expects_first, writer.skip = writer.forgotten > 0, 0
        for writer, fingerprints in self._remembered:
            writer.expected.update(fingerprints)

    def new_lines(self, writer: str, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        """Return the lines that no earlier connection has delivered.

        Args:
            writer: The container or replica that has written the lines.
            lines: The next lines of the current connection.
        """
        state = self._writers.get(writer)
        if state is None:
            state = self._writers[writer] = _Writer()
        fingerprints = [_fingerprint(line) for line in lines]
        if state.expected or state.expects_first or state.skip:
            pairs = [pair for pair in zip(lines, fingerprints, strict=True) if not state.is_replayed(pair[1])]
            lines = [line for line, _ in pairs]
            fingerprints = [fingerprint for _, fingerprint in pairs]
        if fingerprints:
            self._remember(state, fingerprints)
        return lines

    def _remember(self, writer: _Writer, fingerprints: list[int]) -> None:
        if writer.first is None:
            writer.first = fingerprints[0]
        if self._remembered and self._remembered[-1][0] is writer and len(self._remembered[-1][1]) < _CHUNK:
            self._remembered[-1][1].extend(fingerprints)
        else:
            self._remembered.append((writer, array("q", fingerprints)))
        self._count += len(fingerprints)
        while self._count - len(self._remembered[0][1]) >= REMEMBERED:
            oldest, forgotten = self._remembered.popleft()
            oldest.forgotten += len(forgotten)
            self._count -= len(forgotten)


class _Writer:
    """The delivered lines of one container or replica."""

    __slots__ = ("expected", "expects_first", "first", "forgotten", "skip")

    def __init__(self) -> None:
        self.first: int | None = None
        """The fingerprint of the first line of all."""
        self.forgotten = 0
        """How many lines are older than the remembered ones."""
        self.expected: Counter[int] = Counter()
        """How often the replay may still repeat each remembered line."""
        self.expects_first = False
        """Whether the replay may begin with forgotten lines."""
        self.skip = 0
        """How many forgotten lines the replay still repeats."""

    def is_replayed(self, fingerprint: int) -> bool:
        """Whether the next line of a replay was delivered before."""
        if self.skip:
            self.skip -= 1
            return True
        if self.expects_first and fingerprint == self.first:
            self.expects_first, self.skip = False, self.forgotten - 1
            return True
        count = self.expected[fingerprint]
        if not count:
            return False
        self.expects_first = False
        if count == 1:
            del self.expected[fingerprint]
        else:
            self.expected[fingerprint] = count - 1
        return True
