"""Methods that runs and actions share: waiting, logs, inputs and outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte.remote._common import Phase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, streaming

from .data_access import HasDownloads

if TYPE_CHECKING:
    from flyte.remote.logs.line import LogLine

    from .action_details import ActionDetails
    from .downloads.links import DataUris, Downloadable, DownloadLinks
    from .logs import LogSource
    from .values.inputs_outputs import ActionInputs, ActionOutputs
    from .watching import WaitFor


class HasInputsAndOutputs(HasDownloads):
    """Mixin for everything whose details name inputs and outputs."""

    @abstractmethod
    def _fetch_details(self) -> Awaitable[ActionDetails]:
        """Return the details of the action. An entity without them fetches them, and updates itself."""

    async def _current_details(self) -> ActionDetails:
        return await self._fetch_details()

    @blocking
    @within_timeout
    async def inputs(
        self,
        *,
        as_types: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        timeout: float | timedelta | None = None,
    ) -> ActionInputs:
        """Fetch the inputs as Python values by name. See `ActionDetails.inputs`.

        Args:
            as_types: Classes to read values as, by name. Default: classes generated from the definition.
            allow_pickle: Load pickled values. Loading a pickle runs the code inside it, so do this only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Calls `DataProxyService.GetActionData`, and first `RunService.GetActionDetails` unless the details are at hand.
        """
        return await (await self._fetch_details()).inputs.aio(as_types=as_types, allow_pickle=allow_pickle)

    @blocking
    @within_timeout
    async def outputs(
        self,
        *,
        as_types: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        timeout: float | timedelta | None = None,
    ) -> ActionOutputs:
        """Fetch the outputs as a tuple of named Python values. See `ActionDetails.outputs`.

        Args:
            as_types: Classes to read values as, by name. Default: classes generated from the definition.
            allow_pickle: Load pickled values. Loading a pickle runs the code inside it, so do this only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Calls `DataProxyService.GetActionData`, and first `RunService.GetActionDetails` unless the details are at hand.
        """
        return await (await self._fetch_details()).outputs.aio(as_types=as_types, allow_pickle=allow_pickle)


class RunLike(HasInputsAndOutputs):
    """Mixin for actions and for runs, which delegate to their root action."""

    @abstractmethod
    def _action_id(self) -> ActionIdentifier:
        """The identifier of the action."""

    @abstractmethod
    def _watch_action(self, timeout: float | timedelta | None = None) -> Watch[ActionDetails]:
        """Watch the action, and update this entity with each item."""

    @abstractmethod
    def _title(self) -> str:
        """The title of the progress display."""

    @streaming
    def watch(
        self,
        cache_data_on_done: bool = False,
        wait_for: WaitFor = "terminal",
        *,
        timeout: float | timedelta | None = None,
    ) -> Watch[ActionDetails]:
        """Watch the run or action until it ends: its current details, then the details after each change.

        The details of a run are those of its root action. Each item also updates the run or action.

        Args:
            cache_data_on_done: Fetch the inputs and outputs at the end, so that the last item has them. Default: False.
            wait_for: "terminal" to watch until the end, "running" until the start, "logs-ready" until the first logs.
                The end of the run or action also ends the other two.
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.

        Returns:
            A watch for `for` or `async for`. It reconnects when the connection breaks.

        Raises:
            ValueError: `wait_for` or `timeout` is invalid.
            NotFoundError: The run or action does not exist.
            WaitTimeoutError: `timeout` has passed. The run or action continues.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchActionDetails`, and `DataProxyService.GetActionData` for `cache_data_on_done`.
        """
        from .watching import watch_until

        return watch_until(self._watch_action(timeout), wait_for, cache_data_on_done=cache_data_on_done)

    @blocking
    async def wait(
        self, *, timeout: float | timedelta | None = None, wait_for: WaitFor = "terminal", quiet: bool = False
    ) -> Phase:
        """Wait until the run or action ends, and show its progress.

        Args:
            timeout: Maximum seconds to wait, or a timedelta. Default: no limit. The run or action is not affected.
            wait_for: "terminal" for its end, "running" for its start, "logs-ready" for its first logs. Its end also
                ends the other two waits.
            quiet: Hide the progress. Default: a panel on a terminal or in a notebook, one line per phase
                elsewhere.

        Returns:
            The current phase. A failed run does not raise an error: see `raise_for_status`.

        Raises:
            ValueError: `wait_for` or `timeout` is invalid.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchActionDetails`.
        """
        from .waiting import check_wait_for, wait

        check_wait_for(wait_for)
        return await wait(self._watch_action(timeout), wait_for=wait_for, quiet=quiet, title=self._title())

    @blocking
    @within_timeout
    async def raise_for_status(self, *, timeout: float | timedelta | None = None) -> None:
        """Raise the error that the run or action ended with, unless it succeeded.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotDoneError: It has not ended yet.
            BaseRuntimeError: It failed, timed out or was aborted; the subclass says which.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        (await self._fetch_details()).raise_for_status()

    @blocking
    @within_timeout
    async def data_uris(self, *, timeout: float | timedelta | None = None) -> DataUris:
        """Fetch the URIs of the inputs and outputs. See `ActionDetails.data_uris`.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Calls `RunService.GetActionDataURIs`.
        """
        from .downloads.links import data_uris

        return await data_uris(self.client, self._action_id())

    @blocking
    @within_timeout
    async def download_links(
        self,
        kind: Downloadable = "report",
        *,
        attempt: int | None = None,
        expires_in: timedelta | None = None,
        timeout: float | timedelta | None = None,
    ) -> DownloadLinks:
        """Create download links for the report or code bundle of an attempt. See `ActionDetails.download_links`.

        Args:
            kind: "report" or "code-bundle".
            attempt: Which attempt, from 1. Default: the latest.
            expires_in: How long the links are valid. Default: decided by the server, usually an hour.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Calls `RunService.GetActionDetails` and `DataProxyService.CreateDownloadLink`.
        """
        details = await self._fetch_details()
        return await details.download_links.aio(kind, attempt=attempt, expires_in=expires_in)

    @blocking
    async def get_debug_url(self, *, timeout: float | timedelta | None = None) -> str | None:
        """Wait until the editor in the container of the run or action is ready, for tasks that start one.

        Args:
            timeout: Maximum seconds to wait, or a timedelta. Default: no limit.

        Returns:
            The URL of the editor; None if the run or action ended first.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The run or action does not exist.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchActionDetails`.
        """
        from .queries.debug_url import find_debug_url

        return await find_debug_url(self.client, self._watch_action(timeout))

    @streaming
    def get_logs(
        self,
        attempt: int | None = None,
        *,
        filter_system: bool = False,
        show_ts: bool = False,
        timeout: float | timedelta | None = None,
    ) -> Stream[LogLine]:
        """Stream the log lines until the attempt ends. The logs of a run are those of its root action.

        Waits for the first lines. The stream reconnects when the connection breaks, without repeating lines.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            filter_system: Omit lines of the platform. Default: False.
            show_ts: Begin each line with its time in UTC. Default: False.
            timeout: Seconds after which the stream gives up, or a timedelta. Default: never.

        Returns:
            A stream of lines for `for` or `async for`. A line is a `str` without a line break; its attributes are `message`,
            `timestamp`, `replica` (the pod), `container` and `system`.

        Raises:
            ValueError: `attempt` is below 1.
            NotFoundError: The action or attempt does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.TailLogs` and `RunService.GetActionDetails`.
        """
        from .logs import follow

        return follow(self._log_source(), attempt, filter_system=filter_system, show_ts=show_ts, timeout=timeout)

    @blocking
    async def show_logs(
        self,
        attempt: int | None = None,
        max_lines: int | None = None,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
        *,
        timeout: float | timedelta | None = None,
    ) -> None:
        """Print the logs as they arrive, until the attempt ends. Errors are those of `get_logs`.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            max_lines: Print only so many of the lines that exist, the last ones; new lines follow them without a limit.
                Lines count as existing until there is none for a second, or for five seconds after the first.
                Default: all lines.
            show_ts: Begin each line with its time in UTC. Default: False.
            raw: Print all lines, whatever `max_lines` is. Default: False.
            filter_system: Omit lines of the platform. Default: False.
            timeout: Seconds after which the stream gives up, or a timedelta. Default: never.
        """
        from flyte.remote.logs.show import show

        lines = self.get_logs(attempt, filter_system=filter_system, show_ts=show_ts, timeout=timeout)
        await show(lines, max_lines, raw=raw)

    def _log_source(self) -> LogSource:
        from .logs import LogSource

        return LogSource(self.client, self._action_id(), self._watch_action, self._fetch_details)
