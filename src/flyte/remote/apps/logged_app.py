"""The logs of an app, as methods of its class."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flyte.remote._common import ProjectScoped
from flyte_api.entities.app import AppBase
from flyte_api.messages.flyteidl2.app.app_definition import App as AppMessage
from flyte_api.messages.flyteidl2.app.app_definition import Identifier, Meta
from flyte_rpc.entities.stream import Stream
from flyte_rpc.sync.decorators import blocking, streaming

if TYPE_CHECKING:
    from flyte.remote.logs.line import LogLine

    from .logs import AppSource


class LoggedApp(AppBase, ProjectScoped):
    """The part of an app that reads its logs."""

    async def _fetch(self) -> AppMessage:
        message: AppMessage = (await type(self).get.aio(self.name, **self._scope, client=self.client)).pb2
        self.pb2 = message
        return message

    @streaming
    def get_logs(
        self,
        replica_name: str | None = None,
        *,
        filter_system: bool = False,
        show_ts: bool = False,
        follow: bool = True,
        timeout: float | timedelta | None = None,
    ) -> Stream[LogLine]:
        """Stream the log lines of all replicas of the app: the existing lines first, then new ones.

        The stream reconnects when the connection breaks, and drops lines that it has delivered before; it recognises
        them by their timestamp. It ends when the app is down or has no replicas left.

        Args:
            replica_name: Only lines of this replica. Default: all.
            filter_system: Omit lines of the platform. Default: False.
            show_ts: Begin each line with its time in UTC. Default: False.
            follow: Wait for new lines after the existing ones. Default: True.
            timeout: Seconds after which the stream gives up, or a timedelta. Default: never.

        Returns:
            A stream of lines for `for` or `async for`. A line is a `str` without a line break; its attributes are `message`,
            `timestamp`, `replica`, `container` and `system`.

        Raises:
            ValueError: `replica_name` is empty.
            NotFoundError: The app does not exist.
            LogsNotYetAvailableError: The app has no replicas.
            RpcError: The call failed; the subclass says how.

        Calls `AppLogsService.TailLogs` and `AppService.Get`.
        """
        from .logs import follow_logs

        return follow_logs(
            self._log_source(),
            replica_name,
            filter_system=filter_system,
            show_ts=show_ts,
            follow=follow,
            timeout=timeout,
        )

    def _log_source(self) -> AppSource:
        from .logs import AppSource

        identifier = (self.pb2.metadata or Meta()).id or Identifier()
        return AppSource(self.client, identifier, self._fetch)

    @blocking
    async def show_logs(
        self,
        max_lines: int | None = None,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
        replica_name: str | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> None:
        """Print the log lines of the app as they arrive, until the app is down. Errors are those of `get_logs`.

        Args:
            max_lines: Print only so many of the lines that exist, the last ones; new lines follow them without a limit.
                Lines count as existing until there is none for a second, or for five seconds after the first.
                Default: all lines.
            show_ts: Begin each line with its time in UTC. Default: False.
            raw: Print all lines as they are: without the name of the replica in front, whatever `max_lines` is.
                Default: False.
            filter_system: Omit lines of the platform. Default: False.
            replica_name: Only lines of this replica. Default: all.
            timeout: Seconds after which the stream gives up, or a timedelta. Default: never.
        """
        from flyte.remote.logs.show import show

        lines = self.get_logs(replica_name, filter_system=filter_system, show_ts=show_ts, timeout=timeout)
        await show(lines, max_lines, raw=raw, with_replica=True)
