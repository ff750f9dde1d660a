"""Downloads of an action's report and code."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from flyte.remote.runs.values.literals import HasLiterals
from flyte_rpc.arguments import whole
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.sync.decorators import blocking


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
        from .report import read_report

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
        from .code_bundle import code_bundle_of, download_code

        if attempt is not None:
            whole("attempt", attempt, 1)
        details = await self._current_details()
        bundle = code_bundle_of(details.pb2)
        number = attempt or details.attempts
        return await download_code(self.client, details.action_id, bundle, number, dest, extract=extract)
