"""Credentials that are renewed when the server rejects them: the call goes on, and is sent twice at most."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextvars import ContextVar

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.credentials import BearerToken, Credentials, OnDemand, TokenFunction
from flyte_rpc.calls.metadata import auth_metadata
from flyte_rpc.entities.reconnecting import resuming
from flyte_rpc.errors import AuthenticationError
from flyte_rpc.serving.server import RunningServer, ServerCall, Status, abort, serve
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note


class Guard:
    """Accepts the tokens in `valid`, and counts what it turns away."""

    def __init__(self, *valid: str) -> None:
        self.valid = {f"Bearer {token}" for token in valid}
        self.rejected = 0

    def __call__(self, call: ServerCall) -> None:
        if call.metadata.get("authorization") not in self.valid:
            self.rejected += 1
            abort(Status.UNAUTHENTICATED, f"expired: {call.metadata.get('authorization')}")


class Session:
    """Credentials whose tokens are numbered."""

    def __init__(self, *, renewable: bool = True) -> None:
        self.number = 1
        self.renewals = 0
        self.renewable = renewable

    async def headers(self) -> Sequence[tuple[str, str]]:
        return (("authorization", f"Bearer token-number-{self.number}"),)

    async def renew(self, rejected: Sequence[tuple[str, str]]) -> bool:
        if not self.renewable:
            return False
        if tuple(rejected) == tuple(await self.headers()):
            self.number += 1
            self.renewals += 1
        return True


@pytest.fixture
def guard() -> Guard:
    return Guard("token-number-2")


@pytest.fixture
async def server(echo: EchoServer, guard: Guard) -> AsyncGenerator[RunningServer, None]:
    async with await serve([echo], authenticate=guard) as running:
        yield running


Make = Callable[..., Client]


@pytest.fixture
async def make(server: RunningServer) -> AsyncGenerator[Make, None]:
    made: list[Client] = []

    def client(**settings: object) -> Client:
        made.append(Client(server.endpoint, **{"timeout": 20, "retry": AT_ONCE, **settings}))  # type: ignore[arg-type]
        return made[-1]

    yield client
    for each in made:
        await each.aclose()


@pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
async def test_a_call_is_sent_again_with_new_credentials(
    make: Make, guard: Guard, echo: EchoServer, rpc: object
) -> None:
    session, records = Session(), list[CallRecord]()
    client = make(credentials=session, on_call=records.append)
    assert (await unary(client, rpc, Note(n=1))).n == 1  # type: ignore[arg-type]
    assert (session.renewals, guard.rejected, len(echo.calls)) == (1, 1, 1)
    assert [record.attempt for record in records] == [1, 2]
    assert len({record.request_id for record in records}) == 1


async def test_many_calls_at_once_renew_once(make: Make, guard: Guard) -> None:
    session = Session()
    await asyncio.gather(*(unary(make(credentials=session), Echo.WRITE, Note(n=n)) for n in range(50)))
    assert session.renewals == 1


async def test_credentials_that_are_rejected_twice_are_an_error(make: Make, guard: Guard) -> None:
    guard.valid.clear()
    with pytest.raises(errors.UnauthenticatedError) as raised:
        await unary(make(credentials=Session()), Echo.SAY, Note())
    assert (guard.rejected, raised.value.attempts) == (2, 2)
    assert "token-number" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("given", "calls"), [(Session(renewable=False), 1), (BearerToken("stale-token"), 1), (None, 1)]
)
async def test_what_cannot_be_renewed_is_sent_once(
    make: Make, guard: Guard, given: Credentials | None, calls: int
) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        await unary(make(credentials=given), Echo.SAY, Note())
    assert guard.rejected == calls


async def test_a_failed_renewal_is_raised(make: Make) -> None:
    class Broken(Session):
        async def renew(self, rejected: Sequence[tuple[str, str]]) -> bool:
            raise AuthenticationError("the refresh token has expired; log in again")

    with pytest.raises(AuthenticationError, match="log in again"):
        await unary(make(credentials=Broken()), Echo.SAY, Note())


async def test_the_time_of_a_log_in_does_not_count(make: Make) -> None:
    class Slow(Session):
        async def renew(self, rejected: Sequence[tuple[str, str]]) -> bool:
            await asyncio.sleep(0.6)
            return await super().renew(rejected)

    assert (await unary(make(credentials=Slow(), timeout=0.5), Echo.SAY, Note(n=1))).n == 1


async def test_a_block_with_its_own_credentials_is_not_renewed(make: Make, guard: Guard) -> None:
    session = Session()
    with auth_metadata(("authorization", "Bearer somebody-else")), pytest.raises(errors.UnauthenticatedError):
        await unary(make(credentials=session), Echo.SAY, Note())
    assert (session.renewals, guard.rejected) == (0, 1)


class TestStreams:
    async def test_a_rejected_stream_is_opened_again(self, make: Make, guard: Guard) -> None:
        session = Session()
        found = [note.n async for note in stream(make(credentials=session), Echo.COUNT, Note(to=3))]
        assert found == [0, 1, 2]
        assert (session.renewals, guard.rejected) == (1, 1)

    async def test_a_stream_that_is_rejected_twice(self, make: Make, guard: Guard) -> None:
        guard.valid.clear()
        with pytest.raises(errors.UnauthenticatedError):
            await anext(stream(make(credentials=Session()), Echo.COUNT, Note(to=3)))
        assert guard.rejected == 2

    async def test_expiry_in_the_middle_reconnects_a_watch(self, make: Make, echo: EchoServer) -> None:
        session = Session()
        session.number = 2
        client = make(credentials=session)
        requests = iter([Note(to=2, status="UNAUTHENTICATED"), Note(to=3, hang=True)])

        def subscribe() -> AsyncGenerator[Note, None]:
            return stream(client, Echo.COUNT, next(requests))

        guarded = resuming(subscribe, label="a watch", backoff=AT_ONCE)
        guard_of_session(session)
        assert [(await anext(guarded)).n for _ in range(5)] == [0, 1, 0, 1, 2]
        await guarded.aclose()

    async def test_expiry_in_the_middle_ends_a_watch_without_renewal(self, make: Make) -> None:
        client = make(token="token-number-2")
        guarded = resuming(
            lambda: stream(client, Echo.COUNT, Note(to=1, status="UNAUTHENTICATED")), label="a watch", backoff=AT_ONCE
        )
        assert (await anext(guarded)).n == 0
        with pytest.raises(errors.UnauthenticatedError):
            await anext(guarded)


def guard_of_session(session: Session) -> None:
    """Renewals give the same token again: the server rejected it in the middle of a stream, and takes it later."""
    session.renew = lambda rejected: _true()  # type: ignore[method-assign]


async def _true() -> bool:
    return True


class TestTokenFunctions:
    async def test_it_is_asked_again_when_its_token_is_rejected(self, make: Make, guard: Guard) -> None:
        tokens = iter(["token-number-1", *["token-number-2"] * 3])
        client = make(token=lambda: next(tokens))
        assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
        assert guard.rejected == 1
        assert (await unary(client, Echo.WRITE, Note(n=2))).n == 2

    async def test_the_same_token_again_is_not_sent(self, make: Make, guard: Guard) -> None:
        with pytest.raises(errors.UnauthenticatedError):
            await unary(make(token=lambda: "stale-token"), Echo.WRITE, Note())
        assert guard.rejected == 1

    async def test_it_may_be_a_coroutine_function(self, make: Make) -> None:
        async def token() -> str:
            await asyncio.sleep(0)
            return "token-number-2"

        assert (await unary(make(token=token), Echo.SAY, Note(n=1))).n == 1

    async def test_what_it_raises_is_raised(self, make: Make) -> None:
        def broken() -> str:
            raise LookupError("the vault is closed")

        with pytest.raises(LookupError, match="the vault is closed"):
            await unary(make(token=broken), Echo.SAY, Note())

    async def test_an_iterator_that_ends_does_not_stop_the_call_for_ever(self, make: Make) -> None:
        empty: Iterator[str] = iter(())
        with pytest.raises(RuntimeError, match="StopIteration"):
            await unary(make(token=lambda: next(empty)), Echo.SAY, Note())

    async def test_a_blocking_one_does_not_stop_other_calls(self, make: Make) -> None:
        release = threading.Event()

        def slow() -> str:
            assert release.wait(20)
            return "token-number-2"

        waiting = asyncio.create_task(unary(make(token=slow), Echo.SAY, Note(n=1)))
        assert (await unary(make(token="token-number-2"), Echo.SAY, Note(n=2))).n == 2
        assert not waiting.done()
        release.set()
        assert (await waiting).n == 1

    async def test_one_that_does_not_return(self, make: Make) -> None:
        async def hanging() -> str:
            await asyncio.Event().wait()
            raise AssertionError

        with pytest.raises(AuthenticationError, match=r"hanging has not returned within 0\.01 s\. .* timeout"):
            await unary(make(credentials=TokenFunction(hanging, seconds=0.01)), Echo.SAY, Note())

    async def test_its_own_timeout_is_raised(self, make: Make) -> None:
        async def impatient() -> str:
            raise TimeoutError("the vault does not answer")

        with pytest.raises(TimeoutError, match="the vault"):
            await unary(make(token=impatient), Echo.SAY, Note())

    async def test_it_sees_the_context_of_the_call(self, make: Make) -> None:
        tenant = ContextVar[str]("tenant")
        tenant.set("2")
        assert (await unary(make(token=lambda: f"token-number-{tenant.get()}"), Echo.SAY, Note(n=1))).n == 1


class TestOnDemand:
    async def test_they_are_created_when_the_server_asks(self, make: Make, guard: Guard, echo: EchoServer) -> None:
        made = list[BearerToken]()

        def create() -> BearerToken:
            made.append(BearerToken("token-number-2"))
            return made[-1]

        client = make(credentials=OnDemand(create))
        for n in range(3):
            assert (await unary(client, Echo.WRITE, Note(n=n))).n == n
        assert (len(made), guard.rejected, len(echo.calls)) == (1, 1, 3)

    async def test_they_are_not_created_for_an_open_server(self) -> None:
        def create() -> BearerToken:
            raise AssertionError

        async with (
            await serve([EchoServer()]) as open_server,
            Client(open_server.endpoint, credentials=OnDemand(create)) as client,
        ):
            assert (await unary(client, Echo.SAY, Note(n=1))).n == 1

    async def test_they_are_renewed_as_any_others(self, make: Make, guard: Guard) -> None:
        assert (await unary(make(credentials=OnDemand(Session)), Echo.WRITE, Note(n=1))).n == 1
        assert guard.rejected == 2  # the anonymous attempt, and the token from before the renewal

    async def test_the_call_is_sent_three_times_at_most(self, make: Make, guard: Guard) -> None:
        guard.valid.clear()
        with pytest.raises(errors.UnauthenticatedError):
            await unary(make(credentials=OnDemand(Session)), Echo.WRITE, Note())
        assert guard.rejected == 3

    async def test_a_failed_log_in_is_raised_and_tried_again_by_the_next_call(self, make: Make) -> None:
        outcomes = iter([AuthenticationError("denied"), None])

        def create() -> BearerToken:
            if failure := next(outcomes):
                raise failure
            return BearerToken("token-number-2")

        client = make(credentials=OnDemand(create))
        with pytest.raises(AuthenticationError, match="denied"):
            await unary(client, Echo.SAY, Note(n=1))
        assert (await unary(client, Echo.SAY, Note(n=1))).n == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-team", "a\r\nx-admin: 1"),
        ("X-Team", "a"),
        ("host", "elsewhere"),
        ("connection", "close"),
        ("x-request-id", "mine"),
        ("grpc-timeout", "1S"),
        (":path", "/other"),
        ("authorization", "Bearer hunter2\n"),
        ("authorization", ""),
    ],
)
async def test_headers_that_cannot_be_sent(make: Make, echo: EchoServer, name: str, value: str) -> None:
    class Custom(Session):
        async def headers(self) -> Sequence[tuple[str, str]]:
            return ((name, value),)

    with pytest.raises(ValueError, match=rf"Custom.headers\(\).*{name}") as raised:
        await unary(make(credentials=Custom()), Echo.WRITE, Note())
    assert "hunter2" not in str(raised.value)
    assert not echo.calls


async def test_headers_of_the_wrong_type(make: Make) -> None:
    class Custom(Session):
        async def headers(self) -> Sequence[tuple[str, str]]:
            return ("authorization: Bearer t",)  # type: ignore[return-value]

    with pytest.raises(TypeError, match=r"Custom.headers\(\) takes \(name, value\) tuples"):
        await unary(make(credentials=Custom()), Echo.SAY, Note())


def test_arguments() -> None:
    with pytest.raises(TypeError, match="token= or credentials=, not both"):
        Client("http://x", token="t", credentials=Session())
    with pytest.raises(TypeError, match=r"an object with headers\(\) and renew\(\), not str"):
        Client("http://x", credentials="t")  # type: ignore[arg-type]
    assert "hunter2" not in repr(Client("http://x", token="hunter2").settings)
    assert isinstance(TokenFunction(lambda: "t"), Credentials)
