"""Sessions: one log-in or renewal in flight, shared by threads, loops, calls and streams; expiry and refusals."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flyte_rpc.auth.session import OAuthCredentials
from flyte_rpc.auth.storage.store import Identity, TokenStore
from flyte_rpc.auth.token_endpoint import TokenRequestError
from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.credentials import Credentials, Headers
from flyte_rpc.entities.reconnecting import resuming
from flyte_rpc.errors import AuthenticationError
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from rpc.auth.conftest import Clock, Flows
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note
from support.oauth_server import HTML, OAuthServer

ME = Identity("https://flyte.example.com:443", "Pkce", "people", ("all",), "", "")


class Scripted:
    """A flow whose tokens are numbered, and which waits where a test wants it to."""

    name = "Scripted"

    def __init__(
        self, clock: Callable[[], float], *, lifetime: float | None = 100.0, interactive: bool = False
    ) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.interactive = interactive
        self.log_ins = 0
        self.refreshed: list[str] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.log_in_failure: Exception | None = None
        self.refresh_failure: Exception | None = None

    def log_in(self) -> Tokens:
        self.log_ins += 1
        self.entered.set()
        assert self.go_on.wait(30)
        if self.log_in_failure is not None:
            raise self.log_in_failure
        return self._tokens(f"log-in-{self.log_ins}")

    def refresh(self, refresh_token: str) -> Tokens:
        self.refreshed.append(refresh_token)
        if self.refresh_failure is not None:
            raise self.refresh_failure
        return self._tokens(f"refreshed-{len(self.refreshed)}")

    def _tokens(self, text: str) -> Tokens:
        return Tokens(
            access_token=text, refresh_token=f"refresh-after-{text}", lifetime=self.lifetime, received=self.clock()
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flow(clock: Clock) -> Scripted:
    return Scripted(clock)


@pytest.fixture
def session(flow: Scripted, clock: Clock) -> OAuthCredentials:
    return OAuthCredentials(flow, label="flyte.example.com", clock=clock)


async def token(session: Credentials) -> str:
    [(name, value)] = await session.headers()
    assert name == "authorization"
    return value.removeprefix("Bearer ")


def bearer(text: str) -> Headers:
    return (("authorization", f"Bearer {text}"),)


class TestWithoutAPerson:
    """`interactive=False` beside a session in which a person is logging in."""

    @pytest.fixture
    def flow(self, clock: Clock) -> Scripted:
        return Scripted(clock, interactive=True)

    @pytest.fixture
    def store(self, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> TokenStore:
        monkeypatch.setitem(sys.modules, "keyring", None)
        return TokenStore(ME, "flyte-remote", folder=tmp_path / "tokens", clock=clock, wall=clock)

    @pytest.fixture
    def unattended(self, flow: Scripted, clock: Clock, store: TokenStore) -> OAuthCredentials:
        return OAuthCredentials(
            flow, label="flyte.example.com", store=store, interactive=False, renewal_seconds=0.01, clock=clock
        )

    async def test_it_does_not_wait_for_the_person(self, unattended: OAuthCredentials, store: TokenStore) -> None:
        with store.locked(1), pytest.raises(AuthenticationError, match=r"Somebody is logging in to flyte.example.com"):
            await unattended.headers()

    async def test_a_stored_token_needs_no_lock(self, unattended: OAuthCredentials, store: TokenStore) -> None:
        store.write(Tokens(access_token="stored"))
        with store.locked(1):
            assert await token(unattended) == "stored"

    async def test_a_token_that_is_due_is_used_until_it_expires(
        self, unattended: OAuthCredentials, store: TokenStore, clock: Clock
    ) -> None:
        store.write(Tokens(access_token="stored", lifetime=100.0, received=clock()))
        clock.now += 90
        with store.locked(1):
            assert await token(unattended) == "stored"
            clock.now += 20
            with pytest.raises(AuthenticationError, match="Somebody is logging in"):
                await unattended.headers()

    async def test_a_renewal_of_another_session_is_waited_for(
        self, flow: Scripted, clock: Clock, store: TokenStore
    ) -> None:
        waiting = threading.Event()

        class Watched(TokenStore):
            def read(self) -> Tokens | None:
                waiting.set()  # the session reads before it waits for the lock
                return super().read()

        watched = Watched(ME, "flyte-remote", folder=store._where(), clock=clock, wall=clock)
        session = OAuthCredentials(flow, label="x", store=watched, interactive=False, renewal_seconds=30, clock=clock)
        with store.locked(1):
            asked = asyncio.create_task(token(session))
            await asyncio.to_thread(waiting.wait, 30)
            store.write(Tokens(access_token="renewed"))
        assert await asked == "renewed"


async def test_log_out_forgets_the_tokens(
    tmp_path: Path, flow: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    store = TokenStore(ME, "flyte-remote", folder=tmp_path / "tokens", clock=clock, wall=clock)
    session = OAuthCredentials(flow, label="x", store=store, clock=clock)
    assert await token(session) == "log-in-1"
    session.log_out()
    assert store.read() is None
    assert (await token(session), flow.refreshed) == ("log-in-2", [])


async def test_a_log_in_is_shared_by_threads_and_loops(session: OAuthCredentials, flow: Scripted) -> None:
    flow.go_on.clear()
    first = asyncio.create_task(token(session))
    await asyncio.to_thread(flow.entered.wait, 30)
    with ThreadPoolExecutor(10) as pool:
        others = [pool.submit(asyncio.run, token(session)) for _ in range(10)]
        ticked = asyncio.Event()
        asyncio.get_running_loop().call_soon(ticked.set)
        await ticked.wait()  # the loop goes on meanwhile
        flow.go_on.set()
        assert {await asyncio.wrap_future(other) for other in others} == {"log-in-1"}
    assert (await first, flow.log_ins) == ("log-in-1", 1)


async def test_a_caller_that_gives_up_leaves_the_log_in_to_the_others(
    session: OAuthCredentials, flow: Scripted
) -> None:
    flow.go_on.clear()
    impatient = asyncio.create_task(token(session))
    await asyncio.to_thread(flow.entered.wait, 30)
    patient = asyncio.create_task(token(session))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    flow.go_on.set()
    assert (await patient, flow.log_ins) == ("log-in-1", 1)


async def test_a_failure_is_raised_to_each_caller_as_an_error_of_its_own(
    session: OAuthCredentials, flow: Scripted
) -> None:
    flow.log_in_failure = AuthenticationError("denied")
    errors = await asyncio.gather(token(session), token(session), return_exceptions=True)
    assert [str(error) for error in errors] == ["denied", "denied"]
    assert errors[0] is not errors[1]
    flow.log_in_failure = None
    assert await token(session) == f"log-in-{flow.log_ins}"


class TestExpiry:
    async def test_renewed_shortly_before(self, session: OAuthCredentials, flow: Scripted, clock: Clock) -> None:
        assert await token(session) == "log-in-1"
        clock.now += 79
        assert (await token(session), flow.refreshed) == ("log-in-1", [])
        clock.now += 1  # a fifth of the lifetime is left
        assert (await token(session), flow.refreshed) == ("refreshed-1", ["refresh-after-log-in-1"])

    async def test_a_long_lifetime(self, session: OAuthCredentials, flow: Scripted, clock: Clock) -> None:
        flow.lifetime = 3600
        await token(session)
        clock.now += 3539
        assert await token(session) == "log-in-1"
        clock.now += 1
        assert await token(session) == "refreshed-1"

    async def test_no_expiry(self, session: OAuthCredentials, flow: Scripted, clock: Clock) -> None:
        flow.lifetime = None
        await token(session)
        clock.now += 1e9
        assert await token(session) == "log-in-1"

    async def test_a_renewal_that_fails_for_now(
        self, session: OAuthCredentials, flow: Scripted, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        await token(session)
        clock.now += 85
        flow.refresh_failure = TokenRequestError("no route", transient=True)
        with caplog.at_level(logging.WARNING, "flyte_rpc.auth"):
            assert [await token(session) for _ in range(3)] == ["log-in-1"] * 3
        warned = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(flow.refreshed) == len(warned) == 1  # the second attempt comes after a pause
        clock.now += 5
        await token(session)
        assert len(flow.refreshed) == 2
        clock.now += 10
        with pytest.raises(AuthenticationError, match="no route"):
            await token(session)
        flow.refresh_failure = None
        assert await token(session) == "refreshed-4"


class TestRejection:
    async def test_renewed_once(self, session: OAuthCredentials, flow: Scripted) -> None:
        await token(session)
        assert await asyncio.gather(*(session.renew(bearer("log-in-1")) for _ in range(10))) == [True] * 10
        assert (await token(session), len(flow.refreshed)) == ("refreshed-1", 1)

    async def test_newer_tokens_need_no_renewal(self, session: OAuthCredentials, flow: Scripted) -> None:
        await token(session)
        assert await session.renew(bearer("an-older-one"))
        assert (await token(session), flow.refreshed) == ("log-in-1", [])

    async def test_a_refused_refresh_token(self, session: OAuthCredentials, flow: Scripted) -> None:
        await token(session)
        flow.refresh_failure = TokenRequestError("gone", code="invalid_grant")
        assert await session.renew(bearer("log-in-1"))
        assert await token(session) == "log-in-2"

    async def test_an_unknown_client_is_not_asked_to_log_in(self, session: OAuthCredentials, flow: Scripted) -> None:
        await token(session)
        flow.refresh_failure = TokenRequestError("unknown client", code="invalid_client")
        with pytest.raises(AuthenticationError, match="unknown client"):
            await session.renew(bearer("log-in-1"))
        assert flow.log_ins == 1

    async def test_nobody_to_ask(self, clock: Clock) -> None:
        flow = Scripted(clock, interactive=True)
        session = OAuthCredentials(flow, label="flyte.example.com", interactive=False, clock=clock)
        with pytest.raises(AuthenticationError, match="Log in once with interactive=True on this machine"):
            await token(session)
        assert flow.log_ins == 0


class TestStored:
    @pytest.fixture(autouse=True)
    def no_keyring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flyte_rpc.auth.storage.keyrings._keyring", lambda: None)

    def store(self, folder: Path, clock: Clock, identity: Identity = ME, wall: float = 0.0) -> TokenStore:
        return TokenStore(
            identity, "flyte-remote", folder=folder / "tokens", clock=clock, wall=lambda: clock.now + wall
        )

    def session(self, flow: Scripted, store: TokenStore, clock: Clock) -> OAuthCredentials:
        return OAuthCredentials(flow, label="flyte.example.com", store=store, clock=clock)

    async def test_the_next_program_needs_no_log_in(self, flow: Scripted, clock: Clock, tmp_path: Path) -> None:
        await token(self.session(flow, self.store(tmp_path, clock), clock))
        assert await token(self.session(flow, self.store(tmp_path, clock), clock)) == "log-in-1"
        assert flow.log_ins == 1

    async def test_what_another_process_renewed_is_used(self, flow: Scripted, clock: Clock, tmp_path: Path) -> None:
        one, two = (self.session(flow, self.store(tmp_path, clock), clock) for _ in range(2))
        await token(one)
        await token(two)
        await one.renew(bearer("log-in-1"))
        assert await two.renew(bearer("log-in-1"))
        assert (await token(two), len(flow.refreshed)) == ("refreshed-1", 1)

    async def test_identities_never_mix(self, flow: Scripted, clock: Clock, tmp_path: Path) -> None:
        changes = [{"subject": "ben"}, {"scopes": ()}, {"client_id": "x"}, {"audience": "x"}, {"flow": "DeviceFlow"}]
        identities = [ME, *(ME._replace(**change) for change in changes), ME._replace(endpoint="https://x:443")]
        sessions = [self.session(flow, self.store(tmp_path, clock, each), clock) for each in identities]
        assert len({await token(each) for each in sessions}) == len(sessions)
        again = [self.session(flow, self.store(tmp_path, clock, each), clock) for each in identities]
        assert [await token(each) for each in again] == [f"log-in-{n}" for n in range(1, len(sessions) + 1)]

    @pytest.mark.parametrize(("skew", "log_ins"), [(0.0, 0), (79.0, 0), (80.0, 1), (-1e6, 0)])
    async def test_the_wall_clock_moves(
        self, flow: Scripted, clock: Clock, tmp_path: Path, skew: float, log_ins: int
    ) -> None:
        await token(self.session(flow, self.store(tmp_path, clock), clock))
        await token(self.session(flow, self.store(tmp_path, clock, wall=skew), clock))
        assert len(flow.refreshed) == log_ins

    async def test_a_refused_refresh_token_is_forgotten(self, flow: Scripted, clock: Clock, tmp_path: Path) -> None:
        await token(self.session(flow, self.store(tmp_path, clock), clock))
        flow.refresh_failure = TokenRequestError("gone", code="invalid_grant")
        flow.log_in_failure = AuthenticationError("not now")
        session = self.session(flow, self.store(tmp_path, clock), clock)
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="not now"):
                await session.renew(bearer("log-in-1"))
        assert len(flow.refreshed) == 1


async def test_repr_and_pickling(session: OAuthCredentials) -> None:
    await token(session)
    assert repr(session) == "OAuthCredentials('flyte.example.com', Scripted)"
    assert "log-in-1" not in repr(await asyncio.to_thread(lambda: session._tokens))
    with pytest.raises(TypeError, match="hold tokens"):
        pickle.dumps(session)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_logs_in_itself(clock: Clock) -> None:
    flow = Scripted(clock)
    flow.go_on.clear()
    session = OAuthCredentials(flow, label="x", clock=clock)
    thread = threading.Thread(target=asyncio.run, args=(token(session),))
    thread.start()
    assert flow.entered.wait(30)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            flow.go_on.set()
            os.write(writer, asyncio.run(token(session)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert said.read() == "log-in-2"
    os.waitpid(child, 0)
    flow.go_on.set()
    thread.join()


class TestCalls:
    """An echo server that accepts what the authorization server has issued."""

    @pytest.fixture
    async def client(self, flows: Flows, oauth: OAuthServer) -> AsyncGenerator[Client, None]:
        def guard(call: ServerCall) -> None:
            if call.metadata.get("authorization", "").removeprefix("Bearer ") not in oauth.valid:
                abort(Status.UNAUTHENTICATED, "the token is not valid")

        session = OAuthCredentials(flows.pkce(), label="echo")
        async with (
            await serve([EchoServer()], authenticate=guard) as server,
            Client(server.endpoint, credentials=session, timeout=20, retry=AT_ONCE) as client,
        ):
            yield client

    async def test_calls_and_streams_log_in_once(self, client: Client, oauth: OAuthServer) -> None:
        async def count() -> int:
            return len([note async for note in stream(client, Echo.COUNT, Note(to=3))])

        async def write() -> int:
            return int((await unary(client, Echo.WRITE, Note(n=3))).n)

        assert await asyncio.gather(*(each() for each in (count, write) for _ in range(5))) == [3] * 10
        assert oauth.grants == {"authorization_code": 1}

    async def test_revoked_tokens_are_renewed(self, client: Client, oauth: OAuthServer) -> None:
        await unary(client, Echo.SAY, Note())
        oauth.revoke()
        await asyncio.gather(*(unary(client, Echo.WRITE, Note(n=n)) for n in range(10)))
        assert oauth.grants == {"authorization_code": 1, "refresh_token": 1}

    async def test_expiry_in_the_middle_of_a_watch(self, client: Client, oauth: OAuthServer) -> None:
        requests = iter([Note(to=2, status="UNAUTHENTICATED"), Note(to=3, hang=True)])
        notes = resuming(lambda: stream(client, Echo.COUNT, next(requests)), label="a watch", backoff=AT_ONCE)
        assert [(await anext(notes)).n for _ in range(2)] == [0, 1]
        oauth.revoke()
        assert [(await anext(notes)).n for _ in range(3)] == [0, 1, 2]
        await notes.aclose()
        assert oauth.grants == {"authorization_code": 1, "refresh_token": 1}

    async def test_a_refused_refresh_leads_to_a_new_log_in(self, client: Client, oauth: OAuthServer) -> None:
        await unary(client, Echo.SAY, Note())
        oauth.revoke()
        oauth.refresh_tokens.clear()
        await unary(client, Echo.SAY, Note())
        assert oauth.grants == {"authorization_code": 2, "refresh_token": 1}

    async def test_a_token_endpoint_that_answers_with_a_page(self, client: Client, oauth: OAuthServer) -> None:
        await unary(client, Echo.SAY, Note())
        oauth.revoke()
        oauth.fault = lambda path, form: HTML if path == "/token" else None
        with pytest.raises(AuthenticationError, match="answers with an HTML page"):
            await unary(client, Echo.SAY, Note())

    async def test_two_identities_at_once(self, flows: Flows, oauth: OAuthServer) -> None:
        people = OAuthCredentials(flows.pkce(), label="echo")
        others = OAuthCredentials(flows.pkce(client_id="others"), label="echo")
        one, two = await asyncio.gather(token(people), token(others))
        assert one != two and oauth.grants == {"authorization_code": 2}
        oauth.revoke()
        await asyncio.gather(people.renew(bearer(one)), others.renew(bearer(two)))
        assert sorted(oauth.refresh_tokens.values()) == ["others", "people"]
