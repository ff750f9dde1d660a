from __future__ import annotations

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flyte import errors
from flyte._client import current_client, resolve_client, use_client
from flyte_api.registry import registry
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import CallRecord, Client, Token
from flyte_rpc.calls.scope import Scope
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.sync import bridge
from flyte_rpc.version import VERSION
from support.echo import Echo, EchoServer, Note


def say(client: Client, n: int) -> int:
    """A blocking call."""
    return int(bridge.run(unary(client, Echo.SAY, Note(n=n))).n)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"endpoint": "ftp://h"}, "is not an endpoint"),
        ({"timeout": 0}, "positive number of seconds"),
        ({"page_size": 0}, "at least 1"),
        ({"token": "a\nb"}, "line break"),
        ({"metadata": [("X-Team", "a")]}, "lower-case"),
        ({"metadata": [("grpc-timeout", "1S")]}, "grpc-timeout"),
        ({"metadata": [("authorization", "x")]}, "sets itself"),
        ({"metadata": [("x-team", "ä")]}, "printable ASCII"),
    ],
)
def test_bad_settings_are_refused_at_once(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Client(**{"endpoint": "http://h:1", **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"token": b"hunter2"}, "token takes a string or a function that returns one, not bytes"),
        ({"token": 5}, "not int"),
        ({"metadata": [("x-team", b"hunter2")]}, "tuples of strings, not tuple"),
        ({"metadata": [("x-team",)]}, "tuples of strings"),
        ({"metadata": {"x-team": "hunter2"}}, "tuples of strings, not str"),
        ({"org": 5}, "org takes text, not int"),
        ({"project": 5}, "project takes text, not int"),
        ({"domain": 5}, "domain takes text, not int"),
    ],
)
def test_settings_of_another_type_are_refused_at_once(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint) as caught:
        Client(**{"endpoint": "http://h:1", **arguments})  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


async def a_number() -> int:
    return 5


@pytest.mark.parametrize(
    ("token", "given"), [(lambda: b"hunter2", "bytes"), (lambda: None, "NoneType"), (a_number, "int")]
)
async def test_a_function_has_to_return_the_token_as_text(
    token: Token, given: str, echo: EchoServer, server: RunningServer
) -> None:
    async with Client(server.endpoint, token=token) as client:
        with pytest.raises(TypeError, match=f"a function that returns one, not {given}") as caught:
            await unary(client, Echo.SAY, Note(n=1))
    assert "hunter2" not in str(caught.value)


def test_shows_itself_without_the_token() -> None:
    client = Client("localhost:8090", token="hunter2", project="p", domain="d")
    assert repr(client) == "Client('http://localhost:8090', project='p', domain='d')"


def test_a_token_in_clear_text_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Client("http://127.0.0.1:1", token="hunter2")
    Client("https://flyte.example", token="hunter2")
    assert not caplog.records
    Client("http://flyte.example", token="hunter2")
    assert "cleartext" in caplog.text and "hunter2" not in caplog.text


def test_scope() -> None:
    client = Client("localhost:1", org="o", project="p")
    assert client.scope("q", "d") == Scope("o", "q", "d")
    with pytest.raises(
        errors.InitializationError, match=r"No domain is set\. Pass domain=\.\.\. to this call, or once to"
    ):
        client.scope()
    with pytest.raises(errors.InitializationError, match="No project and no domain"):
        Client("localhost:1").scope()


def test_cannot_be_pickled_and_says_why() -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled; create a new one"):
        pickle.dumps(Client("localhost:1"))


async def test_a_closed_client_refuses_calls(client: Client) -> None:
    await unary(client, Echo.SAY, Note())
    await client.aclose()
    await client.aclose()
    client.close()
    with pytest.raises(errors.InitializationError, match="is closed"):
        await unary(client, Echo.SAY, Note())


async def test_closing_waits_for_the_socket(echo: EchoServer, server: RunningServer) -> None:
    async with Client(server.endpoint) as client:
        await unary(client, Echo.SAY, Note())
    gc.collect()
    assert client.closed


async def test_each_event_loop_has_its_connection(echo: EchoServer, server: RunningServer) -> None:
    with Client(server.endpoint, timeout=20) as client:

        def elsewhere(n: int) -> int:
            async def call() -> int:
                return int((await unary(client, Echo.SAY, Note(n=n))).n)

            return asyncio.run(call())

        assert (await unary(client, Echo.SAY, Note(n=1))).n == 1
        assert (await unary(client, Echo.SAY, Note(n=2))).n == 2
        assert await asyncio.to_thread(elsewhere, 3) == 3
        assert await asyncio.to_thread(elsewhere, 4) == 4
        assert await asyncio.to_thread(say, client, 5) == 5
        assert await asyncio.to_thread(say, client, 6) == 6
    peers = [call.peer for call in echo.calls]
    assert peers[0] == peers[1]
    assert peers[4] == peers[5]
    assert len({peers[0], peers[2], peers[3], peers[4]}) == 4


async def test_closed_event_loops_are_forgotten(server: RunningServer) -> None:
    with Client(server.endpoint, timeout=20) as client:

        async def call() -> None:
            await unary(client, Echo.SAY, Note())

        for _ in range(5):
            await asyncio.to_thread(asyncio.run, call())
        await call()
        assert len(client._pool._transports) == 1


async def test_the_connection_ends_with_its_event_loop(echo: EchoServer, server: RunningServer) -> None:
    client = Client(server.endpoint, timeout=20)

    async def call() -> None:
        await unary(client, Echo.SAY, Note())

    await asyncio.to_thread(asyncio.run, call())
    async with asyncio.timeout(20):
        while server.connections:
            await asyncio.sleep(0)


async def test_ten_threads_share_a_client(echo: EchoServer, server: RunningServer) -> None:
    def work(client: Client) -> list[int]:
        with ThreadPoolExecutor(10) as pool:
            return list(pool.map(lambda n: say(client, n), range(200)))

    with Client(server.endpoint, timeout=20) as client:
        assert await asyncio.to_thread(work, client) == list(range(200))
    assert len({call.peer for call in echo.calls}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
async def test_a_forked_child_connects_by_itself(echo: EchoServer, server: RunningServer) -> None:
    def fork_and_call(client: Client) -> int:
        assert say(client, 1) == 1
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if say(client, 2) == 2 else 1)
            except BaseException:
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with Client(server.endpoint, timeout=20) as client:
        assert await asyncio.to_thread(fork_and_call, client) == 0
        assert await asyncio.to_thread(say, client, 3) == 3
    assert echo.calls[0].peer == echo.calls[2].peer != echo.calls[1].peer


def test_which_client_is_current() -> None:
    default, other = Client("localhost:1"), Client("localhost:2")
    assert registry.default is None
    with pytest.raises(errors.InitializationError, match=r"flyte\.init\(.*flyte\.devbox\.start\(\)"):
        current_client()
    registry.set_default(default)
    try:
        assert current_client() is default
        with use_client(other) as used:
            assert current_client() is used is other
            assert resolve_client(default) is default
            seen: list[Client] = []
            thread = threading.Thread(target=lambda: seen.append(current_client()))
            thread.start()
            thread.join()
            assert seen == [default], "another thread has its own context"
        assert current_client() is default
    finally:
        registry.set_default(None)


def test_the_override_reaches_blocking_calls() -> None:
    async def find() -> Client:
        return current_client()

    with use_client(Client("localhost:1")) as used:
        assert bridge.run(find()) is used


HEAVY = ("grpclib", "h2", "betterproto2", "rich", "httpx", "click", "jinja2")


def test_the_transport_is_imported_by_the_first_connection_only() -> None:
    program = (
        "import sys, flyte_rpc.calls.client, flyte_rpc.calls.call_path, flyte_rpc.entities.pager, flyte_rpc.entities.watch, "
        "flyte_rpc.entities.stream, flyte_rpc.sync.bridge, flyte_rpc.sync.decorators, flyte.errors\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_looks_up_no_metadata_of_this_distribution() -> None:
    """Vendored and frozen programs have none."""
    program = (
        "import importlib.metadata as m\n"
        "found = m.version\n"
        "def version(name):\n"
        "    assert not name.startswith('flyte'), 'looked up'\n"
        "    return found(name)\n"
        "m.version = version\n"
        "import flyte, flyte.remote, flyte.devbox, flyte_codegen, flyte_rpc.transports.grpc\n"
        "from flyte.remote import Run\n"
        "print(flyte.Client.user_agent.partition(' ')[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"flyte-remote/{VERSION}"]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"retry": 3}, "retry takes a Backoff, not int"),
        ({"on_call": 3}, "on_call takes a function or several, not int"),
        ({"on_call": [3]}, "on_call takes a function or several, not list"),
        ({"ssl_context": True}, "ssl_context takes an ssl.SSLContext, not bool"),
        ({"transport": 3}, "transport"),
    ],
)
def test_settings_of_other_types_are_refused_at_once(settings: dict[str, Any], shown: str) -> None:
    with pytest.raises(TypeError, match=shown):
        Client("http://127.0.0.1:1", **settings)


async def test_an_observer_that_raises_fails_no_call(server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    def observe(record: CallRecord) -> None:
        raise RuntimeError("observer")

    async with Client(server.endpoint, on_call=observe) as client:
        assert (await unary(client, Echo.SAY, Note(n=1))).n == 1
    assert "on_call raised for test.Echo/Say" in caplog.text
