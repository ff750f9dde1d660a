"""What triggers and their details have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flyte.remote._common import Placed, console_url
from flyte_api.messages.flyteidl2.common.identifier import TriggerName
from flyte_rpc.arguments import text
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import streaming

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec
    from flyte_rpc.calls.client import Client

    from .details import TriggerRevision


class TriggerLike(Placed):
    """A trigger, as a listing or its details have it."""

    if TYPE_CHECKING:

        @property
        def client(self) -> Client: ...
        @property
        def name(self) -> str: ...
        @property
        def task_name(self) -> str: ...
        @property
        def revision(self) -> int: ...
        @property
        def is_active(self) -> bool: ...
        @property
        def automation_spec(self) -> TriggerAutomationSpec | None: ...

    @property
    def automation(self) -> str:
        """What makes it fire, such as `cron: 0 9 * * * (UTC)`, `every 60 minutes starting at now`, `on artifact: model` or
        `none`. A kind that this release does not know reads `unknown(7)`."""
        from .spec import automation_text

        return automation_text(self.automation_spec)

    @property
    def url(self) -> str:
        """Where the web console shows the trigger."""
        return console_url(self.client, self.domain, self.project, "triggers", self.task_name, self.name)

    @streaming
    def revisions(self, *, limit: int | None = None, page_size: int | None = None) -> Pager[TriggerRevision]:
        """List the revisions of the trigger, the newest first.

        Args:
            limit: Most items in all. Default: all there are.
            page_size: Most items a request fetches. Default: the client's.

        Returns:
            A pager, to be used with `for` or `async for`; nothing is fetched before.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            RpcError: The call failed; its subclasses say how.

        Calls `TriggerService.GetTriggerRevisionHistory`.
        """
        from .details import TriggerRevision

        return TriggerRevision.listall(
            self.name, self.task_name, limit=limit, page_size=page_size, **self.place, client=self.client
        )

    def _names(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("task_name", self.task_name), ("revision", self.revision))
        yield from (("automation", self.automation), ("is_active", self.is_active))


def trigger_name(client: Client, name: str, task_name: str, project: str | None, domain: str | None) -> TriggerName:
    """What names a trigger, checked.

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
