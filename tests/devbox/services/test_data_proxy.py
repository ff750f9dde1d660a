from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devbox.calls import Calls, inputs, integer, shell, text
from flyte.devbox.data import hashing
from flyte.devbox.data.blobs import Blobs
from flyte.devbox.data.links import Links
from flyte.errors import NotFoundError
from flyte.remote import auth_metadata
from flyte_api.messages.flyteidl2.auth.identity import UserInfoRequest
from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequest
from flyte_api.messages.flyteidl2.common.identifier import ActionAttemptIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair, Literal, LiteralMap
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    ArtifactType,
    CreateDownloadLinkRequest,
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
    TailLogsRequest,
    UploadInputsRequest,
)
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.auth.identity_service import IdentityService
from flyte_api.services.flyteidl2.cluster.cluster_service import ClusterService
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.status import Status

HELLO = b"hello"
MD5 = hashlib.md5(HELLO).digest()


async def http_call(method: str, url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """A plain HTTP call, as any client would make it."""

    def call() -> tuple[int, bytes]:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        try:
            connection.request(method, f"{parts.path}?{parts.query}", body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    return await asyncio.to_thread(call)


async def upload(calls: Calls, **fields: object) -> OffloadedInputData:
    fields = {"project_id": calls.scope, "task_spec": shell("true"), **fields}
    reply = await calls.unary(DataProxyService.UPLOAD_INPUTS, UploadInputsRequest(**fields))  # type: ignore[arg-type]
    assert reply.offloaded_input_data is not None
    return reply.offloaded_input_data


async def location(calls: Calls, **fields: object) -> CreateUploadLocationResponse:
    fields = {"project": calls.project, "domain": "development", "filename": "f.txt", **fields}
    request = CreateUploadLocationRequest(**fields)  # type: ignore[arg-type]
    return await calls.unary(DataProxyService.CREATE_UPLOAD_LOCATION, request)


def test_hashes_are_those_of_the_backend() -> None:
    assert hashing.uploaded_inputs_hash(Inputs(), None) == "y_Kc5IQiIyU"
    one = inputs(x=integer(1))
    assert bytes(one) == bytes.fromhex("0a0b0a017812060a040a020801")
    assert hashing.uploaded_inputs_hash(one, None) == "ImpW6TmERHA"
    assert (hashing.shard("flyte/r1-a0"), hashing.shard("flyte/rabc-a0")) == ("xt", "ac")


def test_equal_inputs_have_equal_hashes() -> None:
    def mapping(*names: str) -> Inputs:
        return inputs(m=Literal(map=LiteralMap(literals={name: integer(len(name)) for name in names})))

    assert hashing.canonical(mapping("a", "bb")) == hashing.canonical(mapping("bb", "a"))
    assert hashing.canonical(mapping("a", "bb")) != hashing.canonical(mapping("a", "bc"))


def test_ignored_inputs_and_context_in_hashes() -> None:
    ignoring = TaskMetadata(cache_ignore_input_vars=["noise"])
    context = [KeyValuePair(key="k", value="v")]
    plain, noisy = inputs(x=integer(1)), inputs(x=integer(1), noise=integer(2))
    assert hashing.uploaded_inputs_hash(noisy, ignoring) == hashing.uploaded_inputs_hash(plain, None)
    in_context = Inputs(literals=plain.literals, context=context)
    assert hashing.uploaded_inputs_hash(in_context, None) != hashing.uploaded_inputs_hash(plain, None)
    assert hashing.uploaded_inputs_hash(in_context, ignoring) == hashing.uploaded_inputs_hash(plain, None)


async def test_uploaded_inputs_are_used_by_a_run(calls: Calls) -> None:
    offloaded = await upload(calls, inputs=inputs(x=integer(1)))
    assert offloaded.inputs_hash == "ImpW6TmERHA"
    assert offloaded.uri.endswith(f"/uploads/{calls.project}/development/offloaded-inputs/ImpW6TmERHA")
    details = await calls.run(shell("echo {{.inputs.x}}"), offloaded_input_data=offloaded)
    assert details.id is not None
    assert await calls.log(details.id) == ["1"]
    data = await calls.data(details.id)
    assert data.inputs == inputs(x=integer(1))
    assert data.inputs_uri == f"{offloaded.uri}/inputs.pb"


async def test_upload_inputs_for_deployed_tasks(calls: Calls) -> None:
    task = await calls.deploy("env.t", spec=shell("true", TaskMetadata(cache_ignore_input_vars=["noise"])))
    values = inputs(x=integer(1), noise=text("n"))
    offloaded = await upload(calls, task_spec=None, task_id=task, inputs=values, run_id=None)
    assert offloaded.inputs_hash == "ImpW6TmERHA"
    upload_inputs = DataProxyService.UPLOAD_INPUTS
    for status, request in (
        (Status.INVALID_ARGUMENT, UploadInputsRequest(task_id=task)),
        (Status.INVALID_ARGUMENT, UploadInputsRequest(project_id=calls.scope)),
        (Status.NOT_FOUND, UploadInputsRequest(project_id=calls.scope, task_id=calls.task_id("none"))),
        (Status.NOT_FOUND, UploadInputsRequest(project_id=calls.scope, trigger_name=TriggerName(name="nightly"))),
    ):
        await calls.refused(status, upload_inputs, request)


async def test_upload_by_a_signed_link(calls: Calls) -> None:
    place = await location(calls, content_md5=MD5)
    # base32 of md5("hello"), as the real backend names the directory.
    assert base64.b32encode(MD5).decode() == "LVAUAKV4JMVHNOLRTWIRAF6FSI======"
    assert place.native_url.endswith(f"/uploads/{calls.project}/development/LVAUAKV4JMVHNOLRTWIRAF6FSI======/f.txt")
    assert place.headers == {"Content-MD5": base64.b64encode(MD5).decode()}
    assert urlsplit(place.signed_url).hostname == "127.0.0.1"
    status, answer = await http_call("PUT", place.signed_url, b"other")
    assert (status, b"MD5" in answer) == (400, True)
    assert await http_call("PUT", place.signed_url, HELLO, **place.headers) == (200, b"")
    # The link is for uploading this file, and for nothing else.
    assert (await http_call("GET", place.signed_url))[0] == 403
    assert (await http_call("PUT", place.signed_url.replace("f.txt", "g.txt"), HELLO))[0] == 403
    assert (await http_call("PUT", place.signed_url.replace("md5=", "md5=0"), HELLO))[0] == 403
    assert (await http_call("DELETE", place.signed_url))[0] == 405


async def test_upload_of_what_is_there_already(calls: Calls) -> None:
    place = await location(calls, filename_root="r")
    assert await http_call("PUT", place.signed_url, HELLO) == (200, b"")
    again = CreateUploadLocationRequest(
        project=calls.project, domain="development", filename="f.txt", filename_root="r"
    )
    await calls.refused(Status.ALREADY_EXISTS, DataProxyService.CREATE_UPLOAD_LOCATION, again)
    same = await location(calls, filename_root="r", content_md5=MD5)
    assert same.native_url == place.native_url


async def test_upload_refusals(calls: Calls) -> None:
    create = DataProxyService.CREATE_UPLOAD_LOCATION
    for status, fields in (
        (Status.INVALID_ARGUMENT, {}),
        (Status.INVALID_ARGUMENT, {"content_md5": MD5, "expires_in": Duration(seconds=3601)}),
        (Status.INVALID_ARGUMENT, {"content_md5": MD5, "expires_in": Duration(seconds=-1)}),
        (Status.INVALID_ARGUMENT, {"content_md5": MD5, "content_length": 200 << 20}),
    ):
        await calls.refused(status, create, CreateUploadLocationRequest(project=calls.project, **fields))  # type: ignore[arg-type]
    await calls.refused(Status.NOT_FOUND, create, CreateUploadLocationRequest(project="none", content_md5=MD5))


async def test_links_refuse_what_is_no_upload(calls: Calls) -> None:
    place = await location(calls, content_md5=MD5)
    parts = urlsplit(place.signed_url)
    assert parts.hostname is not None
    for sent, answer in (
        (b"nonsense\r\n\r\n", b"400"),
        (f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), b"411"),
        (f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n".encode(), b"413"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", b"431"),
    ):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(sent)
        async with asyncio.timeout(10):
            assert (await reader.readline()).split()[1] == answer
        writer.close()


async def test_report_by_a_signed_link(calls: Calls) -> None:
    details = await calls.run(shell('echo "<h1>report</h1>" > "$FLYTE_OUTPUT_PATH/report.html"'))
    attempt = ActionAttemptIdentifier(action_id=details.id, attempt=1)
    request = CreateDownloadLinkRequest(artifact_type=ArtifactType.REPORT, action_attempt_id=attempt)
    reply = await calls.unary(DataProxyService.CREATE_DOWNLOAD_LINK, request)
    assert reply.pre_signed_urls is not None and reply.pre_signed_urls.expires_at is not None
    (url,) = reply.pre_signed_urls.signed_url
    assert await http_call("GET", url) == (200, b"<h1>report</h1>\n")
    assert await http_call("HEAD", url) == (200, b"")
    assert (await http_call("PUT", url, b"changed"))[0] == 403


async def test_expired_links(calls: Calls) -> None:
    place = await location(calls, content_md5=MD5)
    links = Links(Blobs(Path("/")))
    await links.start()
    try:
        assert (await http_call("GET", links.make("GET", place.native_url, expires_at=1)))[0] == 403
        # A signature of another devbox.
        other = urlsplit(links.make("PUT", place.native_url, expires_at=4_000_000_000, md5=MD5.hex()))
        here = urlsplit(place.signed_url)
        assert (await http_call("PUT", other._replace(netloc=here.netloc).geturl(), HELLO))[0] == 403
    finally:
        await links.close()


async def test_download_refusals(calls: Calls) -> None:
    details = await calls.run(shell("true"))
    create = DataProxyService.CREATE_DOWNLOAD_LINK

    def request(kind: ArtifactType, attempt: int) -> CreateDownloadLinkRequest:
        identifier = ActionAttemptIdentifier(action_id=details.id, attempt=attempt)
        return CreateDownloadLinkRequest(artifact_type=kind, action_attempt_id=identifier)

    await calls.refused(Status.INVALID_ARGUMENT, create, request(ArtifactType.CODE_BUNDLE, 1))
    await calls.refused(Status.INVALID_ARGUMENT, create, CreateDownloadLinkRequest(artifact_type=ArtifactType.REPORT))
    await calls.refused(Status.NOT_FOUND, create, request(ArtifactType.REPORT, 1))
    await calls.refused(Status.NOT_FOUND, create, request(ArtifactType.REPORT, 2))


async def test_no_logs_before_the_start(calls: Calls) -> None:
    action = await calls.record("r1")
    for identifier, attempt in ((action, 1), (calls.action_id("none"), 1)):
        request = TailLogsRequest(action_id=identifier, attempt=attempt)
        with pytest.raises(NotFoundError, match=r"attempt 1 of action .* has no logs yet"):
            await anext(calls.stream(DataProxyService.TAIL_LOGS, request))


async def test_the_cluster_is_the_devbox(calls: Calls) -> None:
    reply = await calls.unary(ClusterService.SELECT_CLUSTER, SelectClusterRequest(project_id=calls.scope))
    assert (reply.cluster_endpoint, reply.cluster) == (calls.client.endpoint, "")


async def test_who_makes_a_call(calls: Calls) -> None:
    await calls.refused(Status.UNAUTHENTICATED, IdentityService.USER_INFO, UserInfoRequest())
    with auth_metadata(("x-amzn-oidc-identity", "ada")):
        assert (await calls.unary(IdentityService.USER_INFO, UserInfoRequest())).subject == "ada"
