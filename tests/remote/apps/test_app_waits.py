"""Waiting until an app is up or down, despite interruptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from flyte.errors import (
    AppDeletedError,
    AppFailedError,
    AppStateError,
    NotFoundError,
    PermissionDeniedError,
    WaitTimeoutError,
)
from flyte.models import DesiredState
from flyte.remote import App
from flyte_api.messages.flyteidl2.app.app_definition import SpecDesiredState as Desired
from flyte_api.messages.flyteidl2.app.app_definition import StatusDeploymentStatus as State
from flyte_api.messages.flyteidl2.app.app_payload import UpdateRequest, UpdateResponse, WatchRequest
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import RunningServer, ServerCall, Status, abort, serve
from remote.planes.app import Apps, message
from support.proxies.proxy import cutting_proxy

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
async def stopped(apps: Apps, client: Client) -> App:
    """An app that is down, on a cluster that only tests control."""
    app = await App.create.aio(message(desired=Desired.STOPPED), client=client)
    apps.slow = True
    return await app.sync.aio()


@pytest.fixture
async def active(apps: Apps, client: Client) -> App:
    """An app that is up, on the same cluster."""
    app = await App.create.aio(message(), client=client)
    apps.slow = True
    return await app.sync.aio()


Wait = Coroutine[Any, Any, App]


async def while_watched(apps: Apps, wait: Wait, *steps: Callable[[], object]) -> App:
    """Return the result of a wait. The next step happens each time the app is watched again."""
    async with asyncio.timeout(DEADLINE):
        waiting = asyncio.ensure_future(wait)
        try:
            for step in steps:
                await apps.subscriptions.get()
                step()
            return await waiting
        finally:
            waiting.cancel()


async def test_up_and_down(apps: Apps, stopped: App) -> None:
    def comes_up() -> None:
        for state in (State.PENDING, State.DEPLOYING, State.ACTIVE):
            apps.becomes("dash", state)

    app = await while_watched(apps, stopped.activate.aio(wait=True, timeout=DEADLINE), comes_up)
    assert app is stopped and app.is_active(), "what is returned is as it is now"
    assert (app.revision, app.desired_state) == (2, DesiredState.ACTIVE)
    app = await while_watched(apps, app.deactivate.aio(wait=True), lambda: apps.becomes("dash", State.STOPPED))
    assert app.is_deactivated() and app.desired_state is DesiredState.STOPPED
    assert [(u.app.spec.desired_state.name, u.reason) for u in apps.sent(UpdateRequest)] == [
        ("ACTIVE", "User requested to activate app from flyte-sdk"),
        ("STOPPED", "User requested to deactivate app from flyte-sdk"),
    ]


async def test_without_waiting(apps: Apps, stopped: App) -> None:
    assert (await stopped.activate.aio()).desired_state is DesiredState.ACTIVE
    assert not stopped.is_active() and apps.sent(WatchRequest) == []


async def test_what_is_so_already_is_not_asked_for(apps: Apps, active: App) -> None:
    await active.activate.aio(wait=True)
    assert apps.sent(UpdateRequest) == []
    await active.deactivate.aio()
    apps.becomes("dash", State.STOPPED)
    await active.deactivate.aio(wait=True)
    assert len(apps.sent(UpdateRequest)) == 1


async def test_an_app_that_is_up_and_not_to_stay_so_is_asked_to(apps: Apps, active: App) -> None:
    apps.wants("dash", Desired.STOPPED)
    await active.activate.aio()
    assert apps.sent(UpdateRequest)[0].app.spec.desired_state is Desired.ACTIVE


async def test_a_new_app_that_no_cluster_has_taken_yet_can_be_stopped(apps: Apps, client: Client) -> None:
    apps.slow = True
    app = await App.create.aio(message(), client=client)
    apps.becomes("dash", State.UNASSIGNED)
    await app.deactivate.aio()
    assert apps.sent(UpdateRequest)[0].app.spec.desired_state is Desired.STOPPED


async def test_changes_of_others_are_not_taken_back(apps: Apps, client: Client, stopped: App) -> None:
    await App.update.aio(message(image="i:9", desired=Desired.STOPPED), "by somebody else", client=client)
    await stopped.activate.aio()
    assert apps.sent(UpdateRequest)[-1].app.spec.container.image == "i:9"


async def test_watching_an_app_that_somebody_else_activates(apps: Apps, stopped: App) -> None:
    def comes_up() -> None:
        apps.wants("dash", Desired.ACTIVE)
        apps.becomes("dash", State.ACTIVE)

    assert await while_watched(apps, stopped.wait.aio(timeout=DEADLINE), comes_up) is stopped
    assert stopped.is_active()


async def test_a_watch_yields_each_state_until_the_app_is_deleted(apps: Apps, stopped: App) -> None:
    seen: list[tuple[str, bool]] = []
    steps = iter([lambda: apps.becomes("dash", State.ACTIVE), lambda: apps.vanishes("dash")])
    with pytest.raises(AppDeletedError, match=r"^app dash was deleted\. Create it again\.$"):
        async for app in stopped.watch(timeout=DEADLINE):
            assert app is not stopped and app.pb2 is stopped.pb2
            seen.append((str(app.deployment_status), app.is_active()))
            next(steps)()
    assert seen == [("stopped", False), ("active", True)]


async def test_a_watch_ends_in_time_and_does_not_wait_for_a_state(apps: Apps, stopped: App) -> None:
    with pytest.raises(WaitTimeoutError, match="for the end of app dash"):
        async for _ in stopped.watch(timeout=0.1):
            pass
    with pytest.raises(TypeError, match=r"to wait, call app\.wait\(wait_for='activated'\)"):
        stopped.watch(wait_for="activated")  # type: ignore[arg-type]
    apps.vanishes("dash")
    with pytest.raises(NotFoundError):
        await anext(aiter(stopped.watch(timeout=DEADLINE)))


async def test_a_state_that_is_not_known_is_waited_through(apps: Apps, stopped: App) -> None:
    def comes_up() -> None:
        apps.becomes("dash", 42)
        apps.becomes("dash", State.ACTIVE)

    assert (await while_watched(apps, stopped.activate.aio(wait=True), comes_up)).is_active()


async def test_a_deployment_that_fails(apps: Apps, stopped: App) -> None:
    fails = lambda: apps.becomes("dash", State.FAILED, "no such image: i:1.")  # noqa: E731
    with pytest.raises(
        AppFailedError, match=r"app dash failed while waiting for it to be activated: no such image: i:1\. Its logs"
    ):
        await while_watched(apps, stopped.activate.aio(wait=True), fails)
    assert stopped.deployment_status == "failed"
    with pytest.raises(RuntimeError, match="app dash failed"):
        await stopped.wait.aio()


async def test_a_failure_of_old_is_no_answer(apps: Apps, stopped: App) -> None:
    apps.becomes("dash", State.FAILED, "of old")
    comes_up = lambda: apps.becomes("dash", State.ACTIVE)  # noqa: E731
    assert (await while_watched(apps, stopped.activate.aio(wait=True), comes_up)).is_active()


async def test_the_same_failure_again_is_one(apps: Apps, active: App) -> None:
    apps.becomes("dash", State.FAILED, "again")

    def fails() -> None:
        apps.becomes("dash", State.DEPLOYING)
        apps.moments -= 2  # a server that tells no new time for what it has told before
        apps.becomes("dash", State.FAILED, "again")

    with pytest.raises(AppFailedError, match="again"):
        await while_watched(apps, active.wait.aio("deactivated"), fails)
    conditions = apps.apps["dash"].status and apps.apps["dash"].status.conditions
    assert conditions and conditions[-1] == conditions[-3]


async def test_an_app_that_has_failed_can_be_stopped(apps: Apps, active: App) -> None:
    apps.becomes("dash", State.FAILED, "broken")
    stops = lambda: apps.becomes("dash", State.STOPPED)  # noqa: E731
    assert (await while_watched(apps, active.deactivate.aio(wait=True), stops)).is_deactivated()
    apps.becomes("dash", State.FAILED, "broken")
    assert (await while_watched(apps, active.wait.aio("deactivated"), stops)).is_deactivated()


async def test_somebody_else_deactivates_it(apps: Apps, stopped: App) -> None:
    def goes_down() -> None:
        apps.becomes("dash", State.DEPLOYING)
        apps.wants("dash", Desired.STOPPED)
        apps.becomes("dash", State.STOPPED)

    with pytest.raises(AppStateError, match="app dash was deactivated by another user while waiting for activation"):
        await while_watched(apps, stopped.activate.aio(wait=True), goes_down)


@pytest.mark.parametrize("wait_for", ["activated", "deactivated"])
async def test_it_is_deleted_meanwhile(wait_for: Any, apps: Apps, active: App) -> None:
    apps.becomes("dash", State.DEPLOYING)
    with pytest.raises(AppDeletedError, match=f"app dash was deleted while waiting for it to be {wait_for}"):
        await while_watched(apps, active.wait.aio(wait_for), lambda: apps.vanishes("dash"))


async def test_it_was_deleted_before(apps: Apps, active: App) -> None:
    apps.vanishes("dash")
    for call in (active.wait.aio(), active.activate.aio(), active.deactivate.aio(), active.sync.aio()):
        with pytest.raises(NotFoundError, match="app dash not found"):
            await call


async def test_a_wait_ends_in_time(apps: Apps, stopped: App) -> None:
    apps.becomes("dash", State.DEPLOYING)
    with pytest.raises(WaitTimeoutError, match=r"for app dash to be activated \(last phase: deploying\)") as raised:
        await stopped.wait.aio(timeout=0.05)
    assert raised.value.elapsed >= 0.05
    with pytest.raises(WaitTimeoutError):
        await asyncio.to_thread(stopped.activate, True, 0.05)
    assert apps.apps["dash"].spec is not None and apps.apps["dash"].spec.desired_state is Desired.ACTIVE


async def test_waiting_over_a_cut_connection(apps: Apps, server: RunningServer, stopped: App) -> None:
    with cutting_proxy(server.endpoint) as proxy:
        async with Client(proxy.endpoint, project="p", domain="d", timeout=DEADLINE) as client:
            app = await App.get.aio("dash", client=client)
            waiting = app.activate.aio(wait=True, timeout=DEADLINE)
            comes_up = lambda: apps.becomes("dash", State.ACTIVE)  # noqa: E731
            assert (await while_watched(apps, waiting, proxy.cut, comes_up)).is_active()


@pytest.mark.parametrize("ends", ["up", "deleted"])
async def test_what_happened_while_the_connection_was_cut_is_noticed(
    ends: str, apps: Apps, server: RunningServer, stopped: App
) -> None:
    # A server that tells changes only, and an app that changes when nobody watches.
    def unseen() -> None:
        apps.silent = True
        proxy.cut()
        apps.becomes("dash", State.ACTIVE) if ends == "up" else apps.vanishes("dash")

    with cutting_proxy(server.endpoint) as proxy:
        async with Client(proxy.endpoint, project="p", domain="d", timeout=DEADLINE) as client:
            app = await App.get.aio("dash", client=client)
            await app.activate.aio()

            async def wait() -> App:
                await app._wait("activated", DEADLINE, silence=0.05)
                return app

            waiting = while_watched(apps, wait(), unseen)
            if ends == "up":
                assert (await waiting).is_active()
            else:
                with pytest.raises(AppDeletedError):
                    await waiting


async def test_cancelling_a_wait(apps: Apps, stopped: App) -> None:
    waiting = asyncio.create_task(stopped.wait.aio())
    await asyncio.wait_for(apps.subscriptions.get(), DEADLINE)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# --- up within a block -----------------------------------------------------------------------------------------------


async def test_up_within_a_block(apps: Apps, client: Client) -> None:
    app = await App.create.aio(message(desired=Desired.STOPPED), client=client)
    async with app.ephemeral_ctx(timeout=DEADLINE) as same:
        assert same is app and app.is_active()
    assert app.is_deactivated()

    def work() -> None:
        with app.ephemeral_ctx_sync(timeout=DEADLINE):
            assert app.is_active()
            raise KeyError("in the block")

    with pytest.raises(KeyError, match="in the block"):
        await asyncio.to_thread(work)
    assert app.is_deactivated()
    assert len(apps.sent(UpdateRequest)) == 4


async def test_a_block_that_is_left_by_an_error(apps: Apps, client: Client) -> None:
    app = await App.create.aio(message(desired=Desired.STOPPED), client=client)
    with pytest.raises(ZeroDivisionError):
        async with app.ephemeral_ctx():
            1 / 0  # noqa: B018
    assert app.is_deactivated()


async def test_a_block_that_is_cancelled_does_not_wait(apps: Apps, active: App) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with active.ephemeral_ctx():
            entered.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.wait_for(entered.wait(), DEADLINE)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, DEADLINE)
    spec = apps.apps["dash"].spec
    assert spec is not None and spec.desired_state is Desired.STOPPED


async def test_a_block_that_is_never_entered(apps: Apps, stopped: App) -> None:
    async def enters() -> App:
        async with stopped.ephemeral_ctx():
            raise AssertionError("it never came up")

    def fails() -> None:
        apps.slow = False  # so that it goes down at once
        apps.becomes("dash", State.FAILED, "no such image")

    with pytest.raises(AppFailedError, match="no such image"):
        await while_watched(apps, enters(), fails)
    assert stopped.is_deactivated()


async def test_an_app_that_is_deleted_in_the_block(apps: Apps, active: App) -> None:
    with pytest.raises(KeyError) as raised:
        async with active.ephemeral_ctx():
            apps.vanishes("dash")
            raise KeyError
    assert apps.apps == {} and not hasattr(raised.value, "__notes__"), "there is nothing that could be up"


class Locked(Apps):
    """Lets nobody change anything once it is `locked`."""

    locked = False

    async def update(self, request: UpdateRequest, call: ServerCall) -> UpdateResponse:
        if self.locked:
            abort(Status.PERMISSION_DENIED, "not yours")
        return await super().update(request, call)


async def test_an_app_that_cannot_be_deactivated() -> None:
    apps = Locked()
    async with (
        await serve([apps]) as server,
        Client(server.endpoint, project="p", domain="d", timeout=DEADLINE) as client,
    ):
        app = await App.create.aio(message(), client=client)
        apps.locked = True
        with pytest.raises(PermissionDeniedError, match="not yours"):
            async with app.ephemeral_ctx():
                pass
        with pytest.raises(KeyError) as raised:
            async with app.ephemeral_ctx():
                raise KeyError
        (note,) = raised.value.__notes__
        assert "app dash may still be up" in note and "not yours" in note
