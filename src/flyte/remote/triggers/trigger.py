"""Deployed triggers, which start runs of tasks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Self

from flyte._client import resolve_client
from flyte.definitions.trigger import Trigger as TriggerDefinition
from flyte_api.clients.flyteidl2.trigger.trigger_service import TriggerServiceClient
from flyte_api.entities.trigger import TriggerBase, trigger_summary
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_api.messages.flyteidl2.trigger.trigger_service import DeleteTriggersRequest, UpdateTriggersRequest
from flyte_api.sorting import TriggerKey
from flyte_rpc.arguments import text, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import SortedBy
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking, fetching

from .deploy import deploy
from .details import TriggerDetails, TriggerFields, trigger_name


class Trigger(TriggerBase, TriggerFields):
    """A deployed trigger of a task. `flyte.Trigger` describes a trigger to deploy."""

    @property
    def id(self) -> TriggerIdentifier:
        """The identifier: the name with org, project, domain and task, and the revision."""
        return self.pb2.id or TriggerIdentifier()

    _REPR = (*TriggerFields._REPR, "deployed_at", "triggered_at")

    @fetching
    @classmethod
    @within_timeout
    async def create(
        cls,
        trigger: TriggerDefinition,
        task_name: str,
        task_version: str | None = None,
        *,
        revision: int | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Deploy a trigger for a task. This replaces a trigger of the same name and creates a new revision.

        No concurrent change is lost: if the trigger is no longer at the revision to replace, nothing is
        deployed. You can reuse the name of a deleted trigger; its revision numbers continue.

        Args:
            trigger: The definition.
            task_name: Full name of the task, at most 255 characters.
            task_version: The version of the task that the runs execute, at most 63 characters. Default: the latest.
            revision: The revision to replace, such as `details.revision` of previously fetched details.
                Default: the latest at the time of the call.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The deployed trigger.

        Raises:
            RemoteTaskNotFoundError: The task or version does not exist.
            RemoteTaskUsageError: The task has no such input, or a required input is missing; nothing
                was deployed.
            TypeError: An input has the wrong type, or `trigger` is not a `flyte.Trigger`; nothing was deployed.
            ValueError: An argument is invalid; nothing was sent.
            FailedPreconditionError: The trigger is not at `revision`, or another user has just changed it: fetch it
                again, and decide.
            RpcError: A call failed; the subclass says how.

        Calls `TaskService.GetTaskDetails`, before it `ListVersions` without a version;
        `TriggerService.GetTriggerDetails` without a revision; `DataProxyService.UploadInputs` where there are inputs,
        and `TriggerService.DeployTrigger`.
        """
        if not isinstance(trigger, TriggerDefinition):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"trigger takes a flyte.Trigger, not {type(trigger).__name__}")
        text("task_name", task_name, 1, 255)
        if task_version is not None:
            text("task_version", task_version, 1, 63)
        if revision is not None:
            whole("revision", revision, 1)
        caller = resolve_client(client)
        scope = caller.scope(project, domain)
        send = partial(cls._deploy.aio, project=scope.project, domain=scope.domain, client=caller)
        found = await deploy(send, caller, scope, trigger, task_name, task_version, revision)
        return cls(trigger_summary(found.pb2, active=found.is_active), caller)

    @blocking
    @classmethod
    @within_timeout
    async def get(
        cls,
        *,
        name: str,
        task_name: str,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> TriggerDetails:
        """Fetch the details of a trigger at its latest revision.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The trigger does not exist, or it was deleted.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.GetTriggerDetails`.
        """
        return await TriggerDetails.get.aio(name, task_name, project=project, domain=domain, client=client)

    @listing
    @classmethod
    def listall(
        cls,
        task_name: str | None = None,
        task_version: str | None = None,
        limit: int | None = None,
        *,
        active: bool | None = None,
        sort_by: SortedBy[TriggerKey] | None = None,
        filters: Collection[Filter] = (),
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List the triggers of a project, or of one task.

        Args:
            task_name: Only triggers of this task. Default: all tasks.
            task_version: Only triggers whose runs execute this version. Default: any.
            limit: Maximum number of items. Default: all.
            active: True for active triggers, False for inactive ones. Default: both.
            sort_by: Field to sort by, such as "name" or ("deployed_at", "asc"); `-` in front for descending. Default:
                the server's order, usually active triggers first, then the most recently changed.
            filters: Further filters, on any field that the server knows.
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

        Calls `TriggerService.ListTriggers`.
        """
        if task_version is not None:
            text("task_version", task_version, 1, 63)
        if task_name is None:
            return cls._of_project(
                active=active,
                task_version=task_version,
                filters=filters,
                sort_by=sort_by,
                limit=limit,
                page_size=page_size,
                timeout=timeout,
                project=project,
                domain=domain,
                client=client,
            )
        return cls._of_task(
            task_name,
            active=active,
            task_version=task_version,
            filters=filters,
            sort_by=sort_by,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )

    @blocking
    @classmethod
    @within_timeout
    async def update(
        cls,
        name: str,
        task_name: str,
        active: bool,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> None:
        """Activate or deactivate a trigger. A deactivated trigger starts no runs.

        The server does not report whether the trigger exists; it ignores nonexistent triggers.
        `trigger.activate()` and `trigger.deactivate()` check that.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            active: True to activate, False to deactivate.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            TypeError: `active` is neither True nor False; nothing was sent.
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.UpdateTriggers`.
        """
        caller = resolve_client(client)
        names = [trigger_name(caller, name, task_name, project, domain)]
        await TriggerServiceClient(caller).update_triggers.aio(UpdateTriggersRequest(names=names, active=active))

    @blocking
    @classmethod
    @within_timeout
    async def delete(
        cls,
        name: str,
        task_name: str,
        project: str | None = None,
        domain: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> None:
        """Delete a trigger. Its revisions can still be read.

        The server does not report whether the trigger exists; it ignores nonexistent triggers.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.DeleteTriggers`.
        """
        caller = resolve_client(client)
        names = [trigger_name(caller, name, task_name, project, domain)]
        await TriggerServiceClient(caller).delete_triggers.aio(DeleteTriggersRequest(names=names))

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> TriggerDetails:
        """Fetch the details at the latest revision, and update the trigger.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The trigger no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.GetTriggerDetails`.
        """
        found = await TriggerDetails.get.aio(self.name, self.task_name, **self._scope, client=self.client)
        self.pb2 = trigger_summary(found.pb2, active=found.is_active)
        return found

    get_details = details
    """The name of `details` in the official SDK."""

    @blocking
    @within_timeout
    async def activate(self, *, timeout: float | timedelta | None = None) -> Trigger:
        """Activate the trigger.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            This trigger, updated.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The trigger no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.UpdateTriggers`, then `GetTriggerDetails`.
        """
        return await self._set_active(True)

    @blocking
    @within_timeout
    async def deactivate(self, *, timeout: float | timedelta | None = None) -> Trigger:
        """Deactivate the trigger. It starts no more runs until it is activated.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            This trigger, updated.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The trigger no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.UpdateTriggers`, then `GetTriggerDetails`.
        """
        return await self._set_active(False)

    async def _set_active(self, active: bool) -> Trigger:
        await Trigger.update.aio(self.name, self.task_name, active, **self._scope, client=self.client)
        await self.details.aio()
        return self
