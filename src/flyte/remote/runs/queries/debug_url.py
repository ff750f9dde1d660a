"""The link to an editor in the container of an action."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from flyte_api.messages.flyteidl2.core.execution import TaskLogLinkType
from flyte_rpc.calls.client import Client

if TYPE_CHECKING:
    from flyte.remote.runs.action_details import ActionDetails
    from flyte_rpc.entities.watch import Watch


async def find_debug_url(client: Client, watch: Watch[ActionDetails]) -> str | None:
    """Watch an action until the editor is ready. See `Run.get_debug_url`."""
    watch = watch.ending(lambda details: details.done(), until="to start its editor")
    async with aclosing(aiter(watch)) as updates:
        async for details in updates:
            if details.done():
                return None
            attempt = details.attempt()
            for link in () if attempt is None else attempt.log_info:
                if link.ready and link.link_type == TaskLogLinkType.IDE and link.uri:
                    return urljoin(client.endpoint, link.uri)
    return None
