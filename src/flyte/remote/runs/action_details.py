"""Everything known about an action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte_api.entities.action_details import ActionDetailsBase
from flyte_rpc.arguments import whole
from flyte_rpc.sync.decorators import blocking

from .attempt_history import AttemptHistory

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.interface import TypedInterface

    from .inputs_outputs import ActionInputs, ActionOutputs
    from .links import DataUris, Downloadable, DownloadLinks


class ActionDetails(AttemptHistory, ActionDetailsBase):
    """Everything about an action: its attempts, their phases and errors, and what it ran."""

    @blocking
    async def inputs(self, *, as_types: Mapping[str, Any] | None = None, allow_pickle: bool = False) -> ActionInputs:
        """The inputs, as Python values by name.

        Args:
            as_types: Class to read a value as, by name, instead of one made from its definition. Default: none.
            allow_pickle: Load pickled values. Loading one runs whatever code its writer put into it: only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`, and `unsupported` says why.

        Raises:
            TypeError: `as_types` names a value that is not there, or one that is not of that type.
            NotFoundError: The server has no inputs of this action.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.GetActionData`.
        """
        from .inputs_outputs import read_inputs

        return await read_inputs(self.client, self.action_id, self._interface, as_types, allow_pickle=allow_pickle)

    @blocking
    async def outputs(self, *, as_types: Mapping[str, Any] | None = None, allow_pickle: bool = False) -> ActionOutputs:
        """The outputs, as a tuple of Python values with names.

        Args:
            as_types: Class to read a value as, by name, instead of one made from its definition. Default: none.
            allow_pickle: Load pickled values. Loading one runs whatever code its writer put into it: only for runs of
                people you trust. Default: False; a pickled value stays a raw `Literal`, and `unsupported` says why.

        Raises:
            NotDoneError: The action has not ended yet.
            BaseRuntimeError: It ended without outputs: it failed, timed out or was aborted.
            TypeError: `as_types` names a value that is not there, or one that is not of that type.
            RpcError: The call failed; its subclasses say how.

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
    async def data_uris(self) -> DataUris:
        """Where the inputs and outputs are kept.

        Returns:
            The URIs, for programs that can read that storage; outputs are None until it has succeeded.

        Raises:
            NotFoundError: The action does not exist, or nothing is known of its outputs although it has succeeded.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDataURIs`.
        """
        from .links import data_uris

        return await data_uris(self.client, self.action_id)

    @blocking
    async def download_links(
        self, kind: Downloadable = "report", *, attempt: int | None = None, expires_in: timedelta | None = None
    ) -> DownloadLinks:
        """Links to download something by that an attempt has left.

        Args:
            kind: "report" for the report that the task has written, "code-bundle" for the code it was run with. Servers
                that have only reports refuse the other.
            attempt: Which attempt, from 1. Default: the latest.
            expires_in: How long they work. Default: as long as the server likes, usually an hour.

        Returns:
            The links. Anyone with a link can download, so treat links as secrets.

        Raises:
            ValueError: An argument cannot be used; nothing was sent.
            NotFoundError: The attempt does not exist, or it has left nothing of that kind.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.CreateDownloadLink`.
        """
        from .links import create_download_links

        number = self.attempts if attempt is None else whole("attempt", attempt, 1)
        return await create_download_links(self.client, self.action_id, kind, number, expires_in)
