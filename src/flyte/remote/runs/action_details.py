"""Everything known about an action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte_api.entities.action_details import ActionDetailsBase
from flyte_rpc.arguments import whole
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.sync.decorators import blocking

from .attempt_history import AttemptHistory

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.interface import TypedInterface

    from .inputs_outputs import ActionInputs, ActionOutputs
    from .links import DataUris, Downloadable, DownloadLinks


class ActionDetails(AttemptHistory, ActionDetailsBase):
    """The details of an action: its attempts, their phases and errors, and its task."""

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
        from .inputs_outputs import read_inputs

        return await read_inputs(self.client, self.action_id, self._interface, as_types, allow_pickle=allow_pickle)

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
        from .inputs_outputs import read_outputs

        details = self
        if not self.done():
            details = await type(self).get.aio(self.run_name, self.name, **self._scope, client=self.client)
        details.raise_for_status()
        return await read_outputs(self.client, self.action_id, details._interface, as_types, allow_pickle=allow_pickle)

    @property
    def _interface(self) -> TypedInterface | None:
        task, trace = self.pb2.task, self.pb2.trace
        if task is not None and task.task_template is not None:
            interface: TypedInterface | None = task.task_template.interface
            return interface
        return None if trace is None else trace.interface

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
        from .links import data_uris

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
        from .links import create_download_links

        number = self.attempts if attempt is None else whole("attempt", attempt, 1)
        return await create_download_links(self.client, self.action_id, kind, number, expires_in)
