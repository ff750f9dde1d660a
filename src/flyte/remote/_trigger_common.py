"""What triggers and their details have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ._action_common import Place
from ._common import console_url

if TYPE_CHECKING:
    from flyte.runtime.client import Client
    from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec


class TriggerLike:
    """A trigger, as a listing or its details have it."""

    if TYPE_CHECKING:

        @property
        def client(self) -> Client: ...
        @property
        def name(self) -> str: ...
        @property
        def task_name(self) -> str: ...
        @property
        def project(self) -> str: ...
        @property
        def domain(self) -> str: ...
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
        from ._trigger_spec import automation_text

        return automation_text(self.automation_spec)

    @property
    def url(self) -> str:
        """Where the web console shows the trigger."""
        return console_url(self.client, self.domain, self.project, "triggers", self.task_name, self.name)

    @property
    def place(self) -> Place:
        """The project and domain it is in, as keyword arguments of a call."""
        return Place(project=self.project or None, domain=self.domain or None)

    def _names(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("task_name", self.task_name), ("revision", self.revision))
        yield from (("automation", self.automation), ("is_active", self.is_active))
