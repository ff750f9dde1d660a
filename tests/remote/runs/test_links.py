"""Where the files of actions are, and links to download them by."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotFoundError
from flyte.remote import Action, ActionDetails, DataUris, DownloadLinks, TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import ActionAttemptIdentifier
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    ArtifactType,
    CreateDownloadLinkResponse,
    PreSignedURLs,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDataURIsResponse
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.cluster import Clusters
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

WHEN = datetime(2030, 1, 2, tzinfo=UTC)


def reporting(x: int) -> int:
    """Leave a report."""
    import os
    from pathlib import Path

    Path(os.environ["FLYTE_OUTPUT_PATH"].removeprefix("file://"), "report.html").write_text(f"<h1>{x}</h1>")
    return x


def test_a_report_is_downloaded_by_its_link(box: Devbox) -> None:
    task = flyte.devbox.deploy(reporting, name="links.reporting")
    run = flyte.run(task, x=3)
    run.wait(quiet=True, timeout=60)
    run.raise_for_status()
    found = run.download_links("report", expires_in=timedelta(minutes=5))
    with urllib.request.urlopen(found.url, timeout=20) as reply:
        assert reply.read() == b"<h1>3</h1>"
    assert found.expires_at is not None and found.expires_at <= datetime.now(UTC) + timedelta(minutes=5)
    uris = run.data_uris()
    assert uris.inputs is not None and uris.inputs.endswith("/inputs.pb")
    assert uris.outputs is not None and uris.outputs.endswith("/outputs.pb")
    assert run.details().action.data_uris() == uris


def test_a_task_without_report_has_no_link(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=3)
    run.wait(quiet=True, timeout=60)
    with pytest.raises(NotFoundError, match="has no report"):
        run.download_links()
    with pytest.raises(NotFoundError, match="no attempt 7"):
        run.download_links(attempt=7)


@pytest.fixture
def data() -> Data:
    return Data("here")


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
async def client(data: Data, runs: Runs) -> AsyncIterator[Client]:
    clusters = Clusters()
    async with await serve([data]) as far, await serve([clusters, runs]) as server:
        clusters.name(far.endpoint, "c1")
        async with Client(server.endpoint, timeout=20) as made:
            yield made


async def test_links_come_from_the_cluster_and_keep_their_secret(data: Data, client: Client) -> None:
    url = "https://bucket.example.com/code?signature=secret"
    data.linked = CreateDownloadLinkResponse(
        pre_signed_urls=PreSignedURLs(signed_url=[url], expires_at=Timestamp.of(WHEN))
    )
    action = Action(ActionMessage(id=succeeded().id), client)
    found = await action.download_links.aio("code-bundle", attempt=1, expires_in=timedelta(hours=2))
    assert found == DownloadLinks((url,), WHEN) and found.url == url
    assert "secret" not in repr(found) and "bucket.example.com/code" in repr(found)
    (request,) = data.links
    assert request.artifact_type is ArtifactType.CODE_BUNDLE
    assert request.expires_in is not None and request.expires_in.to_timedelta() == timedelta(hours=2)
    assert request.action_attempt_id == ActionAttemptIdentifier(action_id=succeeded().id, attempt=1)


async def test_an_answer_without_links_is_no_link(data: Data, client: Client) -> None:
    details = ActionDetails(succeeded(), client)
    with pytest.raises(NotFoundError, match="has no report"):
        await details.download_links.aio()
    data.linked = CreateDownloadLinkResponse()
    with pytest.raises(NotFoundError, match="returned no link to the report of run r1, action a0, attempt 1"):
        await details.download_links.aio()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"kind": "everything"}, ValueError),
        ({"kind": ["report"]}, ValueError),
        ({"attempt": 0}, ValueError),
        ({"attempt": "1"}, TypeError),
        ({"expires_in": timedelta(0)}, ValueError),
        ({"expires_in": 60}, ValueError),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    arguments: dict[str, Any], error: type[Exception], data: Data, client: Client
) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        await ActionDetails(succeeded(), client).download_links.aio(**arguments)
    assert data.calls == []


async def test_an_action_that_has_not_begun_has_left_nothing(data: Data, client: Client) -> None:
    waiting = succeeded()
    assert waiting.status is not None
    waiting.status.attempts = 0
    with pytest.raises(NotFoundError, match="has not started"):
        await ActionDetails(waiting, client).download_links.aio()
    assert data.calls == []


async def test_where_values_are(runs: Runs, client: Client) -> None:
    action = Action(ActionMessage(id=succeeded().id), client)
    with pytest.raises(NotFoundError, match="outputs not available"):
        await action.data_uris.aio()
    runs.uris = GetActionDataURIsResponse(inputs_uri="s3://b/in")
    assert await asyncio.to_thread(action.data_uris) == DataUris("s3://b/in", None)
