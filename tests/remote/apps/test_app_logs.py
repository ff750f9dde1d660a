"""Logs of apps: across replicas, connections and clusters, and in each form that servers send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from flyte.errors import LogsNotYetAvailableError, NotFoundError, UnavailableError, UnimplementedError
from flyte.remote import App, LogLine
from flyte.remote.apps.logs import Pauses
from flyte_api.messages.flyteidl2.app.app_definition import SpecDesiredState as Desired
from flyte_api.messages.flyteidl2.app.app_definition import StatusDeploymentStatus as State
from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequest, SelectClusterResponse
from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequestOperation as Operation
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, Status, abort, serve
from remote.apps.following import IMPATIENT, quick_logs
from remote.planes.app import DAWN, AppLogs, Apps, Form, batches, containers, message, plain_batches, plain_containers
from remote.planes.cluster import Clusters
from support.proxies.proxy import cutting_proxy

DEADLINE = 20


@pytest.fixture
def apps() -> Apps:
    return Apps()


@pytest.fixture
def logs() -> AppLogs:
    return AppLogs()


@pytest.fixture
def clusters() -> Clusters:
    return Clusters()


@pytest.fixture
async def server(apps: Apps, logs: AppLogs, clusters: Clusters) -> AsyncIterator[RunningServer]:
    async with await serve([apps, logs, clusters]) as running:
        yield running


@pytest.fixture
async def app(server: RunningServer) -> AsyncIterator[App]:
    """An app that is up."""
    async with Client(server.endpoint, org="o", project="p", domain="d", timeout=DEADLINE) as client:
        yield await App.create.aio(message(), client=client)


def stops(apps: Apps) -> None:
    """The app is stopped by somebody else."""
    apps.wants("dash", Desired.STOPPED)
    apps.becomes("dash", State.STOPPED)


async def texts(
    app: App,
    *,
    replica_name: str | None = None,
    filter_system: bool = False,
    follow: bool = True,
    pauses: Pauses = IMPATIENT,
) -> list[str]:
    async with asyncio.timeout(DEADLINE):
        found = quick_logs(app, replica_name, filter_system=filter_system, follow=follow, pauses=pauses)
        return [str(line) async for line in found]


async def test_lines_of_all_replicas(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.open = False
    logs.write("r1", "hello", "from one")
    logs.write("r2", "hello")
    logs.write("r1", "ready", system=True)
    stops(apps)
    found = [line async for line in quick_logs(app)]
    expected = [
        LogLine("hello", DAWN, "r1"),
        LogLine("from one", DAWN + timedelta(seconds=1), "r1"),
        LogLine("hello", DAWN + timedelta(seconds=2), "r2"),
        LogLine("ready", DAWN + timedelta(seconds=3), "r1", system=True),
    ]
    assert [(str(line), line.timestamp, line.replica, line.system) for line in found] == [
        (str(line), line.timestamp, line.replica, line.system) for line in expected
    ]
    first, *_ = [line async for line in quick_logs(app, show_ts=True)]
    assert first == "2030-01-01T00:00:00Z hello"
    assert await texts(app, filter_system=True) == ["hello", "from one", "hello"]
    assert await texts(app, replica_name="r2") == ["hello"]
    asked = logs.requests[-1].replica_id
    assert asked is not None and asked.app_id is not None
    assert (asked.app_id.org, asked.app_id.project, asked.app_id.name, asked.name) == ("o", "p", "dash", "r2")


async def test_they_are_followed_until_the_app_is_down(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.write("r1", "first")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "first"
        await logs.subscriptions.get()
        logs.write("r2", "later")
        assert str(await anext(lines)) == "later"
        stops(apps)
        assert [line async for line in lines] == []
    assert len(logs.requests) == 1


async def test_only_what_there_is(logs: AppLogs, app: App) -> None:
    patient = Pauses(silence=1.0)  # lines that are on their way are there by then
    logs.write("r1", "a", "b")
    assert await texts(app, follow=False, pauses=patient) == ["a", "b"]
    logs.open = False
    assert await texts(app, follow=False, pauses=patient) == ["a", "b"]
    assert len(logs.requests) == 2


async def test_a_line_with_a_time_that_there_is_not(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.open = False
    logs.write("r1", "a", "b")
    logs.written[0][1].timestamp = Timestamp(seconds=2**60)
    stops(apps)
    assert [(line.message, line.timestamp) async for line in quick_logs(app)] == [
        ("a", None),
        ("b", DAWN + timedelta(seconds=1)),
    ]


async def test_blocking(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.open = False
    logs.write("r1", "a", "b")
    stops(apps)
    assert await asyncio.to_thread(lambda: [str(line) for line in quick_logs(app)]) == ["a", "b"]


@pytest.mark.parametrize("form", [batches, plain_batches, containers, plain_containers], ids=lambda f: f.__name__)
async def test_every_form_of_lines(form: Form, apps: Apps, logs: AppLogs, app: App) -> None:
    logs.open = False
    logs.form = form
    logs.write("r1", "a")
    logs.write("r2", "b")
    stops(apps)
    found = [line async for line in quick_logs(app)]
    assert [(line.message, line.replica) for line in found] == [("a", "r1"), ("b", "r2")]
    assert [line.timestamp is None for line in found] == ["plain" in form.__name__] * 2


async def test_no_line_twice_over_a_cut_connection(apps: Apps, logs: AppLogs, server: RunningServer, app: App) -> None:
    # Replicas whose lines fall into the same moment, and whose clocks differ.
    logs.write("r1", "a", at=99)
    logs.write("r1", "b", "b", at=100)
    logs.write("r2", "c", at=7)
    with cutting_proxy(server.endpoint) as proxy:
        async with Client(proxy.endpoint, org="o", project="p", domain="d", timeout=DEADLINE) as client:
            found: list[str] = []
            async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(App(app.pb2, client)))) as lines:
                async for line in lines:
                    found.append(line.message)
                    if len(found) == 4:
                        proxy.cut()
                        logs.write("r1", "d", at=100)
                        logs.write("r2", "e", at=8)
                    if len(found) == 6:
                        stops(apps)
    assert found == ["a", "b", "b", "c", "d", "e"]
    assert len(logs.requests) == 2


async def test_replicas_that_come_and_go(apps: Apps, logs: AppLogs, app: App) -> None:
    # The server ends a stream when there are other replicas than at its beginning.
    logs.open = False
    logs.write("r1", "a")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "a"
        logs.write("r2", "b")
        assert str(await anext(lines)) == "b"
        stops(apps)
        assert [line async for line in lines] == []


async def test_a_stream_that_ends_again_and_again_is_followed_no_more(logs: AppLogs, app: App) -> None:
    logs.open = False
    logs.write("r1", "a")
    assert await texts(app) == ["a"]
    assert len(logs.requests) == 7


async def test_replicas_that_are_not_there_yet(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.missing = 3
    logs.write("r1", "a")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "a"
    assert len(logs.requests) == 4


async def test_replicas_that_never_come(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.missing = -1
    with pytest.raises(
        LogsNotYetAvailableError,
        match=r"app dash has no logs, because it has no replica at the moment. The app is active",
    ) as raised:
        await texts(app)
    assert isinstance(raised.value.__cause__, NotFoundError)
    with pytest.raises(LogsNotYetAvailableError, match="replica r7 of app dash has no logs"):
        await texts(app, replica_name="r7")
    stops(apps)
    assert await texts(app) == [], "an app that is down has nothing to wait for"


async def test_replicas_that_are_gone(logs: AppLogs, app: App) -> None:
    logs.write("r1", "a")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "a"
        await logs.subscriptions.get()
        logs.open, logs.missing = False, -1
        logs.write("r1", "b")
        assert [str(line) async for line in lines] == ["b"]


async def test_an_app_that_is_not_there(apps: Apps, logs: AppLogs, app: App) -> None:
    apps.vanishes("dash")
    logs.missing = -1
    with pytest.raises(NotFoundError, match="app dash not found"):
        await texts(app)


async def test_an_app_that_is_deleted_while_it_is_read(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.write("r1", "a")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "a"
        apps.vanishes("dash")
        assert [line async for line in lines] == []


async def test_a_server_that_restarts(apps: Apps, logs: AppLogs, app: App) -> None:
    logs.unavailable = 5
    logs.write("r1", "a")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "a"
    logs.unavailable = 6
    with pytest.raises(UnavailableError, match="restarting"):
        await texts(app)


@pytest.mark.parametrize("status", [Status.DEADLINE_EXCEEDED, Status.CANCELLED, Status.INTERNAL], ids=lambda s: s.name)
async def test_they_are_opened_again_after_what_breaks_a_watch_too(logs: AppLogs, app: App, status: Status) -> None:
    logs.unavailable, logs.failure = 2, status
    logs.write("r1", "a")
    async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
        assert str(await anext(lines)) == "a"


async def test_a_server_that_restarts_before_there_are_replicas(
    server: RunningServer, apps: Apps, logs: AppLogs
) -> None:
    once = Backoff(attempts=1, first=0.001, longest=0.001)
    async with Client(server.endpoint, project="p", domain="d", timeout=DEADLINE, retry=once) as client:
        app = await App.create.aio(message(), client=client)
        logs.missing, apps.unavailable = 1, 1
        logs.write("r1", "a")
        async with asyncio.timeout(DEADLINE), aclosing(aiter(quick_logs(app))) as lines:
            assert str(await anext(lines)) == "a"
    assert apps.unavailable == 0


async def test_a_server_without_logs_of_apps(apps: Apps) -> None:
    async with (
        await serve([apps]) as server,
        Client(server.endpoint, project="p", domain="d", timeout=DEADLINE) as client,
    ):
        app = await App.create.aio(message(), client=client)
        with pytest.raises(UnimplementedError, match=r"AppLogsService/TailLogs"):
            await texts(app)


async def test_lines_are_read_where_they_are(logs: AppLogs, clusters: Clusters, app: App) -> None:
    logs.open = False
    far = AppLogs()
    far.open = False
    far.write("r1", "far away")
    logs.write("r1", "here")
    async with await serve([far]) as elsewhere:
        clusters.name(elsewhere.endpoint, "c1")
        assert await texts(app, follow=False) == ["far away"]
    (asked,) = clusters.asked
    assert (asked.operation, asked.app_id and asked.app_id.name) == (Operation.TAIL_LOGS, "dash")


async def test_a_cluster_that_is_not_known_is_no_obstacle(logs: AppLogs, clusters: Clusters, app: App) -> None:
    logs.open = False

    def refuse(_: SelectClusterRequest) -> SelectClusterResponse:
        abort(Status.INTERNAL, "no cluster has it")

    clusters.answer = refuse
    logs.write("r1", "here")
    assert await texts(app, follow=False) == ["here"]


async def test_showing_them(apps: Apps, logs: AppLogs, app: App, capsys: pytest.CaptureFixture[str]) -> None:
    logs.open = False
    logs.write("r1", "a [b]", "x" * 300)
    logs.write("r2", "ready", system=True)
    stops(apps)
    await app.show_logs.aio()
    assert capsys.readouterr().out.splitlines() == ["[r1] a [b]", f"[r1] {'x' * 300}", "[r2] ready"]
    await app.show_logs.aio(max_lines=1, show_ts=True)
    assert capsys.readouterr().out == "2030-01-01T00:00:02Z [r2] ready\n"
    await app.show_logs.aio(1, False, True)
    assert capsys.readouterr().out.splitlines() == ["a [b]", "x" * 300, "ready"]
    await app.show_logs.aio(raw=True, filter_system=True, replica_name="r2")
    await app.show_logs.aio(0)
    assert capsys.readouterr().out == ""
    await asyncio.to_thread(app.show_logs, raw=True, replica_name="r2")
    assert capsys.readouterr().out == "ready\n"


async def test_bad_arguments(logs: AppLogs, app: App) -> None:
    with pytest.raises(ValueError, match="replica_name must not be empty"):
        app.get_logs("")
    with pytest.raises(TypeError, match="replica_name takes text"):
        app.get_logs(1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_lines is -1"):
        await app.show_logs.aio(-1)
    assert logs.requests == []
