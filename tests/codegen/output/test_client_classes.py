"""Client classes: every RPC that the client does not stream to, with whole messages, against a served fragment."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from flyte.errors import DeadlineExceededError, InitializationError, NotFoundError
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from support.fragments import Fragment, importable, proto

BODY = """
message Item { string id = 1; }
message Other {}
// Keeps items. Carefully.
service Depot {
  // Fetches an item.
  //
  // More about it.
  rpc GetItem(Item) returns (Item);
  rpc Client(Item) returns (Item);
  rpc WatchItem(Item) returns (stream Item);
  rpc Old(Item) returns (Item) { option deprecated = true; }
  rpc Upload(stream Item) returns (Item);
}
service Uploads { rpc Upload(stream Item) returns (Item); }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragment]:
    root = tmp_path_factory.mktemp("depot")
    with importable(root):
        yield Fragment(root, {"test/test.proto": proto(BODY)}).generate()


@pytest.fixture
async def client(made: Fragment) -> AsyncGenerator[Client, None]:
    Item = made.get("messages.test.test:Item")

    class Depot(made.get("services.test.depot:DepotBase")):  # type: ignore[misc]
        async def get_item(self, request: Any, call: ServerCall) -> Any:
            if request.id == "none":
                abort(Status.NOT_FOUND, "no such item")
            return Item(id=request.id * 2)

        async def client(self, request: Any, call: ServerCall) -> Any:
            return Item(id="client")

        async def old(self, request: Any, call: ServerCall) -> Any:
            return Item(id="old")

        async def watch_item(self, request: Any, call: ServerCall) -> Any:
            for n in range(3):
                yield Item(id=f"{request.id}{n}")
            if request.id == "for ever":
                await asyncio.Event().wait()

    async with await serve([Depot()]) as running, Client(running.endpoint, timeout=20) as client:
        yield client


@pytest.fixture
def depot(made: Fragment, client: Client) -> Any:
    return made.get("clients.test.depot:DepotClient")(client)


async def test_replies_and_errors(made: Fragment, depot: Any) -> None:
    Item = made.get("messages.test.test:Item")
    assert await depot.get_item.aio(Item(id="a"), timeout=10) == Item(id="aa")
    assert await depot.client_.aio(Item()) == Item(id="client")  # `client` is an attribute
    with pytest.raises(NotFoundError, match="no such item"):
        await depot.get_item.aio(Item(id="none"))
    with pytest.warns(DeprecationWarning, match="Depot.Old"):
        assert (await depot.old.aio(Item())).id == "old"


async def test_streams_are_opened_once_for_each_loop(made: Fragment, depot: Any) -> None:
    Item = made.get("messages.test.test:Item")
    stream = depot.watch_item(Item(id="n"), timeout=timedelta(seconds=10))
    assert [item.id async for item in stream] == ["n0", "n1", "n2"]
    assert [item.id async for item in stream] == ["n0", "n1", "n2"]
    with pytest.raises(DeadlineExceededError):
        [item async for item in depot.watch_item(Item(id="for ever"), timeout=0.2)]


def test_the_blocking_form(made: Fragment) -> None:
    assert inspect.signature(made.get("clients.test.depot:DepotClient").get_item).parameters.keys() == {
        "self", "request", "timeout",
    }  # fmt: skip


async def test_other_messages_are_refused_before_the_call(made: Fragment, depot: Any) -> None:
    types = made.load("messages.test.test")
    for wrong, name in (
        (types.Other(), "Other"),
        ({"id": "a"}, "dict"),
        (None, "NoneType"),
        (types.Item, "the class Item"),
    ):
        with pytest.raises(TypeError, match=f"Depot.GetItem takes a Item, not {name}; nothing was sent"):
            await depot.get_item.aio(wrong)
        with pytest.raises(TypeError, match=f"Depot.WatchItem takes a Item, not {name}"):
            [item async for item in depot.watch_item(wrong)]


async def test_the_client_of_the_calls(made: Fragment, client: Client) -> None:
    cls = made.get("clients.test.depot:DepotClient")
    with pytest.raises(InitializationError):
        cls()
    with pytest.raises(TypeError):
        cls(5)
    registry = made.get("registry:registry")
    with registry.use(client):
        assert cls().client is client
    assert client.endpoint in repr(cls(client))


def test_services_with_nothing_but_streams_of_clients_have_none(made: Fragment) -> None:
    assert sorted(p.name for p in (made.path / "clients/test").glob("*.py")) == ["__init__.py", "depot.py"]
    cls = made.get("clients.test.depot:DepotClient")
    assert not hasattr(cls, "upload")
    assert cls.__doc__ == "Keeps items. Carefully."
    assert cls.get_item.__doc__.startswith("Fetches an item.\n\n")
