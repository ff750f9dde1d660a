"""The reports that tasks write."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flyte.errors import NotFoundError
from flyte.remote.runs.downloads.links import create_download_links
from flyte.types.files.network import streaming_client
from flyte.types.files.threads import TransferThreads
from flyte.types.files.web import download_url
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import before_deadline
from flyte_rpc.http.transfer import Transfer

_IDLE = 60.0
"""Seconds that the storage may send nothing."""


async def read_report(client: Client, action: ActionIdentifier, attempt: int) -> str:
    """Download the report of an attempt. See `ActionDetails.get_report`."""
    links = await create_download_links(client, action, "report", attempt, None)

    def work(transfer: Transfer) -> str:
        with tempfile.TemporaryDirectory(prefix="flyte-") as temporary:
            file = Path(temporary, "report.html")
            download_url(http, links.url, file, transfer, timeout=_IDLE, report=lambda done, total: None)
            return file.read_text("utf-8", "replace")

    async with before_deadline(f"the download of the report of action {action.name}"):
        with streaming_client(client) as http, TransferThreads(1) as threads:
            try:
                return await threads.run(work, idle=_IDLE)
            except FileNotFoundError as error:
                run = "" if action.run is None else action.run.name
                raise NotFoundError(
                    f"the report of run {run}, action {action.name}, attempt {attempt} is not in the storage: {error}"
                ) from None
