"""DataProxyService."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from flyte.devbox import clock
from flyte.devbox.data import hashing
from flyte.devbox.data.blobs import BlobError, uri_path
from flyte.devbox.data.links import Links
from flyte.devbox.runs.creation import find_task, find_trigger, trigger_task
from flyte.devbox.runs.recording import INPUTS
from flyte.devbox.runs.requests import action_key, require_project
from flyte.devbox.shared_state import SharedState
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    ArtifactType,
    CreateDownloadLinkRequest,
    CreateDownloadLinkResponse,
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
    GetActionDataRequest,
    GetActionDataResponse,
    PreSignedURLs,
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
    UploadInputsRequest,
    UploadInputsResponse,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine, LogLineOriginator
from flyte_api.messages.flyteidl2.task.common import Inputs, Outputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_rpc.codec.wire import DecodeError
from flyte_rpc.serving.server import ServerCall, Status, abort

from . import data_uris

_HOUR = 3600
_MAX_UPLOAD = 100 << 20
_UPLOADS = "uploads"


class DataProxyService(DataProxyServiceBase):
    """Inputs, outputs, files and logs."""

    def __init__(self, state: SharedState, links: Links) -> None:
        self._state = state
        self._store = state.store
        self._blobs = state.blobs
        self._links = links

    async def create_upload_location(
        self, request: CreateUploadLocationRequest, call: ServerCall
    ) -> CreateUploadLocationResponse:
        """Create a link for uploading a file to the storage."""
        md5 = request.content_md5
        if not request.filename_root and not md5:
            abort(Status.INVALID_ARGUMENT, "content_md5 or filename_root is required")
        seconds = _expiry(request.expires_in)
        if seconds > _HOUR:
            abort(Status.INVALID_ARGUMENT, f"expires_in exceeds the maximum of {_HOUR} s")
        if request.content_length > _MAX_UPLOAD:
            abort(Status.INVALID_ARGUMENT, f"content_length exceeds the maximum of {_MAX_UPLOAD} bytes")
        require_project(self._store, request.project)
        directory = request.filename_root or base64.b32encode(md5).decode()
        names = request.filename.split("/")
        uri = f"{self._blobs.base}/{uri_path(_UPLOADS, request.project, request.domain, directory, *names)}"
        if request.filename and request.filename_root and self._blobs.exists(uri):
            content = self._blobs.read(uri) or b""
            if hashlib.md5(content, usedforsecurity=False).digest() != md5:
                abort(Status.ALREADY_EXISTS, f"{uri} exists with other content; choose another filename")
        expires_at = int(time.time()) + seconds
        return CreateUploadLocationResponse(
            signed_url=self._links.make("PUT", uri, expires_at, md5.hex()),
            native_url=uri,
            expires_at=clock.to_timestamp(expires_at * 1_000_000),
            headers={"Content-MD5": base64.b64encode(md5).decode()} if md5 else {},
        )

    async def create_download_link(
        self, request: CreateDownloadLinkRequest, call: ServerCall
    ) -> CreateDownloadLinkResponse:
        """Create a link for downloading an attempt's report."""
        if request.artifact_type != ArtifactType.REPORT:
            abort(Status.INVALID_ARGUMENT, "artifact_type must be REPORT; the devbox has no other downloads")
        if request.action_attempt_id is None:
            abort(Status.INVALID_ARGUMENT, "unsupported source type: action_attempt_id is required")
        key = action_key(request.action_attempt_id.action_id)
        uri = data_uris.report(self._store, key, request.action_attempt_id.attempt)
        if not self._blobs.exists(uri):
            abort(Status.NOT_FOUND, f"attempt {request.action_attempt_id.attempt} of {key.name} has no report")
        expires_at = int(time.time()) + _expiry(request.expires_in)
        urls = PreSignedURLs(
            signed_url=[self._links.make("GET", uri, expires_at)], expires_at=clock.to_timestamp(expires_at * 1_000_000)
        )
        return CreateDownloadLinkResponse(pre_signed_urls=urls)

    async def upload_inputs(self, request: UploadInputsRequest, call: ServerCall) -> UploadInputsResponse:
        """Store inputs before the run that will use them is created."""
        if request.run_id is not None:
            org, project, domain = request.run_id.org, request.run_id.project, request.run_id.domain
        elif request.project_id is not None:
            org, project, domain = request.project_id.organization, request.project_id.name, request.project_id.domain
        else:
            abort(Status.INVALID_ARGUMENT, "id is required")
        spec = self._uploaded_for(request)
        require_project(self._store, project)
        inputs = request.inputs or Inputs()
        digest = hashing.uploaded_inputs_hash(inputs, (spec.task_template or TaskTemplate()).metadata)
        base = request.base_dir.rstrip("/") or f"{self._blobs.base}/{_UPLOADS}"
        uri = f"{base}/{uri_path(org, project, domain, 'offloaded-inputs', digest)}"
        try:
            self._blobs.write(f"{uri}/{INPUTS}", bytes(inputs))
        except BlobError as error:
            abort(Status.INTERNAL, f"failed to write inputs: {error}")
        return UploadInputsResponse(offloaded_input_data=OffloadedInputData(uri=uri, inputs_hash=digest))

    async def get_action_data(self, request: GetActionDataRequest, call: ServerCall) -> GetActionDataResponse:
        """Return an action's inputs and outputs, as far as they exist."""
        uris = data_uris.find(self._store, action_key(request.action_id))
        try:
            inputs = self._blobs.read(uris.inputs) if uris.inputs else None
            outputs = self._blobs.read(uris.outputs) if uris.outputs else None
            return GetActionDataResponse(
                inputs=Inputs.parse(inputs or b""),
                outputs=Outputs.parse(outputs or b""),
                inputs_uri="" if inputs is None else uris.inputs,
                outputs_uri="" if outputs is None else uris.outputs,
            )
        except (BlobError, DecodeError) as error:
            abort(Status.INTERNAL, f"failed to read action data: {error}")

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        """Send the existing log lines of an attempt, then new ones while it runs."""
        key = action_key(request.action_id)
        event = self._store.events.newest(key, request.attempt)
        if event is None or event.log_context is None or not self._state.logs.exists(key, request.attempt):
            abort(Status.NOT_FOUND, f"attempt {request.attempt} of action {key.name} has no logs yet")
        async with aclosing(self._state.logs.follow(key, request.attempt)) as batches:
            async for batch in batches:
                lines = [
                    LogLine(originator=LogLineOriginator.USER, timestamp=clock.to_timestamp(line.at), message=line.text)
                    for line in batch
                ]
                yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=lines)])

    def _uploaded_for(self, request: UploadInputsRequest) -> TaskSpec:
        if request.task_spec is not None:
            return request.task_spec
        if request.trigger_name is not None:
            wanted = trigger_task(find_trigger(request.trigger_name, self._store))
        elif request.task_id is not None:
            wanted = request.task_id
        else:
            abort(Status.INVALID_ARGUMENT, "task is required")
        spec = find_task(wanted, self._store)
        if spec is None:
            abort(Status.NOT_FOUND, f"task not found: {wanted.name}")
        return spec


def _expiry(wanted: Duration | None) -> int:
    """Return the lifetime of a link in seconds."""
    if wanted is None:
        return _HOUR
    if wanted.seconds < 0 or wanted.nanos < 0:
        abort(Status.INVALID_ARGUMENT, "expires_in must not be negative")
    return wanted.seconds or _HOUR
