"""What users do with runs and actions alike: wait, read logs, read inputs and outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte.remote._common import Phase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_rpc.entities.entity import Entity
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, streaming

from .waiting import WaitFor, check_wait_for, wait

if TYPE_CHECKING:
    from .action_details import ActionDetails
    from .inputs_outputs import ActionInputs, ActionOutputs
    from .links import DataUris, Downloadable, DownloadLinks
    from .logs import LogSource


class RunLike(Entity[Any]):
    """Mixin for actions, and for runs, which their root action stands for."""

    @abstractmethod
    def _action_id(self) -> ActionIdentifier:
        """The identifier of the action."""

    @abstractmethod
    def _watch_action(self, timeout: float | None = None) -> Watch[ActionDetails]:
        """Watch the action, and keep this entity up to date."""

    @abstractmethod
    def _fetch_details(self) -> Awaitable[ActionDetails]:
        """Fetch the details of the action, and bring this entity up to date."""

    @abstractmethod
    def _title(self) -> str:
        """What a display of a wait calls it."""

    @blocking
    async def wait(self, *, timeout: float | None = None, wait_for: WaitFor = "terminal", quiet: bool = False) -> Phase:
        """Wait for it, and show how it gets on.

        Args:
            timeout: Seconds to wait at most. Default: as long as it takes. The run or action itself is never touched.
            wait_for: "terminal" for its end, "running" for its start, "logs-ready" for its first logs. The end
                of it ends each of them.
            quiet: Whether nothing is shown. Default: a panel on a terminal or in a notebook, a line for each phase
                elsewhere.

        Returns:
            The phase it is in. A failure is no error here: see `raise_for_status`.

        Raises:
            ValueError: `wait_for` is none of the above.
            WaitTimeoutError: `timeout` has passed.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.WatchActionDetails`.
        """
        check_wait_for(wait_for)
        return await wait(self._watch_action(timeout), wait_for=wait_for, quiet=quiet, title=self._title())

    @blocking
    async def raise_for_status(self) -> None:
        """Raise what it ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            BaseRuntimeError: It failed, timed out or was aborted; the subclasses say which.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDetails`.
        """
        (await self._fetch_details()).raise_for_status()

    @blocking
    async def inputs(self, *, as_types: Mapping[str, Any] | None = None, allow_pickle: bool = False) -> ActionInputs:
        """The inputs, as Python values by name. See `ActionDetails.inputs`.

        Args:
            as_types: Class to read a value as, by name. Default: one made from its definition.
            allow_pickle: Load pickled values. Loading one runs whatever code its writer put into it: only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`.

        Calls `RunService.GetActionDetails` and `DataProxyService.GetActionData`.
        """
        return await (await self._fetch_details()).inputs.aio(as_types=as_types, allow_pickle=allow_pickle)

    @blocking
    async def outputs(self, *, as_types: Mapping[str, Any] | None = None, allow_pickle: bool = False) -> ActionOutputs:
        """The outputs, as a tuple of Python values with names. See `ActionDetails.outputs`.

        Args:
            as_types: Class to read a value as, by name. Default: one made from its definition.
            allow_pickle: Load pickled values. Loading one runs whatever code its writer put into it: only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`.

        Calls `RunService.GetActionDetails` and `DataProxyService.GetActionData`.
        """
        return await (await self._fetch_details()).outputs.aio(as_types=as_types, allow_pickle=allow_pickle)

    @blocking
    async def data_uris(self) -> DataUris:
        """Where the inputs and outputs are kept. See `ActionDetails.data_uris`.

        Calls `RunService.GetActionDataURIs`.
        """
        from .links import data_uris

        return await data_uris(self.client, self._action_id())

    @blocking
    async def download_links(
        self, kind: Downloadable = "report", *, attempt: int | None = None, expires_in: timedelta | None = None
    ) -> DownloadLinks:
        """Links to download something by that an attempt has left. See `ActionDetails.download_links`.

        Args:
            kind: "report" or "code-bundle".
            attempt: Which attempt, from 1. Default: the latest.
            expires_in: How long they work. Default: as long as the server likes, usually an hour.

        Calls `RunService.GetActionDetails` and `DataProxyService.CreateDownloadLink`.
        """
        details = await self._fetch_details()
        return await details.download_links.aio(kind, attempt=attempt, expires_in=expires_in)

    @streaming
    def get_logs(
        self, attempt: int | None = None, *, filter_system: bool = False, show_ts: bool = False
    ) -> Stream[str]:
        """Follow the logs, line by line, until the attempt has ended; of a run, those of its root action.

        Waits for the first lines. The stream reconnects when the connection breaks, without repeating lines.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
            show_ts: Whether each line starts with its time in UTC. Default: False.

        Returns:
            A stream of lines, without line breaks, for `for` or `async for`.

        Raises:
            ValueError: `attempt` is below 1.
            NotFoundError: The action or attempt does not exist.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.TailLogs` and `RunService.GetActionDetails`.
        """
        from .logs import follow

        return follow(self._log_source(), attempt, filter_system=filter_system, show_ts=show_ts)

    @blocking
    async def show_logs(
        self,
        attempt: int | None = None,
        *,
        max_lines: int | None = None,
        show_ts: bool = False,
        filter_system: bool = False,
    ) -> None:
        """Print the logs as they come, until the attempt has ended. Arguments and errors as in `get_logs`.

        Args:
            attempt: Which attempt, from 1. Default: the latest.
            max_lines: Stop after this many. Default: never.
            show_ts: Whether each line starts with its time in UTC. Default: False.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
        """
        from .logs import show

        await show(self._log_source(), attempt, max_lines=max_lines, show_ts=show_ts, filter_system=filter_system)

    def _log_source(self) -> LogSource:
        from .logs import LogSource

        return LogSource(self.client, self._action_id(), self._watch_action, self._fetch_details)
