"""Apps: get, list, create, replace, delete, activate, deactivate and wait."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

import flyte
from flyte._client import use_client
from flyte.errors import AbortedError, InitializationError, NotFoundError, UnimplementedError
from flyte.models import DeploymentStatus, DesiredState
from flyte.remote import App, AppSpec
from flyte_api.messages.flyteidl2.app.app_definition import App as AppMessage
from flyte_api.messages.flyteidl2.app.app_definition import (
    Identifier,
    IngressConfig,
    Meta,
    Spec,
    SpecDesiredState,
    StatusDeploymentStatus,
)
from flyte_api.messages.flyteidl2.app.app_payload import CreateRequest, ListRequest, UpdateRequest
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import RunningServer, serve
from remote.planes.app import Apps, message, spec
from remote.planes.project import ThreeProjects

State = StatusDeploymentStatus
DEADLINE = 20


@pytest.fixture
def apps() -> Apps:
    return Apps()


@pytest.fixture
async def server(apps: Apps) -> AsyncIterator[RunningServer]:
    async with await serve([apps]) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    async with Client(server.endpoint, org="o", project="p", domain="d", timeout=DEADLINE) as made:
        yield made


@pytest.fixture
async def active(apps: Apps, client: Client) -> App:
    """An app that is up, on the same cluster."""
    app = await App.create.aio(message(), client=client)
    apps.slow = True
    return await app.sync.aio()


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_what_an_app_shows(apps: Apps, client: Client) -> None:
    await App.create.aio(message(team="a"), client=client)
    app = await App.get.aio("dash", client=client)
    assert (app.name, app.project, app.domain, app.revision) == ("dash", "p", "d", 1)
    assert (app.endpoint, app.labels) == ("https://dash.apps.example.com", {"team": "a"})
    assert app.deployment_status is DeploymentStatus.ACTIVE and app.desired_state is DesiredState.ACTIVE
    assert app.is_active and app.is_active() and not app.is_deactivated and not app.is_deactivated()
    assert (repr(app.is_active), str(app.is_deactivated)) == ("True", "False")
    assert app.url == f"{client.endpoint}/v2/domain/d/project/p/apps/dash"
    assert repr(app) == (
        "App(name='dash', revision=1, endpoint='https://dash.apps.example.com', deployment_status='active', "
        "desired_state='active', project='p', domain='d', labels={'team': 'a'})"
    )
    assert app.condition is not None and app.condition.revision == 1
    assert app.to_dict()["metadata"]["id"]["org"] == "o"
    assert pickle.loads(pickle.dumps(app)) == app
    assert app != await App.create.aio(message("other"), client=client)


@pytest.mark.parametrize(
    ("state", "shown", "up", "down"),
    [
        (State.UNSPECIFIED, "unspecified", False, False),
        (State.UNASSIGNED, "unassigned", False, True),
        (State.STOPPED, "stopped", False, True),
        (State.STARTED, "started", True, False),
        (State.ACTIVE, "active", True, False),
        (State.FAILED, "failed", False, False),
        (State.DEPLOYING, "deploying", False, False),
        (42, "unknown(42)", False, False),
    ],
)
async def test_every_state_has_a_name(apps: Apps, active: App, state: int, shown: str, up: bool, down: bool) -> None:
    apps.becomes("dash", state)
    app = await active.sync.aio()
    assert (app.deployment_status, app.is_active(), app.is_deactivated()) == (shown, up, down)
    assert app.deployment_status.to_protobuf_value() == state
    assert f"deployment_status={shown!r}" in repr(app)


def test_states_are_those_of_the_definitions() -> None:
    for ours, theirs in ((DeploymentStatus, State), (DesiredState, SpecDesiredState)):
        assert [(m.name, m.to_protobuf_value()) for m in ours] == [(m.name, int(m)) for m in theirs if m]
        for number in theirs:
            assert ours.from_protobuf(number).to_protobuf_value() == number


async def test_an_app_of_which_little_is_known(client: Client) -> None:
    app = App(AppMessage(), client)
    assert (app.name, app.revision, app.endpoint, app.labels, app.condition) == ("", 0, "", {}, None)
    assert (app.deployment_status, app.desired_state) == ("unspecified", "unspecified")
    assert "unspecified" in repr(app)


async def test_getting_what_is_not_there(client: Client) -> None:
    with pytest.raises(NotFoundError, match="app nope not found"):
        await App.get.aio("nope", client=client)
    await App.create.aio(message(), client=client)
    with pytest.raises(NotFoundError):
        await App.get.aio("dash", project="elsewhere", client=client)


async def test_listing(apps: Apps, client: Client) -> None:
    for number in range(7):
        made = message(f"a{number}")
        made.spec = spec(creator="ada" if number % 2 else "bob")
        await App.create.aio(made, domain="other" if number == 6 else None, client=client)
    apps.becomes("a1", State.FAILED)
    apps.becomes("a2", State.STOPPED)

    async def listed(**arguments: Any) -> list[str]:
        return [app.name async for app in App.listall(client=client, **arguments)]

    assert await listed(page_size=2) == ["a0", "a1", "a2", "a3", "a4", "a5"]
    assert [(r.request.limit, r.request.token) for r in apps.sent(ListRequest)] == [(2, ""), (2, "2"), (2, "4")]
    assert await listed(limit=3, page_size=2) == ["a0", "a1", "a2"]
    assert await listed(in_status=("failed",)) == ["a1"]
    assert await listed(in_status=["Failed", DeploymentStatus.STOPPED]) == ["a1", "a2"]
    assert await listed(in_status={State.ACTIVE}) == ["a0", "a3", "a4", "a5"]
    assert await listed(in_status=("DEPLOYMENT_STATUS_ACTIVE",), created_by_subject="ada") == ["a3", "a5"]
    assert apps.sent(ListRequest)[-1].request.filters[0].values == ["DEPLOYMENT_STATUS_ACTIVE"]
    assert await listed(domain="other") == ["a6"]
    assert await listed(project="nowhere") == []
    await App.listall(sort_by="-created_at", client=client).first.aio()
    (order,) = apps.sent(ListRequest)[-1].request.sort_by_fields
    assert (order.key, order.direction.name) == ("created_at", "DESCENDING")


# --- changing --------------------------------------------------------------------------------------------------------


async def test_creating_one_that_is_there_replaces_it(apps: Apps, client: Client) -> None:
    first = await App.create.aio(message(), client=client)
    assert (first.project, first.domain, first.revision) == ("p", "d", 1)
    second = await App.create.aio(message(image="i:2", team="a"), client=client)
    assert (second.revision, second.labels, len(apps.apps)) == (2, {"team": "a"}, 1)
    (update,) = apps.sent(UpdateRequest)
    assert update.reason == "User requested serve from sdk"
    assert update.app.spec.container.image == "i:2"


async def test_creating_that_was_aborted(apps: Apps, client: Client) -> None:
    apps.aborts = True
    with pytest.raises(AbortedError, match="somebody else was faster"):
        await App.create.aio(message(), client=client)
    apps.aborts = False
    await App.create.aio(message(), client=client)
    apps.aborts = True
    assert (await App.create.aio(message(image="i:2"), client=client)).revision == 2


async def test_the_message_that_is_given_is_left_alone(client: Client) -> None:
    made = message()
    before = bytes(made)
    await App.create.aio(made, client=client)
    await App.update.aio(made, "again", client=client)
    given = spec("i:2")
    kept = bytes(given)
    await App.replace.aio("dash", given, "more", client=client)
    assert (bytes(made), bytes(given)) == (before, kept)


async def test_where_an_app_is_created(apps: Apps, client: Client) -> None:
    made = message()
    made.metadata = Meta(id=Identifier(org="x", project="q", name="dash"))
    app = await App.create.aio(made, domain="e", client=client)
    assert (app.project, app.domain) == ("q", "e")
    assert apps.sent(CreateRequest)[0].app.metadata.id.org == "x"
    with pytest.raises(ValueError, match=r"project is 'p', but app.metadata.id.project is 'q'"):
        await App.create.aio(made, project="p", client=client)
    async with Client(client.endpoint, project="p") as bare:
        with pytest.raises(InitializationError, match="No domain is set"):
            await App.create.aio(made, client=bare)


async def test_replacing_keeps_what_the_server_decided(apps: Apps, client: Client) -> None:
    made = message(team="a")
    made.spec = spec(creator="ada")
    made.spec.ingress = IngressConfig(subdomain="mine")
    await App.create.aio(made, client=client)
    app = await App.replace.aio("dash", spec("i:2", creator="eve"), "a newer one", client=client)
    assert (app.revision, app.labels) == (2, {"team": "a"})
    (update,) = apps.sent(UpdateRequest)
    assert update.app.spec.creator.user.id.subject == "ada"
    assert update.app.spec.ingress.subdomain == "mine"
    assert (update.reason, update.app.metadata.revision) == ("a newer one", 1)
    other = spec("i:2")
    other.ingress = IngressConfig(subdomain="yours")
    app = await App.replace.aio("dash", other, "moves", {}, client=client)
    assert (app.revision, app.labels, app.pb2.spec and app.pb2.spec.ingress) == (3, {}, other.ingress)


async def test_replacing_by_the_same_sends_nothing(apps: Apps, client: Client) -> None:
    await App.create.aio(message(team="a"), client=client)
    app = await App.replace.aio("dash", spec(), "no reason", client=client)
    assert (app.revision, apps.sent(UpdateRequest)) == (1, [])
    app = await App.replace.aio("dash", spec(), "only labels", {"team": "b"}, client=client)
    assert (app.revision, app.labels) == (2, {"team": "b"})
    with pytest.raises(NotFoundError):
        await App.replace.aio("nope", spec(), "", client=client)


async def test_updating(client: Client) -> None:
    with pytest.raises(NotFoundError):
        await App.update.aio(message(), "first", client=client)
    await App.create.aio(message(team="a"), client=client)
    app = await App.update.aio(message(image="i:3"), "as a whole", client=client)
    assert (app.revision, app.labels) == (2, {})


async def test_deleting(apps: Apps, client: Client) -> None:
    await App.create.aio(message(), client=client)
    assert await App.delete.aio("dash", project="q", client=client) is False
    assert await App.delete.aio("dash", client=client) is True
    assert await App.delete.aio("dash", client=client) is False
    assert apps.apps == {}


async def test_blocking_forms(client: Client) -> None:
    def work() -> tuple[object, ...]:
        with use_client(client):
            App.create(message(desired=SpecDesiredState.STOPPED))
            app = App.get("dash")
            assert app.activate(wait=True, timeout=DEADLINE) is app and app.is_active()
            assert app.wait(timeout=DEADLINE) is app
            assert App.replace("dash", spec("i:2"), "newer").is_active()
            assert App.update(message(), "older").name == "dash"
            assert app.sync().revision == 4
            assert app.deactivate(wait=True, timeout=DEADLINE).is_deactivated()
            return [app.name for app in App.listall()], App.delete("dash")

    assert await asyncio.to_thread(work) == (["dash"], True)


class Dashboard(App):
    """An app of a kind."""


async def test_subclasses_stay_what_they_are(apps: Apps, client: Client) -> None:
    made = [
        await Dashboard.create.aio(message(), client=client),
        await Dashboard.create.aio(message(image="i:2"), client=client),
        await Dashboard.get.aio("dash", client=client),
        await Dashboard.replace.aio("dash", spec("i:3"), "", client=client),
        await Dashboard.update.aio(message(), "", client=client),
        *await Dashboard.listall(client=client).collect.aio(),
    ]
    assert {type(app) for app in made} == {Dashboard} and len(made) == 6
    assert type(await made[0].deactivate.aio(wait=True, timeout=DEADLINE)) is Dashboard


async def test_a_server_without_apps() -> None:
    async with await serve([ThreeProjects()]) as server, Client(server.endpoint, project="p", domain="d") as client:
        app = App(AppMessage(metadata=Meta(id=Identifier(name="dash"))), client)
        for call in (
            App.get.aio("dash", client=client),
            App.listall(client=client).collect.aio(),
            App.create.aio(message(), client=client),
            App.delete.aio("dash", client=client),
            app.wait.aio(timeout=DEADLINE),
            app.activate.aio(),
        ):
            with pytest.raises(UnimplementedError, match="AppService"):
                await call


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda c: App.get.aio("", client=c), "name must not be empty"),
        (lambda c: App.get.aio("x" * 31, client=c), "name takes at most 30"),
        (lambda c: App.get.aio("x", project="", client=c), "project must not be empty"),
        (lambda c: App.get.aio("x", client="c"), "client takes"),
        (lambda c: App.delete.aio("", client=c), "name must not be empty"),
        (lambda c: App.create.aio(spec(), client=c), r"app takes a message flyteidl2\.app\.App, not Spec"),
        (lambda c: App.create.aio(AppMessage(spec=spec()), client=c), r"app\.metadata\.id\.name must not be empty"),
        (lambda c: App.create.aio(message("x" * 31), client=c), "at most 30 characters"),
        (lambda c: App.create.aio(AppMessage(metadata=Meta(id=Identifier(name="x"))), client=c), r"app\.spec takes"),
        (lambda c: App.update.aio(None, "", client=c), "updated_app_proto takes a message"),
        (lambda c: App.update.aio(message(), "x" * 101, client=c), "reason takes at most 100"),
        (lambda c: App.replace.aio("x", Spec(), "", client=c), "updated_app_spec has nothing to run"),
        (lambda c: App.replace.aio("x", spec(), None, client=c), "reason takes text"),
        (
            lambda c: App.replace.aio("x", spec(), "", {"a": 1}, client=c),
            "labels takes text for keys and values, not 'a': int",
        ),
        (lambda c: App.replace.aio("x", spec(), "", ["a"], client=c), "labels takes a mapping"),
        (lambda c: App(message(), c).wait.aio("started"), "wait_for must be one of 'activated', 'deactivated'"),
        (lambda c: App(message(), c).wait.aio(timeout=0), "timeout is 0; it must be a positive"),
        (lambda c: App(message(), c).activate.aio(timeout=-1), "timeout is -1"),
        (lambda c: App(message(), c).deactivate.aio(timeout="1"), "timeout takes a number of seconds"),
        (lambda c: App(message(), c).ephemeral_ctx(timeout=0).__aenter__(), "timeout is 0"),
    ],
)
async def test_bad_arguments_send_nothing(
    apps: Apps, client: Client, call: Callable[[Any], Coroutine[Any, Any, Any]], complaint: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=complaint):
        await call(client)
    assert apps.requests == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"in_status": "active"}, r"in_status takes several values; for one, write in_status=\('active',\)"),
        ({"in_status": ("activ",)}, "did you mean 'active'"),
        ({"in_status": ()}, "in_status is empty"),
        ({"in_status": (42,)}, "in_status has the unknown number 42"),
        ({"sort_by": ("name", "up")}, "direction 'up'"),
        ({"limit": -1}, "limit"),
    ],
)
async def test_bad_listings_send_nothing(apps: Apps, client: Client, arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises((TypeError, ValueError), match=complaint):
        App.listall(client=client, **arguments)
    assert apps.requests == []


# --- plain definitions -----------------------------------------------------------------------------------------------


async def test_an_app_from_plain_values(client: Client) -> None:
    spec = AppSpec(
        image="i:1",
        args=["serve"],
        port=80,
        env_vars={"A": "b"},
        resources=flyte.Resources(cpu=("1", "2"), gpu=flyte.GPU("T4", 1)),
        min_replicas=1,
        max_replicas=2,
        scaledown_after=timedelta(minutes=5),
        service_account="sa",
    )
    app = await App.create.aio("plain", spec, {"team": "a"}, client=client)
    sent = app.pb2.spec
    assert sent is not None and sent.container is not None and sent.extended_resources is not None
    assert (app.name, app.labels, sent.container.image, sent.container.args) == (
        "plain",
        {"team": "a"},
        "i:1",
        ["serve"],
    )
    assert [port.container_port for port in sent.container.ports] == [80]
    assert [(pair.key, pair.value) for pair in sent.container.env] == [("A", "b")]
    assert sent.container.resources is not None
    assert {entry.name.name: entry.value for entry in sent.container.resources.requests} == {"CPU": "1", "GPU": "1"}
    assert sent.autoscaling is not None and sent.autoscaling.replicas is not None
    assert (sent.autoscaling.replicas.min, sent.autoscaling.replicas.max) == (1, 2)
    newer = await App.replace.aio("plain", AppSpec(image="i:2"), "newer", client=client)
    assert newer.revision == 2 and newer.labels == {"team": "a"}


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: AppSpec(image=""), ValueError, "AppSpec.image must not be empty"),
        (lambda: AppSpec(image="i", port=70000), ValueError, "at most 65535"),
        (lambda: AppSpec(image="i", min_replicas=2), ValueError, "below min_replicas"),
        (lambda: AppSpec(image="i", command="sh"), TypeError, "a list of texts"),  # type: ignore[arg-type]
        (lambda: AppSpec(image="i", env_vars={"A": 1}), TypeError, "AppSpec.env_vars"),  # type: ignore[dict-item]
        (lambda: AppSpec(image="i", resources=2), TypeError, "takes a flyte.Resources"),  # type: ignore[arg-type]
    ],
)
def test_plain_values_that_are_invalid(make: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


async def test_a_name_needs_a_spec_and_a_message_has_one(client: Client) -> None:
    with pytest.raises(TypeError, match="needs a spec"):
        await App.create.aio("plain", client=client)
    with pytest.raises(TypeError, match="a message has both already"):
        await App.create.aio(message(), labels={"a": "b"}, client=client)
