"""DataProxyService: data of runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateDownloadLinkRequest,
    CreateDownloadLinkResponse,
    GetActionDataRequest,
    GetActionDataResponse,
    TailLogsRequest,
    TailLogsResponse,
    TailLogsResponseLogs,
    UploadInputsRequest,
    UploadInputsResponse,
)
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine
from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


class Data(DataProxyServiceBase):
    """Has the same data for every action: one input `place`, which is its own name, and one line of logs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[ServerCall] = []
        self.links: list[CreateDownloadLinkRequest] = []
        self.uploads: list[UploadInputsRequest] = []
        self.linked: CreateDownloadLinkResponse | None = None

    async def get_action_data(self, request: GetActionDataRequest, call: ServerCall) -> GetActionDataResponse:
        self.calls.append(call)
        value = Literal(scalar=Scalar(primitive=Primitive(string_value=self.name)))
        return GetActionDataResponse(inputs=Inputs(literals=[NamedLiteral(name="place", value=value)]))

    async def upload_inputs(self, request: UploadInputsRequest, call: ServerCall) -> UploadInputsResponse:
        self.calls.append(call)
        self.uploads.append(request)
        return UploadInputsResponse(offloaded_input_data=OffloadedInputData(uri=f"s3://{self.name}", inputs_hash="h"))

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        self.calls.append(call)
        yield TailLogsResponse(logs=[TailLogsResponseLogs(lines=[LogLine(message=self.name)])])

    async def create_download_link(
        self, request: CreateDownloadLinkRequest, call: ServerCall
    ) -> CreateDownloadLinkResponse:
        self.calls.append(call)
        self.links.append(request)
        if self.linked is None:
            abort(Status.NOT_FOUND, "attempt 1 of a0 has no report")
        return self.linked
