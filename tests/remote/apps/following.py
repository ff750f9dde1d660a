"""Logs of apps, read without long pauses."""

from __future__ import annotations

from flyte.remote import App, LogLine
from flyte.remote.apps.logs import Pauses, follow_logs
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.entities.stream import Stream

IMPATIENT = Pauses(Backoff(attempts=100, first=0.001, longest=0.001), silence=0.1)


def quick_logs(
    app: App,
    replica_name: str | None = None,
    *,
    filter_system: bool = False,
    show_ts: bool = False,
    follow: bool = True,
    pauses: Pauses = IMPATIENT,
) -> Stream[LogLine]:
    """Return what `app.get_logs()` returns, with other pauses."""
    return follow_logs(
        app._log_source(), replica_name, filter_system=filter_system, show_ts=show_ts, follow=follow, pauses=pauses
    )
