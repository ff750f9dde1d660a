"""Everything known about an action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte.models import ActionPhase
from flyte.syncify import blocking
from flyte_api.entities.action_details import ActionDetailsBase
from flyte_api.messages.flyteidl2.workflow.run_definition import AbortInfo, ActionAttempt, ErrorInfo

from ._action_common import ActionLike, PhaseTransition
from ._common import Phase

if TYPE_CHECKING:
    from ._io import ActionInputs, ActionOutputs
    from ._links import DataUris, Downloadable, DownloadLinks


class ActionDetails(ActionLike, ActionDetailsBase):
    """Everything about an action: its attempts, their phases and errors, and what it ran."""

    @property
    def error_info(self) -> ErrorInfo | None:
        """Why it failed; None unless it did."""
        found: ErrorInfo | None = self.pb2.error_info
        return found

    @property
    def error_message(self) -> str:
        """Why it failed, in words; empty unless it did."""
        return "" if self.error_info is None else self.error_info.message

    @property
    def abort_info(self) -> AbortInfo | None:
        """Why it was aborted; None unless it was."""
        found: AbortInfo | None = self.pb2.abort_info
        return found

    @property
    def attempt_details(self) -> list[ActionAttempt]:
        """Every attempt, the first one first, with phases, errors and cluster events."""
        return list(self.pb2.attempts)

    def attempt(self, number: int | None = None) -> ActionAttempt | None:
        """One attempt.

        Args:
            number: Which, from 1. Default: the latest.

        Returns:
            The attempt, or None when there is none of that number.
        """
        attempts = self.pb2.attempts
        if number is None:
            return max(attempts, key=lambda a: a.attempt, default=None)
        return next((a for a in attempts if a.attempt == number), None)

    def phase_transitions(self, attempt: int | None = None) -> list[PhaseTransition]:
        """The phases that an attempt went through, in order.

        Args:
            attempt: Which, from 1. Default: the latest.

        Returns:
            The transitions; none when there is no attempt of that number.
        """
        found = self.attempt(attempt)
        if found is None:
            return []
        return [
            PhaseTransition(
                phase=ActionPhase.from_protobuf(int(t.phase)),
                start_time=None if t.start_time is None else t.start_time.to_datetime(),
                end_time=None if t.end_time is None else t.end_time.to_datetime(),
            )
            for t in found.phase_transitions
        ]

    get_phase_transitions = phase_transitions

    @property
    def phase_durations(self) -> dict[Phase, timedelta]:
        """How long the latest attempt was in each phase, repeated phases added up."""
        out: dict[Phase, timedelta] = {}
        for transition in self.phase_transitions():
            if transition.duration is not None:
                out[transition.phase] = out.get(transition.phase, timedelta(0)) + transition.duration
        return out

    def logs_available(self, attempt: int | None = None) -> bool:
        """Whether an attempt has logs to read.

        Args:
            attempt: Which, from 1. Default: the latest.
        """
        found = self.attempt(attempt)
        return found is not None and found.logs_available

    def raise_for_status(self) -> None:
        """Raise what the action ended with, unless it succeeded.

        Raises:
            NotDoneError: It has not ended yet.
            ActionAbortedError: It was aborted.
            TaskTimeoutError: It took longer than it may.
            BaseRuntimeError: It failed; the subclasses say whose fault it is.
        """
        from ._outcome import raise_for_status

        raise_for_status(self)

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
        from ._io import read_inputs

        return await read_inputs(self, as_types, allow_pickle=allow_pickle)

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
        from ._io import read_outputs

        return await read_outputs(self, as_types, allow_pickle=allow_pickle)

    @blocking
    async def data_uris(self) -> DataUris:
        """Where the inputs and outputs are kept.

        Returns:
            The URIs, for programs that can read that storage; outputs are None until it has succeeded.

        Raises:
            NotFoundError: There is no such action, or nothing is known of its outputs although it has succeeded.
            RpcError: The call failed; its subclasses say how.

        Calls `RunService.GetActionDataURIs`.
        """
        from ._links import data_uris

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
            The links; whoever has one can download, so treat them as secrets.

        Raises:
            ValueError: An argument cannot be used; nothing was sent.
            NotFoundError: There is no such attempt, or it has left nothing of that kind.
            RpcError: The call failed; its subclasses say how.

        Calls `DataProxyService.CreateDownloadLink`.
        """
        from ._links import links

        return await links(self, kind, attempt, expires_in)
