"""Pings that find a dead connection while calls are open, sparingly enough for servers that count them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PING_INTERVAL = 30.0
"""Seconds of silence before the first ping while calls are open. Proxies and NATs drop idle connections silently."""

PING_TIMEOUT = 15.0
"""Seconds after which an unanswered ping means that the connection is dead."""

SPARING_INTERVAL = 305.0
"""Seconds between later pings of one silence. gRPC servers allow one ping in 5 minutes by default, and two more than that."""

_EARLY_PINGS = 2

_RESOLUTION = 0.001
"""Seconds that a timer may be early."""


class PingPolicy:
    """When the connections to one endpoint are pinged."""

    def __init__(self, interval: float = PING_INTERVAL, timeout: float = PING_TIMEOUT) -> None:
        """Set the policy.

        Args:
            interval: Seconds of silence before the first two pings; later ones wait at least `SPARING_INTERVAL`.
            timeout: Seconds that the peer has to send anything after a ping.
        """
        self.interval = interval
        self.timeout = timeout

    def back_off(self) -> None:
        """Ping half as often: the server says that it is pinged too often."""
        self.interval *= 2


class Keepalive:
    """Pings the peer of one connection when it is silent. What the peer sends otherwise makes a ping needless."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        policy: PingPolicy,
        *,
        calls_open: Callable[[], bool],
        send_ping: Callable[[], None],
        dead: Callable[[str], None],
    ) -> None:
        """Describe the pings; `start` begins them.

        Args:
            loop: The event loop of the connection.
            policy: When to ping.
            calls_open: Whether there are calls. Without calls, no ping is sent.
            send_ping: Sends a ping.
            dead: Called with a reason when the peer sends nothing in time.
        """
        self._loop = loop
        self._policy = policy
        self._calls_open = calls_open
        self._send_ping = send_ping
        self._dead = dead
        self._timer: asyncio.TimerHandle | None = None
        self._pinged = 0
        """Pings since the peer has sent a part of a reply: servers forget earlier ones when they send something."""
        self._waiting = False
        self.last_received = 0.0
        """Time of the event loop at which the last bytes arrived."""

    def start(self) -> None:
        """Watch over the peer for as long as calls are open."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._due(), self._check)

    def stop(self) -> None:
        """Send no more pings."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def reply_received(self) -> None:
        """Note that a part of a reply has arrived."""
        if self._pinged:
            self._pinged = 0
            if self._timer is not None and not self._waiting:
                # The timer may be set for the long interval between later pings of one silence, which is over.
                self._timer.cancel()
                self._timer = self._loop.call_later(self._due(), self._check)

    def answered(self) -> None:
        """Note that the peer has answered a ping."""
        if self._waiting and self._timer is not None:
            self._timer.cancel()
            self._waiting = False
            self._timer = self._loop.call_later(self._due(), self._check)

    def _due(self) -> float:
        interval = self._policy.interval
        return interval if self._pinged < _EARLY_PINGS else max(interval, SPARING_INTERVAL)

    def _check(self) -> None:
        self._timer = None
        if not self._calls_open():
            return
        silent, due = self._loop.time() - self.last_received, self._due()
        if silent < due - _RESOLUTION:
            self._timer = self._loop.call_later(due - silent, self._check)
            return
        self._send_ping()
        self._pinged += 1
        self._waiting = True
        self._timer = self._loop.call_later(self._policy.timeout, self._give_up, self._loop.time())

    def _give_up(self, since: float) -> None:
        self._timer, self._waiting = None, False
        if self.last_received >= since:
            self._check()
            return
        self._dead(f"the server has not answered a ping for {self._policy.timeout:g} s")
