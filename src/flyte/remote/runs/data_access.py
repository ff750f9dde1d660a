"""Inputs and outputs as raw literals and as values of the caller's types, and downloads of reports and code."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from flyte_rpc.arguments import whole
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.entity import Entity
from flyte_rpc.sync.decorators import blocking

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
    from flyte_api.messages.flyteidl2.core.interface import TypedInterface
    from flyte_api.messages.flyteidl2.core.literals import Literal
    from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataResponse
    from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails

    from .values.inputs_outputs import Literals


class DetailsWithData(Protocol):
    """The part of an action's details that reading its data and files needs."""

    @property
    def pb2(self) -> ActionDetails: ...
    @property
    def action_id(self) -> ActionIdentifier: ...
    @property
    def attempts(self) -> int: ...
    def raise_for_status(self) -> None: ...
    async def fetch_action_data(self) -> GetActionDataResponse: ...


class HasLiterals(Entity[Any]):
    """Mixin for everything whose inputs and outputs can be read without the definition of the task."""

    @abstractmethod
    def _current_details(self) -> Awaitable[DetailsWithData]:
        """Return the details of the action. They are fetched again while it runs."""

    @blocking
    @within_timeout
    async def input_literals(self, *, timeout: float | timedelta | None = None) -> dict[str, Literal]:
        """Fetch the inputs as raw literals by name.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The server has no inputs of this action.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.GetActionData`, and first `RunService.GetActionDetails` unless the details are at hand.
        """
        return (await self._read_inputs())[0]

    async def _read_inputs(self) -> tuple[Literals, TypedInterface | None]:
        from .values.inputs_outputs import interface_of, literals_of

        details = await self._current_details()
        return literals_of((await details.fetch_action_data()).inputs, "input"), interface_of(details.pb2)

    @blocking
    @within_timeout
    async def output_literals(self, *, timeout: float | timedelta | None = None) -> dict[str, Literal]:
        """Fetch the outputs as raw literals by name.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotDoneError: The action has not ended yet.
            BaseRuntimeError: It ended without outputs: it failed, timed out or was aborted.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.GetActionData`, and first `RunService.GetActionDetails` unless the details are at hand.
        """
        return (await self._read_outputs())[0]

    async def _read_outputs(self) -> tuple[Literals, TypedInterface | None]:
        from .values.inputs_outputs import interface_of, literals_of

        details = await self._current_details()
        details.raise_for_status()
        return literals_of((await details.fetch_action_data()).outputs, "output"), interface_of(details.pb2)

    @blocking
    @within_timeout
    async def typed_inputs(
        self,
        types: Mapping[str, Any],
        deserializers: Mapping[Any, Callable[[Any], Any]] | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> dict[str, Any]:
        """Fetch some inputs as values of your own types. The other inputs are not decoded.

        Args:
            types: The type to read each value as, by name. Inputs without a value are left out of the result.
            deserializers: Functions that build a value, by type. Each gets the plain data of the value, usually a dict.
                Default: values are converted as `as_types` of `inputs` does.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The values by name.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            KeyError: The task has no input of that name.
            TypeError: A value does not fit the given type, has no Python form, or its deserializer failed.
            NotFoundError: The server has no inputs of this action.
            RpcError: The call failed; the subclass says how.

        Calls what `input_literals` calls.
        """
        from .values.inputs_outputs import read_typed

        check_types(types, deserializers)
        return await read_typed(*await self._read_inputs(), types, deserializers or {})

    @blocking
    @within_timeout
    async def typed_outputs(
        self,
        types: Mapping[str, Any],
        deserializers: Mapping[Any, Callable[[Any], Any]] | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> dict[str, Any]:
        """Fetch some outputs as values of your own types. The other outputs are not decoded.

        Args:
            types: The type to read each value as, by name, such as {"o0": Point}. Outputs without a value are left out
                of the result.
            deserializers: Functions that build a value, by type. Each gets the plain data of the value, usually a dict.
                Default: values are converted as `as_types` of `outputs` does.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The values by name.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotDoneError: The action has not ended yet.
            BaseRuntimeError: It ended without outputs: it failed, timed out or was aborted.
            KeyError: The task has no output of that name.
            TypeError: A value does not fit the given type, has no Python form, or its deserializer failed.
            RpcError: The call failed; the subclass says how.

        Calls what `output_literals` calls.
        """
        from .values.inputs_outputs import read_typed

        check_types(types, deserializers)
        return await read_typed(*await self._read_outputs(), types, deserializers or {})


def check_types(types: object, deserializers: object) -> None:
    """Refuse arguments that are no mappings, before anything is sent.

    Raises:
        TypeError: One of them is something else.
    """
    if not isinstance(types, Mapping):
        raise TypeError(f"types takes a mapping of names to types, not {type(types).__name__}")
    if deserializers is not None and not isinstance(deserializers, Mapping):
        raise TypeError(f"deserializers takes a mapping of types to functions, not {type(deserializers).__name__}")
    for kind, function in cast("Mapping[object, object]", deserializers or {}).items():
        if not callable(function):
            raise TypeError(
                f"deserializers takes functions, and has {function!r} for {getattr(kind, '__name__', kind)}"
            )


class HasDownloads(HasLiterals):
    """Mixin for everything whose report and code can be downloaded."""

    @blocking
    @within_timeout
    async def get_report(self, attempt: int | None = None, *, timeout: float | timedelta | None = None) -> str:
        """Download the HTML report that the task wrote.

        Args:
            attempt: Number of the attempt, from 1. Default: the latest.
            timeout: Maximum seconds for all calls and the download together, or a timedelta. Default: the client's for
                each call, and 60 seconds without data for the download.

        Returns:
            The report, decoded as UTF-8.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The attempt does not exist, or it has no report.
            OSError: The storage cannot be reached, or refuses the download.
            DeadlineExceededError: `timeout` has passed.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.CreateDownloadLink`, and first `RunService.GetActionDetails` unless the details are at
        hand. Then it downloads the report by the link.
        """
        from .downloads.report import read_report

        if attempt is not None:
            whole("attempt", attempt, 1)
        details = await self._current_details()
        return await read_report(self.client, details.action_id, attempt or details.attempts)

    @blocking
    @within_timeout
    async def download_code(
        self,
        dest: str | os.PathLike[str] | None = None,
        extract: bool = True,
        attempt: int | None = None,
        *,
        timeout: float | timedelta | None = None,
    ) -> Path:
        """Download the code that the action runs, and extract it.

        Args:
            dest: Directory to extract into; it is created if it does not exist. Default: a directory with the name of
                the run, in the current one.
            extract: Extract an archive. Default: True. A pickle is never loaded; it stays a file.
            attempt: Number of the attempt, from 1. Default: the latest.
            timeout: Maximum seconds for all calls and the download together, or a timedelta. Default: the client's for
                each call, and 60 seconds without data for the download.

        Returns:
            The directory, or the file in it that was not extracted.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RuntimeUserError: The action has no code bundle: its code is part of its image.
            NotFoundError: The attempt does not exist.
            RuntimeSystemError: The archive is damaged, or has an entry that leads out of `dest`; nothing was extracted.
            OSError: The storage cannot be reached or refuses the download, or a file cannot be written.
            DeadlineExceededError: `timeout` has passed.
            RpcError: The call failed; the subclass says how. Servers without code bundles raise one, too.

        Calls `DataProxyService.CreateDownloadLink`, and first `RunService.GetActionDetails` unless the details are at
        hand. Then it downloads the code by the link.
        """
        from .downloads.code_bundle import code_bundle_of, download_code

        if attempt is not None:
            whole("attempt", attempt, 1)
        details = await self._current_details()
        bundle = code_bundle_of(details.pb2)
        number = attempt or details.attempts
        return await download_code(self.client, details.action_id, bundle, number, dest, extract=extract)
