"""Everything about a trigger, now and in its earlier revisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from flyte_api.entities.trigger_details import TriggerDetailsBase
from flyte_api.entities.trigger_revision import TriggerRevisionBase
from flyte_api.messages.flyteidl2.trigger.trigger_definition import Trigger as TriggerMessage
from flyte_rpc.arguments import whole
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking, fetching

from .trigger_like import TriggerLike

if TYPE_CHECKING:
    import flyte


class TriggerDetails(TriggerLike, TriggerDetailsBase):
    """Everything about a trigger, as one of its revisions has it."""

    @property
    def description(self) -> str:
        """What the trigger is for."""
        from .spec import description_of

        return description_of(self.pb2)

    @property
    def trigger(self) -> flyte.Trigger:
        """The trigger as it would be written, to be changed and deployed again.

        Inputs that the server has stored are not read back: they go along as `stored_inputs`. What `flyte.Trigger` can't say,
        such as notification rules of its own, is left out.

        Raises:
            ValueError: It fires in a way that this release does not know.
        """
        from .spec import trigger_of

        return trigger_of(self.pb2)

    @fetching
    @classmethod
    async def of_revision(
        cls,
        name: str,
        task_name: str,
        revision: int,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch one revision of a trigger; of a deleted one, too.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            revision: Number of the revision, from 1.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is no such trigger or revision.
            RpcError: The call failed; its subclasses say how.

        Calls `TriggerService.GetTriggerRevisionDetails`.
        """
        number = whole("revision", revision, 1)
        return await cls._of_revision.aio(
            name, task_name, revision=number, project=project, domain=domain, client=client
        )

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from self._names()
        yield from (("task_version", self.task_version), ("description", self.description))
        yield from (("deployed_at", self.deployed_at), ("deleted_at", self.deleted_at))


class TriggerRevision(TriggerRevisionBase):
    """One revision of a trigger: each change makes one, and deleting it the last."""

    @property
    def action(self) -> str:
        """What made it: "deploy", "activate", "deactivate", "delete", or `unknown(9)` where a newer server says more."""
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
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List the revisions of a trigger, the newest first. Servers have no other order, and no filters.

        Args:
            name: Name of the trigger, at most 255 characters.
            task_name: Full name of its task, at most 255 characters.
            limit: Most items in all. Default: all there are.
            page_size: Most items a request fetches. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            A pager, to be used with `for` or `async for`; nothing is fetched before. A trigger that never was has none, and
            is no error.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            RpcError: The call failed; its subclasses say how.

        Calls `TriggerService.GetTriggerRevisionHistory`.
        """
        return cls._of_trigger(
            name, task_name, limit=limit, page_size=page_size, project=project, domain=domain, client=client
        )

    @blocking
    async def details(self) -> TriggerDetails:
        """The trigger as this revision has it.

        Raises:
            NotFoundError: There is no such revision any more.
            RpcError: The call failed; its subclasses say how.

        Calls `TriggerService.GetTriggerRevisionDetails`.
        """
        return await TriggerDetails.of_revision.aio(
            self.name, self.task_name, self.revision, project=self.project, domain=self.domain, client=self.client
        )

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("task_name", self.task_name), ("revision", self.revision))
        yield from (("action", self.action), ("created_at", self.created_at))


def message_of(details: TriggerDetails) -> TriggerMessage:
    """A trigger as listings have it."""
    found = details.pb2
    return TriggerMessage(
        id=found.id,
        metadata=found.metadata,
        status=found.status,
        active=details.is_active,
        automation_spec=found.automation_spec,
    )
