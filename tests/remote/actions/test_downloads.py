"""Reports and code bundles, downloaded by signed links."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotFoundError, RuntimeSystemError, RuntimeUserError
from flyte.remote import Action, ActionDetails, CodeBundle, Run, TaskDetails
from flyte_api.messages.flyteidl2.core.tasks import Container, K8sPod, TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    ArtifactType,
    CreateDownloadLinkResponse,
    PreSignedURLs,
)
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDetailsRequest, GetActionDetailsResponse
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded


def reporting(x: int) -> int:
    """Leave a report."""
    import os
    from pathlib import Path

    Path(os.environ["FLYTE_OUTPUT_PATH"].removeprefix("file://"), "report.html").write_text(f"<h1>{x}</h1>")
    return x


def test_a_report_of_the_devbox(box: Devbox) -> None:
    task = flyte.devbox.deploy(reporting, name="downloads.reporting")
    run = flyte.run(task, x=3)
    run.wait(quiet=True, timeout=60)
    assert run.get_report() == "<h1>3</h1>"
    assert run.action.get_report(attempt=1) == "<h1>3</h1>"
    assert run.details().get_report(1, timeout=60) == "<h1>3</h1>"
    assert run.details().action.get_report() == "<h1>3</h1>"
    with pytest.raises(NotFoundError, match="no attempt 7"):
        run.get_report(7)


def test_a_task_without_report_or_code_bundle(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=3)
    run.wait(quiet=True, timeout=60)
    with pytest.raises(NotFoundError, match="has no report"):
        run.get_report()
    assert run.code_bundle() is None
    with pytest.raises(RuntimeUserError, match="has no code bundle: its code is part of its image"):
        run.download_code()


class Storage(ThreadingHTTPServer):
    """Serves these files by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Storage)
        content = self.server.files.get(self.path.partition("?")[0])
        self.send_response(404 if content is None else 200)
        self.send_header("content-length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Bundled(Runs):
    """Its action runs a task with these arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: list[str] = []

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        details = succeeded()
        template = TaskTemplate(container=Container(args=self.arguments))
        details.task = TaskSpec(task_template=template)
        return GetActionDetailsResponse(details=details)


@pytest.fixture
def runs() -> Bundled:
    return Bundled()


@pytest.fixture
def data() -> Data:
    return Data("here")


@pytest.fixture
async def client(data: Data, runs: Bundled) -> AsyncIterator[Client]:
    async with await serve([runs, data]) as server, Client(server.endpoint, timeout=20) as made:
        yield made


@pytest.fixture
def run(client: Client) -> Run:
    return Run(RunMessage(action=ActionMessage(id=succeeded().id)), client)


def archive(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/") + ".py")
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def linked(data: Data, url: str) -> None:
    data.linked = CreateDownloadLinkResponse(pre_signed_urls=PreSignedURLs(signed_url=[url]))


TGZ = ["a0", "--inputs", "{{.input}}", "--version", "v7", "--tgz", "s3://bucket/fast%20code.tar.gz", "--dest", "/work"]


async def test_code_is_downloaded_and_extracted(
    run: Run, runs: Bundled, data: Data, storage: Storage, tmp_path: Path
) -> None:
    runs.arguments = TGZ
    storage.files["/code"] = archive(main=b"main", pkg__part=b"part")
    linked(data, f"{storage.url}/code?signature=secret")
    target = tmp_path / "new" / "code"
    assert await run.download_code.aio(target) == target
    assert sorted(p.relative_to(target).as_posix() for p in target.rglob("*.py")) == ["main.py", "pkg/part.py"]
    assert not list(target.glob("*.gz"))
    (request,) = data.links
    assert request.artifact_type is ArtifactType.CODE_BUNDLE
    assert request.action_attempt_id is not None and request.action_attempt_id.attempt == 1
    kept = await run.action.download_code.aio(str(tmp_path), extract=False, attempt=2)
    assert kept == tmp_path / "fast code.tar.gz" and kept.read_bytes() == storage.files["/code"]
    assert data.links[1].action_attempt_id is not None and data.links[1].action_attempt_id.attempt == 2


async def test_the_directory_is_named_like_the_run(
    run: Run, runs: Bundled, data: Data, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs.arguments = ["--tgz=s3://bucket/code.tgz"]
    storage.files["/code"] = archive(main=b"main")
    linked(data, f"{storage.url}/code")
    assert await run.download_code.aio() == Path("r1")
    assert os.listdir(tmp_path / "r1") == ["main.py"]


async def test_a_pickle_stays_a_file(run: Run, runs: Bundled, data: Data, storage: Storage, tmp_path: Path) -> None:
    runs.arguments = ["--pkl", "s3://bucket/code.pkl.gz", "--version", "v1"]
    storage.files["/code"] = archive(main=b"main")
    linked(data, f"{storage.url}/code")
    file = await run.download_code.aio(tmp_path)
    assert file == tmp_path / "code.pkl.gz" and [*tmp_path.iterdir()] == [file]


async def test_failures_of_code_downloads(
    run: Run, runs: Bundled, data: Data, storage: Storage, tmp_path: Path
) -> None:
    runs.arguments = TGZ
    with pytest.raises(NotFoundError, match=r"you can read the code at s3://bucket/fast%20code.tar.gz"):
        await run.download_code.aio(tmp_path)
    linked(data, f"{storage.url}/nowhere?signature=secret")
    with pytest.raises(FileNotFoundError) as failure:
        await run.download_code.aio(tmp_path)
    assert "secret" not in str(failure.value)
    storage.files["/code"] = b"no archive"
    linked(data, f"{storage.url}/code")
    with pytest.raises(RuntimeSystemError, match="not a readable tar archive"):
        await run.download_code.aio(tmp_path)
    assert [*tmp_path.iterdir()] == []
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="which is not a directory"):
        await run.download_code.aio(tmp_path / "file")


@pytest.mark.parametrize("attempt", [0, -1])
async def test_attempts_count_from_one(run: Run, data: Data, attempt: int) -> None:
    with pytest.raises(ValueError, match=r"attempt is .*; it must be at least 1"):
        await run.download_code.aio(attempt=attempt)
    with pytest.raises(ValueError, match=r"attempt is .*; it must be at least 1"):
        await run.get_report.aio(attempt)
    assert data.calls == []


async def test_reports_by_link(run: Run, data: Data, storage: Storage) -> None:
    storage.files["/report"] = "caf\u00e9 \u2713".encode() + b"\xff"
    linked(data, f"{storage.url}/report?signature=secret")
    assert await run.get_report.aio() == "caf\u00e9 \u2713\ufffd"
    linked(data, f"{storage.url}/nowhere?signature=secret")
    with pytest.raises(
        NotFoundError, match="the report of run r1, action a0, attempt 1 is not in the storage"
    ) as failure:
        await run.get_report.aio()
    assert "secret" not in str(failure.value)


async def test_code_bundles_of_tasks(run: Run, runs: Bundled) -> None:
    runs.arguments = TGZ
    bundle = CodeBundle("v7", "/work", tgz="s3://bucket/fast%20code.tar.gz")
    assert await run.code_bundle.aio() == bundle
    assert (await run.action.details.aio()).code_bundle == bundle
    runs.arguments = ["--pkl", "s3://bucket/code.pkl"]
    assert await run.code_bundle.aio() == CodeBundle("", ".", pkl="s3://bucket/code.pkl")
    runs.arguments = ["--tgz", "", "--pkl"]
    assert await run.code_bundle.aio() is None


def test_code_bundles_of_pods_and_other_actions() -> None:
    details = succeeded()
    assert ActionDetails(details).code_bundle is None
    spec: dict[str, Any] = {"containers": [{"name": "side"}, {"args": ["--tgz", "s3://b/c.tgz"], "command": ["a0"]}]}
    details.task = TaskSpec(task_template=TaskTemplate(k8s_pod=K8sPod(pod_spec=Struct.of(spec))))
    assert ActionDetails(details).code_bundle == CodeBundle("", tgz="s3://b/c.tgz")
    assert Action(ActionMessage(id=details.id)).relation is None
