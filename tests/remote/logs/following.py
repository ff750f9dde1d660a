"""Logs of actions, read without long pauses."""

from __future__ import annotations

from flyte.remote import Action, LogLine
from flyte.remote.runs.logs import Pauses, follow
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.entities.stream import Stream

AT_ONCE = Backoff(attempts=100, first=0.001, longest=0.001)


def quick_logs(
    action: Action,
    attempt: int | None = None,
    *,
    filter_system: bool = False,
    backoff: Backoff = AT_ONCE,
    silence: float = 5.0,
) -> Stream[LogLine]:
    """Return what `action.get_logs()` returns, with other pauses."""
    source = action._log_source()
    return follow(source, attempt, filter_system=filter_system, show_ts=False, pauses=Pauses(backoff, silence))
