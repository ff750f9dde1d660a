"""Conditions: points at which a run waits for a value from outside."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Self

from flyte._client import resolve_client
from flyte.errors import ConditionNotFoundError, NotFoundError
from flyte_api.clients.flyteidl2.workflow.run_service import RunServiceClient
from flyte_api.entities.action import action_summary
from flyte_api.entities.condition import ConditionBase
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.types import SimpleType
from flyte_api.messages.flyteidl2.workflow.run_definition import ConditionActionMetadata
from flyte_api.messages.flyteidl2.workflow.run_service import EventPayload, SignalEventRequest
from flyte_api.sorting import ActionKey
from flyte_rpc.arguments import alias, text
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import Several, SortedBy
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking, fetching

from .action_details import ActionDetails
from .action_fields import ROOT_ACTION, ActionFields
from .queries.listed_metadata import complete_listing

if TYPE_CHECKING:
    from flyte_api.choices import ActionPhaseName

Answer = bool | int | float | str
_TYPES: dict[SimpleType, type[Answer]] = {
    SimpleType.BOOLEAN: bool,
    SimpleType.INTEGER: int,
    SimpleType.FLOAT: float,
    SimpleType.STRING: str,
}
_INT64 = range(-(2**63), 2**63)


class Condition(ActionFields, ConditionBase):
    """A point at which a run waits until a user signals a value. It is an action of the run, and has a phase."""

    @property
    def name(self) -> str:
        """The name that the waiting code gave it, else the name of its action."""
        return super().name or self.action_name

    @property
    def _condition(self) -> ConditionActionMetadata | None:
        return self.metadata.condition

    @property
    def expected_type(self) -> type[Answer] | None:
        """The type of the value: `bool`, `int`, `float` or `str`; None if the server did not send it."""
        condition = self._condition
        if condition is None or condition.type is None or condition.type.simple is None:
            return None
        return _TYPES.get(condition.type.simple)

    _REPR: ClassVar[tuple[str, ...]] = (
        "run_name",
        "name",
        "phase!s",
        "expected_type=_expected_type_name",
        "action_name",
    )

    @property
    def _expected_type_name(self) -> str | None:
        return None if self.expected_type is None else self.expected_type.__name__

    @listing
    @classmethod
    def listall(
        cls,
        for_run_name: str | None = None,
        action_name: str | None = None,
        *,
        run_name: str | None = None,
        in_phase: Several[ActionPhase | ActionPhaseName] | None = None,
        sort_by: SortedBy[ActionKey] | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List the conditions that a run has reached, the oldest first.

        Args:
            for_run_name: Name of the run.
            action_name: Only conditions that this action waits for. Default: all.
            run_name: The former name of `for_run_name`.
            in_phase: Only conditions in one of these phases, such as ("paused",) for waiting ones. Default: all.
            sort_by: Field to sort by, such as "created_at" or ("phase", "asc"); `-` in front for descending. Default:
                `created_at`.
            limit: Maximum number of items. Default: all.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.ListActions`, and what `Action.listall` calls if the listing omits the names, as the open-source
        server does.
        """
        name = alias("for_run_name", for_run_name, "run_name", run_name)
        caller = resolve_client(client)
        bare = cls._list(
            run_name=name,
            parent_action_name=action_name,
            in_phase=in_phase,
            sort_by=sort_by,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=caller,
        )

        scope = caller.scope(project, domain)
        run = RunIdentifier(org=scope.org, project=scope.project, domain=scope.domain, name=name)
        return complete_listing(bare, caller, run, limit=limit, page_size=page_size, timeout=timeout)

    @fetching
    @classmethod
    @within_timeout
    async def get(
        cls,
        name: str,
        /,
        run_name: str,
        action_name: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Find a condition by its name.

        Args:
            name: The name that the waiting code gave it.
            run_name: Name of the run.
            action_name: The waiting action. Default: any. If several have a condition of that name, the oldest is
                returned.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The run or the action does not exist.
            ConditionNotFoundError: The run has not reached a condition of that name. It is a `NotFoundError`.
            RpcError: The call failed; the subclass says how.

        Calls what `listall` calls, and `RunService.GetActionDetails` if there are no conditions.
        """
        text("name", name, 1)
        every = cls.listall(run_name, action_name, project=project, domain=domain, client=client)
        names: list[str] = []
        async with aclosing(aiter(every)) as found:
            async for condition in found:
                if condition.name == name:
                    return condition
                names.append(condition.name)
        waiting = f"run {run_name}" if action_name is None else f"action {action_name} of run {run_name}"
        if not names:
            # What does not exist has no conditions either.
            root = action_name or ROOT_ACTION
            try:
                await ActionDetails.get.aio(run_name, root, project=project, domain=domain, client=client)
            except NotFoundError as error:
                raise NotFoundError(f"{waiting} does not exist: {error}") from None
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise ConditionNotFoundError(
            f"{waiting} has not reached a condition named {name!r}; its conditions so far: {known}"
        )

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> ActionDetails:
        """Fetch the details of the condition, and update the condition. `signal_info` tells who signalled it.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The condition no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.GetActionDetails`.
        """
        found = await ActionDetails.get.aio(self.run_name, self.action_name, **self._scope, client=self.client)
        self.pb2 = action_summary(found.pb2)
        return found

    @blocking
    @within_timeout
    async def signal(self, payload: Answer, *, timeout: float | timedelta | None = None) -> None:
        """Send the value that the run waits for.

        Args:
            payload: The value, of the expected type. An int is accepted for a float.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            TypeError: The value has the wrong type; nothing was sent.
            ValueError: The int does not fit into 64 bits; nothing was sent.
            NotFoundError: The condition no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `RunService.SignalEvent`.
        """
        value = _payload(self.name, payload, self.expected_type)
        request = SignalEventRequest(action_id=self.pb2.id, parent_action_name=self.parent_action_name, payload=value)
        await RunServiceClient(self.client).signal_event.aio(request)


def _payload(name: str, value: object, expected: type[Answer] | None) -> EventPayload:
    if expected is float and type(value) is int:
        value = float(value)
    if expected is not None and type(value) is not expected:
        raise TypeError(f"condition {name} waits for {expected.__name__}, not {type(value).__name__} ({value!r})")
    match value:
        case bool():
            return EventPayload(bool_value=value)
        case int():
            if value not in _INT64:
                raise ValueError(f"payload is {value}, which does not fit into 64 bits")
            return EventPayload(int_value=value)
        case float():
            return EventPayload(float_value=value)
        case str():
            return EventPayload(string_value=value)
        case _:
            raise TypeError(f"payload takes bool, int, float or str, not {type(value).__name__} ({value!r})")
