"""The details of a trigger, and its revisions."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import ClassVar, Self

from flyte.definitions.trigger import Trigger
from flyte.remote._common import ProjectScoped, console_url
from flyte_api.entities.trigger_details import TriggerDetailsBase
from flyte_api.entities.trigger_revision import TriggerRevisionBase
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerMetadata, TriggerStatus
from flyte_rpc.arguments import text, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .spec import automation_text, description_of, trigger_of


class TriggerFields(ProjectScoped):
    """Mixin for triggers and their details. It goes behind the generated base, which has the abstract properties."""

    _REPR: ClassVar[tuple[str, ...]] = ("name", "task_name", "revision", "automation", "is_active")

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the trigger."""

    @property
    @abstractmethod
    def task_name(self) -> str:
        """Full name of its task."""

    @property
    @abstractmethod
    def automation_spec(self) -> TriggerAutomationSpec | None:
        """The message of its automation."""

    @property
    def automation(self) -> str:
        """The automation as text: `cron: 0 9 * * * (UTC)`, `every 60 minutes starting at now`, `on artifact: model` or
        `none`. An unknown kind is shown as `unknown(7)`."""
        return automation_text(self.automation_spec)

    @property
    def url(self) -> str:
        """Where the web console shows the trigger."""
        return console_url(self.client, self.domain, self.project, "triggers", self.task_name, self.name)

    @streaming
    def revisions(
        self, *, limit: int | None = None, page_size: int | None = None, timeout: float | timedelta | None = None
    ) -> Pager[TriggerRevision]:
        """List the revisions of the trigger, the newest first.

        Args:
            limit: Maximum number of items. Default: all.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.GetTriggerRevisionHistory`.
        """
        return TriggerRevision.listall(
            self.name,
            self.task_name,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            **self._scope,
            client=self.client,
        )


def trigger_name(client: Client, name: str, task_name: str, project: str | None, domain: str | None) -> TriggerName:
    """Validate and build the identifier of a trigger.

    Raises:
        ValueError: A name is empty or too long.
    """
    scope = client.scope(project, domain)
    return TriggerName(
        org=scope.org,
        project=scope.project,
        domain=scope.domain,
        name=text("name", name, 1, 255),
        task_name=text("task_name", task_name, 1, 255),
    )


class TriggerDetails(TriggerDetailsBase, TriggerFields):
    """The details of a trigger at one of its revisions."""

    @property
    def id(self) -> TriggerIdentifier:
        """The identifier: the name with org, project, domain and task, and the revision."""
        return self.pb2.id or TriggerIdentifier()

    @property
    def metadata(self) -> TriggerMetadata:
        """Who deployed and changed the trigger."""
        return self.pb2.metadata or TriggerMetadata()

    @property
    def status(self) -> TriggerStatus:
        """When the trigger was deployed, changed, last started a run, and deleted."""
        return self.pb2.status or TriggerStatus()

    @property
    def description(self) -> str:
        """The description."""
        return description_of(self.pb2)

    @property
    def trigger(self) -> Trigger:
        """The definition, which can be changed and deployed again.

        Inputs that the server has stored are not read back; `stored_inputs` refers to them. Settings that
        `flyte.Trigger` lacks, such as emails from a template on the server, are omitted.

        Raises:
            ValueError: This release does not know its automation.
        """
        return trigger_of(self.pb2)

    @fetching
    @classmethod
    @within_timeout
    async def of_revision(
        cls,
        name: str,
        task_name: str,
        revision: int,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch one revision of a trigger, even if the trigger was deleted.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            revision: Number of the revision, from 1.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The trigger or revision does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.GetTriggerRevisionDetails`.
        """
        number = whole("revision", revision, 1)
        return await cls._of_revision.aio(
            name, task_name, revision=number, project=project, domain=domain, client=client
        )

    _REPR = (*TriggerFields._REPR, "task_version", "description", "deployed_at", "deleted_at")


class TriggerRevision(TriggerRevisionBase):
    """One revision of a trigger. Each change creates one, and so does a deletion."""

    @property
    def action(self) -> str:
        """The change: "deploy", "activate", "deactivate", "delete", or `unknown(9)` for a change of a newer server."""
        found = self.pb2.action
        return (found.name or "").lower() or f"unknown({int(found)})"

    @listing
    @classmethod
    def listall(
        cls,
        name: str,
        task_name: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List the revisions of a trigger, the newest first. Servers support no other order and no filters.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            limit: Maximum number of items. Default: all.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts. A nonexistent trigger has no
            revisions and does not raise an error.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.GetTriggerRevisionHistory`.
        """
        return cls._of_trigger(
            name,
            task_name,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )

    @blocking
    @within_timeout
    async def details(self, *, timeout: float | timedelta | None = None) -> TriggerDetails:
        """Fetch the details of the trigger at this revision.

        Args:
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The revision no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls `TriggerService.GetTriggerRevisionDetails`.
        """
        return await TriggerDetails.of_revision.aio(
            self.name, self.task_name, self.revision, project=self.project, domain=self.domain, client=self.client
        )

    _REPR = ("name", "task_name", "revision", "action", "created_at")
