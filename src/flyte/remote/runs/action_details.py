"""Everything known about an action."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte._client import resolve_client
from flyte.errors import RpcError
from flyte_api.entities.action_details import ActionDetailsBase
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as ActionDetailsMessage
from flyte_rpc.arguments import seconds, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, streaming

from .attempt_history import AttemptHistory
from .data_access import HasDownloads

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.interface import TypedInterface
    from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataResponse

    from .downloads.code_bundle import CodeBundle
    from .downloads.links import DataUris, Downloadable, DownloadLinks
    from .values.inputs_outputs import ActionInputs, ActionOutputs

_log = logging.getLogger("flyte.remote")


class ActionDetails(AttemptHistory, HasDownloads, ActionDetailsBase):
    """The details of an action: its attempts, their phases and errors, and its task."""

    _data: GetActionDataResponse | None = None
    """The inputs and outputs, if a watch has fetched them."""

    async def _fetch_details(self) -> ActionDetails:
        return await type(self).get.aio(self.run_name, self.name, **self._scope, client=self.client)

    async def _current_details(self) -> ActionDetails:
        return self if self.done() else await self._fetch_details()

    def _update(self, item: ActionDetails) -> None:
        self.pb2 = item.pb2

    async def fetch_action_data(self) -> GetActionDataResponse:
        """Fetch the message with the inputs and outputs, unless a watch has fetched it. For code of this library."""
        from .values.inputs_outputs import fetch_data

        return self._data or await fetch_data(self.client, self.action_id)

    async def cache_action_data(self) -> None:
        """Fetch the inputs and outputs ahead of their use, if the server has them. For code of this library."""
        try:
            self._data = await self.fetch_action_data()
        except RpcError as error:
            # `inputs` and `outputs` fetch them again, and raise the error.
            _log.debug("the data of action %s is not available: %s", self.name, error)

    @streaming
    @classmethod
    def watch(
        cls, action_id: ActionIdentifier, *, timeout: float | timedelta | None = None, client: Client | None = None
    ) -> Watch[ActionDetails]:
        """Watch an action until it ends: its current details, then the details after each change.

        Args:
            action_id: The identifier of the action.
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.
            client: The client for the calls. Default: the current one.

        Returns:
            A watch for `for` or `async for`. It reconnects when the connection breaks.

        Raises:
            TypeError: `action_id` is not an `ActionIdentifier`.
            ValueError: `timeout` is not positive.
            NotFoundError: The action does not exist.
            WaitTimeoutError: `timeout` has passed. The action continues.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchActionDetails`.
        """
        if timeout is not None:
            seconds("timeout", timeout)
        if not isinstance(action_id, ActionIdentifier):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"action_id takes an ActionIdentifier, not {type(action_id).__name__}")
        return cls(ActionDetailsMessage(id=action_id), resolve_client(client)).watch_updates(timeout=timeout)

    @streaming
    def watch_updates(
        self, cache_data_on_done: bool = False, *, timeout: float | timedelta | None = None
    ) -> Watch[ActionDetails]:
        """Watch the action until it ends: its current details, then the details after each change.

        Each item also updates these details.

        Args:
            cache_data_on_done: Fetch the inputs and outputs at the end, so that the last item has them. Default: False.
            timeout: Seconds after which the watch gives up, or a timedelta. Default: never.

        Returns:
            A watch for `for` or `async for`. It reconnects when the connection breaks.

        Raises:
            NotFoundError: The action does not exist.
            WaitTimeoutError: `timeout` has passed. The action continues.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.WatchActionDetails`, and `DataProxyService.GetActionData` for `cache_data_on_done`.
        """
        from .watching import watch_until

        watch = self._watch(timeout=timeout).telling(self._update)
        return watch_until(watch, "terminal", cache_data_on_done=cache_data_on_done)

    @property
    def code_bundle(self) -> CodeBundle | None:
        """The code that was uploaded beside the image of the task; None if it is part of the image."""
        from .downloads.code_bundle import code_bundle_of

        return code_bundle_of(self.pb2)

    @blocking
    @within_timeout
    async def inputs(
        self,
        *,
        as_types: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        timeout: float | timedelta | None = None,
    ) -> ActionInputs:
        """Fetch the inputs as Python values by name.

        Args:
            as_types: Classes to read values as, by name. Default: classes generated from the definition.
            allow_pickle: Load pickled values. Loading a pickle runs the code inside it, so do this only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`, and `unsupported` says why.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            TypeError: `as_types` names a nonexistent value, or a value does not fit the given type.
            NotFoundError: The server has no inputs of this action.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.GetActionData`.
        """
        from .values.inputs_outputs import read_inputs

        data = await self.fetch_action_data()
        return await read_inputs(data, self._interface, as_types, allow_pickle=allow_pickle)

    @blocking
    @within_timeout
    async def outputs(
        self,
        *,
        as_types: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        timeout: float | timedelta | None = None,
    ) -> ActionOutputs:
        """Fetch the outputs as a tuple of named Python values.

        Args:
            as_types: Classes to read values as, by name. Default: classes generated from the definition.
            allow_pickle: Load pickled values. Loading a pickle runs the code inside it, so do this only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`, and `unsupported` says why.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotDoneError: The action has not ended yet.
            BaseRuntimeError: It ended without outputs: it failed, timed out or was aborted.
            TypeError: `as_types` names a nonexistent value, or a value does not fit the given type.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.GetActionData`.
        """
        from .values.inputs_outputs import read_outputs

        details = await self._current_details()
        details.raise_for_status()
        data = await details.fetch_action_data()
        return await read_outputs(data, details._interface, as_types, allow_pickle=allow_pickle)

    @property
    def _interface(self) -> TypedInterface | None:
        from .values.inputs_outputs import interface_of

        return interface_of(self.pb2)

    @blocking
    @within_timeout
    async def data_uris(self, *, timeout: float | timedelta | None = None) -> DataUris:
        """Fetch the URIs of the inputs and outputs.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Returns:
            The URIs, for programs with access to the storage. `outputs` is None until the action has succeeded.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The action does not exist, or its outputs are missing although it has succeeded.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDataURIs`.
        """
        from .downloads.links import data_uris

        return await data_uris(self.client, self.action_id)

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
        """Create download links for the report or code bundle of an attempt.

        Args:
            kind: "report" for the report that the task wrote, "code-bundle" for its code. Servers
                without code bundles reject the latter.
            attempt: Which attempt, from 1. Default: the latest.
            expires_in: How long the links are valid. Default: decided by the server, usually an hour.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The links. Anyone with a link can download, so treat links as secrets.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The attempt does not exist, or it has no such file.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.CreateDownloadLink`.
        """
        from .downloads.links import create_download_links

        number = self.attempts if attempt is None else whole("attempt", attempt, 1)
        return await create_download_links(self.client, self.action_id, kind, number, expires_in)
