"""URIs of the files of actions, and download links."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import attrs

from flyte._routing import Operation, route
from flyte.errors import NotFoundError
from flyte_api.messages.flyteidl2.common.identifier import ActionAttemptIdentifier, ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    ArtifactType,
    CreateDownloadLinkRequest,
    PreSignedURLs,
)
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDataURIsRequest
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.redaction import redact

Downloadable = Literal["report", "code-bundle"]
_KINDS: dict[str, ArtifactType] = {"report": ArtifactType.REPORT, "code-bundle": ArtifactType.CODE_BUNDLE}


@attrs.frozen
class DataUris:
    """URIs of the inputs and outputs of an action.

    Attributes:
        inputs: URI of the file with the inputs.
        outputs: URI of the file with the outputs; None until there are outputs.
    """

    inputs: str | None
    outputs: str | None


def _redacted(urls: tuple[str, ...]) -> str:
    return repr(tuple(redact(url) for url in urls))


@attrs.frozen
class DownloadLinks:
    """Signed links. Anyone with a link can download until it expires, so the repr omits the signature.

    Attributes:
        urls: The links, one per file.
        expires_at: When the links expire; None if the server did not send it.
    """

    urls: tuple[str, ...] = attrs.field(repr=_redacted)
    expires_at: datetime | None

    @property
    def url(self) -> str:
        """The first link. Reports have only one."""
        return self.urls[0]


async def data_uris(client: Client, action: ActionIdentifier) -> DataUris:
    """See `ActionDetails.data_uris`."""
    found = await unary(client, RunService.GET_ACTION_DATA_URIS, GetActionDataURIsRequest(action_id=action))
    return DataUris(found.inputs_uri or None, found.outputs_uri or None)


async def create_download_links(
    client: Client, action: ActionIdentifier, kind: Downloadable, attempt: int, expires_in: timedelta | None
) -> DownloadLinks:
    """Create download links. See `ActionDetails.download_links`."""
    if kind not in (*_KINDS,):  # compare with a tuple, because the value may be unhashable
        raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}, not {kind!r}")
    if expires_in is not None and not (isinstance(expires_in, timedelta) and expires_in > timedelta(0)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"expires_in is a positive timedelta, not {expires_in!r}")
    what = f"{kind} of run {(action.run or RunIdentifier()).name}, action {action.name}"
    if attempt == 0:
        raise NotFoundError(f"the {what} does not exist yet, because the action has not started")
    request = CreateDownloadLinkRequest(
        artifact_type=_KINDS[kind],
        expires_in=None if expires_in is None else Duration.of(expires_in),
        action_attempt_id=ActionAttemptIdentifier(action_id=action, attempt=attempt),
    )
    cluster = await route(client, Operation.CREATE_DOWNLOAD_LINK, action)
    signed = (await unary(cluster, DataProxyService.CREATE_DOWNLOAD_LINK, request)).pre_signed_urls or PreSignedURLs()
    if not signed.signed_url:
        raise NotFoundError(f"the server returned no link to the {what}, attempt {attempt}")
    return DownloadLinks(
        tuple(signed.signed_url), None if signed.expires_at is None else signed.expires_at.to_datetime()
    )
