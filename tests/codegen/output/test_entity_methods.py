"""Generated entities against a server on the generated base class."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flyte.errors import NotFoundError
from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.filters import TimeFilter
from flyte_rpc.serving.server import ServerCall, ServiceBase, Status, abort, serve
from support.fragments import Fragment, importable, proto
from support.library import TOML, library

REPO = Path(__file__).parents[3]

Make = Callable[..., Fragment]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Fragment, None]:
    root = tmp_path_factory.mktemp("library")
    with importable(root):
        yield library(root).generate()


def shelf(books: Fragment) -> Any:
    """A server of the library with fifty books on it."""
    types = books.load("messages.library.books")

    class Shelf(books.get("services.library.library_service:LibraryServiceBase")):  # type: ignore[misc]
        def __init__(self) -> None:
            self.requests: list[Any] = []
            self.books = [
                types.Book(
                    id=types.BookId(org="acme", project="p", domain="d", name=f"b{i}"),
                    title=f"{'fiction' if i % 2 else 'fictional'}.t{i}",
                    state=1 + i % 3,
                )
                for i in range(50)
            ]

        async def list_books(self, request: Any, call: ServerCall) -> Any:
            self.requests.append(request)
            start = int(request.request.token or 0)
            stop = start + request.request.limit
            return types.ListBooksResponse(books=self.books[start:stop], token=str(stop) if stop < 50 else "")

        async def get_book(self, request: Any, call: ServerCall) -> Any:
            self.requests.append(request)
            found = [book for book in self.books if book.id == request.id]
            if not found:
                abort(Status.NOT_FOUND, "no such book")
            return types.GetBookResponse(book=found[0])

        async def watch_book(self, request: Any, call: ServerCall) -> AsyncIterator[Any]:
            for state in (1, 2, 3):
                yield types.WatchBookResponse(book=types.Book(id=request.id, state=state))

        async def discard_book(self, request: Any, call: ServerCall) -> Any:
            self.requests.append(request)
            if request.id.name == "b49":
                abort(Status.NOT_FOUND, "no such book")
            return types.DiscardBookResponse()

    return Shelf()


@pytest.fixture
async def service(books: Fragment) -> Any:
    return shelf(books)


async def _connected(*services: ServiceBase) -> AsyncGenerator[Client, None]:
    async with (
        await serve(services) as running,
        Client(running.endpoint, org="acme", project="p", domain="d", timeout=20, page_size=20) as client,
    ):
        yield client


@pytest.fixture
async def client(service: Any) -> AsyncGenerator[Client, None]:
    async for made in _connected(service):
        yield made


@pytest.fixture
def Book(books: Fragment) -> Any:
    return books.get("entities.book:BookBase")


async def test_listing_pages_through_all(Book: Any, service: Any, client: Client) -> None:
    found = [book async for book in Book.listall(client=client)]
    assert [book.name for book in found] == [f"b{i}" for i in range(50)]
    assert all(type(book) is Book for book in found)
    assert [(r.request.limit, r.request.token) for r in service.requests] == [(20, ""), (20, "20"), (20, "40")]
    assert {r.scope.project for r in service.requests} == {"p"}


async def test_a_limit_is_a_total(Book: Any, service: Any, client: Client) -> None:
    assert len(await Book.listall(limit=25, page_size=10, client=client).collect.aio()) == 25
    assert [r.request.limit for r in service.requests] == [10, 10, 5]


async def test_filters_and_orders_go_into_the_request(Book: Any, books: Fragment, service: Any, client: Client) -> None:
    state = books.get("messages.library.books:BookState")
    moment = datetime(2025, 1, 31, tzinfo=UTC)
    await Book.listall(
        in_state=("lent", state.DISCARDED),
        titled="x",
        printed_at=TimeFilter(after=moment),
        sort_by=[("title", "asc"), "-state"],
        lendable_only=True,
        shelves=["a", "b"],
        project="other",
        client=client,
    ).first.aio()
    (request,) = service.requests
    assert [(f.function.name, f.field, f.values) for f in request.request.filters] == [
        ("VALUE_IN", "state", ["2", "3"]),
        ("EQUAL", "title", ["x"]),
        ("GREATER_THAN_OR_EQUAL", "printed_at", ["2025-01-31T00:00:00Z"]),
    ]
    assert [(s.key, s.direction.name) for s in request.request.sort_by] == [
        ("title", "ASCENDING"),
        ("state", "DESCENDING"),
    ]
    assert (request.lendable_only, request.shelves) == (True, ["a", "b"])
    scope = request.scope
    assert (scope.org, scope.project, scope.domain) == ("acme", "other", "d")


async def test_filters_for_servers_that_go_by_names(tmp_path: Path) -> None:
    toml = TOML.replace('kind = "enum"\n', 'param = "state"\nkind = "enum_name"\n')
    with importable(tmp_path):
        made = library(tmp_path, toml).generate()
        Book, state = made.get("entities.book:BookBase"), made.get("messages.library.books:BookState")
        service = shelf(made)
        async for client in _connected(service):
            await Book.listall(state=("lent", state.DISCARDED), client=client).first.aio()
            await Book.listall(state=[f"{state.__proto_prefix__}LENT"], client=client).first.aio()
            with pytest.raises(ValueError, match="state has the unknown number 77; known: shelved, lent, discarded"):
                Book.listall(state=[77], client=client)
    assert [(f.function.name, f.field, f.values) for r in service.requests for f in r.request.filters] == [
        ("VALUE_IN", "state", [state.LENT.proto_name, state.DISCARDED.proto_name]),
        ("EQUAL", "state", [state.LENT.proto_name]),
    ]


async def test_the_default_order_is_the_configured_one(Book: Any, service: Any, client: Client) -> None:
    await Book.listall(client=client).first.aio()
    assert [(s.key, s.direction.name) for s in service.requests[0].request.sort_by] == [("printed_at", "DESCENDING")]


async def test_a_prefix_is_matched_here_where_servers_can_not(Book: Any, service: Any, client: Client) -> None:
    found = await Book.listall(on_shelf="fiction", client=client).collect.aio()
    assert len(found) == 25
    assert {book.title.split(".")[0] for book in found} == {"fiction"}
    assert service.requests[0].request.filters[0].values == ["fiction."]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"in_state": "lent"}, "in_state takes several values"),
        ({"in_state": ["lost"]}, "lost"),
        ({"shelves": "abc"}, "shelves takes several values"),
        ({"shelves": [1]}, "shelves takes string, not int"),
        ({"lendable_only": "yes"}, "lendable_only takes True or False, not 'yes'"),
        ({"sort_by": ("title", "up")}, "direction 'up'"),
        ({"limit": -1}, "limit"),
    ],
)
async def test_bad_arguments_send_nothing(
    Book: Any, service: Any, client: Client, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=complaint):
        Book.listall(client=client, **arguments)
    assert service.requests == []


async def test_getting(Book: Any, service: Any, client: Client) -> None:
    book = await Book.get.aio("b7", client=client)
    assert (book.name, book.title, book.state.name) == ("b7", "fiction.t7", "LENT")
    with pytest.raises(NotFoundError, match="no such book"):
        await Book.get.aio("b77", client=client)
    for name, complaint in (("", "must not be empty"), ("x" * 13, "at most 12 characters"), (5, "takes text, not int")):
        with pytest.raises((TypeError, ValueError), match=complaint):
            await Book.get.aio(name, client=client)
    assert len(service.requests) == 2


async def test_a_subclass_gets_its_own_kind(Book: Any, client: Client) -> None:
    class Mine(Book):  # type: ignore[misc]
        pass

    assert type(await Mine.get.aio("b1", client=client)) is Mine
    assert type(await Mine.listall(client=client).first.aio()) is Mine


async def test_watching_ends_with_the_final_state_and_tells_the_entity(Book: Any, client: Client) -> None:
    class Followed(Book):  # type: ignore[misc]
        seen: tuple[str, ...] = ()

        def saw(self, item: Any) -> None:
            self.seen += (item.state.name,)

        def gone(self) -> bool:
            return bool(self.state == 3)

    book = await Followed.get.aio("b1", client=client)
    states = [item.state.name async for item in book.watch(timeout=20).telling(book.saw)]
    assert states == ["SHELVED", "LENT", "DISCARDED"]
    assert book.seen == tuple(states)


async def test_calls_on_an_entity_use_its_client(Book: Any, service: Any, client: Client) -> None:
    book, missing = await Book.get.aio("b1", client=client), await Book.get.aio("b49", client=client)
    assert await book.discard.aio("torn") is True
    assert await missing.discard.aio() is False
    assert service.requests[2].reason == "torn"
    assert service.requests[2].id == book.pb2.id


async def test_what_is_not_overridden_is_unimplemented(books: Fragment, Book: Any) -> None:
    from flyte.errors import RpcError

    base = books.get("services.library.library_service:LibraryServiceBase")
    async for client in _connected(base()):
        with pytest.raises(RpcError, match=r"LibraryService\.GetBook is not implemented"):
            await Book.get.aio("b1", client=client)


def test_properties_cope_with_what_is_missing(Book: Any, books: Fragment) -> None:
    types = books.load("messages.library.books")
    stamp = books.get("messages.google.protobuf.timestamp:Timestamp")
    bare = Book(types.Book())
    assert (bare.name, bare.title, bare.state, bare.printed_at) == ("", "", types.BookState.UNSPECIFIED, None)
    assert (bare.labels, bare.authors, bare.rating, bare.donor, bare.id) == ({}, [], None, None, None)
    full = Book(
        types.Book(
            id=types.BookId(name="n"),
            rating=0,
            donor="",
            authors=["a"],
            labels={"k": "v"},
            printed_at=stamp(seconds=60),
        )
    )
    assert (full.name, full.rating, full.donor, full.authors, full.labels) == ("n", 0, "", ["a"], {"k": "v"})
    assert full.printed_at == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert inspect.getdoc(Book.name) == "Name of the book."


def test_entities_are_equal_by_what_names_them(Book: Any, books: Fragment) -> None:
    types = books.load("messages.library.books")

    def named(**values: str) -> Any:
        return Book(types.Book(id=types.BookId(**values)))

    one = named(org="acme", project="p", name="a")
    assert one == named(org="", project="p", name="a"), "servers leave the organization out of some replies"
    assert hash(one) == hash(named(project="p", name="a"))
    assert one != named(project="p", name="b")
    assert one != named(project="q", name="a")


async def test_parameters_by_position_and_names_of_enums(tmp_path: Path) -> None:
    toml = TOML.replace(
        'omit = ["scope.name"]', 'omit = ["scope.name"]\npositional = ["titled", "limit", "in_state", "project"]'
    ).replace('enum = "library.BookState"', 'enum = "library.BookState"\naccepts = "overlay_of_books:State"')
    with importable(tmp_path):
        books = library(tmp_path, toml).generate()
        listall = books.get("entities.book:BookBase").listall
        names = [name for name, p in inspect.signature(listall).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert names == ["titled", "limit", "in_state", "project"]
        annotation = inspect.signature(listall).parameters["in_state"].annotation
        assert annotation == "Several[BookState | BookStateName] | None"
        choices = books.load("choices")
        literal, accepted = choices.BookStateName.__args__
        assert literal.__args__ == ("shelved", "lent", "discarded")
        assert accepted.__forward_arg__ == "overlay_of_books.State"
        service = shelf(books)
        async for client in _connected(service):
            await listall("fiction.t1", 1, ("lent",), "other", client=client).collect.aio()
        (request,) = service.requests
        assert (request.scope.project, request.request.limit) == ("other", 1)
        assert [f.values for f in request.request.filters] == [["2"], ["fiction.t1"]]


def test_docstrings_tell_parameters_and_the_rpc(Book: Any) -> None:
    doc = inspect.getdoc(Book.listall) or ""
    for part in ("List books.", "in_state: Only those in one of these states.", "limit: Maximum number of items.",
                 "Default: `-printed_at`", "RpcError:", "Calls `LibraryService.ListBooks`."):  # fmt: skip
        assert part in doc
    assert "old_filter" not in doc
    assert "Name of the book; at most 12 characters." in " ".join((inspect.getdoc(Book.get) or "").split())


STYLES = """
message Item { string name = 1; }
message ItemPage { repeated Item items = 1; string token = 2; }
message FlatRequest { int32 limit = 1; string token = 2; string text = 3; string request = 4; string scope = 5; }
message FlatResponse { repeated Item items = 1; string token = 2; }
message NestedResponse { ItemPage page = 1; }
message AipRequest { int32 page_size = 1; string page_token = 2; }
message AipResponse { repeated Item items = 1; string next_page_token = 2; }
message AllRequest {}
message AllResponse { repeated Item items = 1; }
message TwoResponse { repeated Item old = 1; repeated Item items = 2; string token = 3; }
message DeepResponse { Inner inner = 1; message Inner { Item item = 1; } }
message ManyResponse { repeated Item items = 1; }
service Items {
  rpc ListFlat(FlatRequest) returns (FlatResponse);
  rpc ListNested(FlatRequest) returns (NestedResponse);
  rpc ListAip(AipRequest) returns (AipResponse);
  rpc ListAll(AllRequest) returns (AllResponse);
  rpc ListTwo(FlatRequest) returns (TwoResponse);
  rpc GetPlain(FlatRequest) returns (Item);
  rpc GetDeep(FlatRequest) returns (DeepResponse);
  rpc WatchMany(AllRequest) returns (stream ManyResponse);
}
"""
ITEM = '[entities.Item]\nmessage = "test.Item"\nidentity = "name"\nservice = "test.Items"\nproperties = { name = "name" }\n'
METHODS = """
[entities.Item.methods]
ListFlat = { name = "flat" }
ListNested = { name = "nested" }
ListAip = { name = "aip" }
ListAll = { name = "every", kind = "list" }
ListTwo = { name = "two", items = "items" }
GetPlain = { name = "plain" }
GetDeep = { name = "deep", items = "inner.item" }
WatchMany = { name = "many" }
"""


@pytest.fixture
def items(fragment: Make) -> Fragment:
    return fragment(proto(STYLES), ITEM + METHODS).generate()


def items_service(items: Fragment) -> Any:
    types = items.load("messages.test.test")
    all_items = [types.Item(name=str(i)) for i in range(7)]

    class Service(items.get("services.test.items:ItemsBase")):  # type: ignore[misc]
        asked: list[Any]

        def _page(self, size: int, token: str) -> tuple[list[Any], str]:
            start = int(token or 0)
            return all_items[start : start + size], str(start + size) if start + size < len(all_items) else ""

        async def list_flat(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            found, token = self._page(request.limit, request.token)
            return types.FlatResponse(items=found, token=token)

        async def list_nested(self, request: Any, call: ServerCall) -> Any:
            found, token = self._page(request.limit, request.token)
            return types.NestedResponse(page=types.ItemPage(items=found, token=token))

        async def list_aip(self, request: Any, call: ServerCall) -> Any:
            found, token = self._page(request.page_size, request.page_token)
            return types.AipResponse(items=found, next_page_token=token)

        async def list_all(self, request: Any, call: ServerCall) -> Any:
            return types.AllResponse(items=all_items)

        async def list_two(self, request: Any, call: ServerCall) -> Any:
            found, token = self._page(request.limit, request.token)
            return types.TwoResponse(old=all_items, items=found, token=token)

        async def get_plain(self, request: Any, call: ServerCall) -> Any:
            return all_items[3]

        async def get_deep(self, request: Any, call: ServerCall) -> Any:
            inner = types.DeepResponseInner(item=all_items[4]) if request.text else None
            return types.DeepResponse(inner=inner)

        async def watch_many(self, request: Any, call: ServerCall) -> AsyncIterator[Any]:
            yield types.ManyResponse(items=all_items[:2])
            yield types.ManyResponse(items=all_items[2:3])

    service = Service()
    service.asked = []
    return service


async def test_every_style_of_paging(items: Fragment) -> None:
    entity = items.get("entities.item:ItemBase")
    async for client in _connected(items_service(items)):
        for name in ("flat", "nested", "aip", "every", "two"):
            # A list without pages has no page size.
            size = {} if name == "every" else {"page_size": 3}
            assert ("page_size" in inspect.signature(getattr(entity, name)).parameters) == bool(size)
            found = await getattr(entity, name)(**size, client=client).collect.aio()
            assert [item.name for item in found] == [str(i) for i in range(7)], name
            assert len(await getattr(entity, name)(**size, limit=4, client=client).collect.aio()) == 4, name


async def test_parameters_that_are_named_like_what_methods_use(items: Fragment) -> None:
    entity, service = items.get("entities.item:ItemBase"), items_service(items)
    async for client in _connected(service):
        await entity.flat(text="t", request_="r", scope_="s", client=client).first.aio()
    assert (service.asked[0].text, service.asked[0].request, service.asked[0].scope) == ("t", "r", "s")


async def test_replies_of_every_shape(items: Fragment) -> None:
    entity = items.get("entities.item:ItemBase")
    async for client in _connected(items_service(items)):
        assert (await entity.plain.aio(client=client)).name == "3"
        assert (await entity.deep.aio(text="x", client=client)).name == "4"
        with pytest.raises(NotFoundError, match=r"GetDeep failed with NOT_FOUND: the reply is empty.* for \{\} \("):
            await entity.deep.aio(client=client)  # a message on the way is missing
        seen = []
        async for item in entity.many(client=client, timeout=20):
            seen.append(item.name)
            if len(seen) == 3:
                break
        assert seen == ["0", "1", "2"]


def test_type_checkers_agree(items: Fragment, books: Fragment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated code passes mypy in strict mode, like hand-written code."""
    from mypy import api

    monkeypatch.chdir(REPO)  # whose settings and cache it uses
    out, complaints, status = api.run(["--no-error-summary", str(items.path), str(books.path)])
    assert (status, complaints) == (0, ""), out
    assert out == ""


def mistake(found: list[Diagnostic]) -> tuple[str, str, str]:
    (only,) = found
    return only.place, only.message, only.remedy


@pytest.mark.parametrize(
    ("method", "message", "remedy"),
    [
        ("ListTwo = {}", "its items could be any of: old, items",
         'under [entities.Item.methods.ListTwo], add items = "old" or items = "items", or kind = "call"'),
        ('ListTwo = { items = "itms" }', "test.TwoResponse has no field at 'itms'", "correct items under"),
        ("GetDeep = {}", "test.DeepResponse.inner is test.DeepResponse.Inner, but Item is made of test.Item", "add items"),
        ('ListNested = { items = "page", kind = "list" }', "test.NestedResponse.page is a single test.ItemPage, but Item is made of test.Item", "add items"),
        ('ListAll = { items = "items", kind = "get" }', "test.AllResponse.items is repeated test.Item", "add items"),
        ('GetPlain = { kind = "list" }', "could be any of: none", 'items = "PATH"'),
        ('ListAll = { kind = "list", sort = "name" }', "sort is set, but test.AllRequest has no field for it", "remove sort"),
        ('ListFlat = { filters = ["x"] }', "filters names x, which is not defined", "add [filters.x]"),
        ('ListFlat = { final = "x" }', "final applies only to watch methods, and this is a list method", "remove final"),
        ('ListFlat = { omit = ["txt"] }', "omit names txt", "did you mean text?"),
        ('ListFlat = { params = { txt = "x" } }', "params names txt", "did you mean text?"),
        ('ListFlat = { params = { text = "limit" } }', "the parameter limit is one that every list has by itself", "add params"),
        ('ListFlat = { params = { text = "caller" } }', "the parameter caller would shadow a name that the method uses", "add params"),
        ('ListFlat = { params = { text = "FlatRequest" } }', "the parameter FlatRequest would shadow a name that the method uses", "add params"),
        ('ListFlat = { params = { text = "scope_" } }', "the parameter scope_ would occur twice", "add params"),
        ('ListFlat = { positional = ["limt"] }', "positional names limt, which is not a keyword parameter", "did you mean limit?"),
        ('ListFlat = { returns = "Itm" }', "no entity named Itm", "did you mean Item?"),
        ("ListFlt = {}", "no RPC named test.Items.ListFlt", "did you mean test.Items.ListFlat?"),
        ('ListFlat = { name = "name" }', "two of its methods and properties are named name", "rename one"),
        ('ListFlat = { name = "client" }', "client is reserved by Python or by the entity base class", "another name"),
        ('ListFlat = { name = "list" }', "list is reserved by Python or by the entity base class", "another name"),
        ("ListFlat = {}\nListNested = {}", "[entities.Item.methods.ListFlat] and [entities.Item.methods.ListNested] both give a method named listall", 'add name = "another_name", such as name = "list_nested"'),
        ("ListFlat = [{}, {}]", "two tables [entities.Item.methods.ListFlat] both give a method named listall", 'such as name = "list_flat"'),
    ],
)  # fmt: skip
def test_what_codegen_toml_gets_wrong(
    fragment: Make, mistakes: Callable[[Fragment], list[Diagnostic]], method: str, message: str, remedy: str
) -> None:
    place, said, advice = mistake(mistakes(fragment(proto(STYLES), f"{ITEM}[entities.Item.methods]\n{method}\n")))
    assert re.fullmatch(r"codegen\.toml:\d+", place) or place.startswith("test/test.proto:")
    assert message in said
    assert remedy in advice


@pytest.mark.parametrize(
    ("entity", "message", "remedy"),
    [
        ('message = "test.Itm"\nidentity = "name"', "no message named test.Itm", "did you mean test.Item?"),
        ('message = "test.Item"\nidentity = "nam"', "test.Item has no field at 'nam'", "correct the path"),
        ('message = "test.Item"\nidentity = "name.x"', "no field at 'name.x'", "correct the path"),
        ('message = "test.Item"\nidentity = "name"\nproperties = { a = "b" }', "no field at 'b'", "correct the path"),
        (
            'message = "test.Item"\nidentity = "name"\nproperties = { property = "name" }',
            "the entity base class",
            "another name",
        ),
    ],
)
def test_what_an_entity_gets_wrong(
    fragment: Make, mistakes: Callable[[Fragment], list[Diagnostic]], entity: str, message: str, remedy: str
) -> None:
    place, said, advice = mistake(mistakes(fragment(proto(STYLES), f"[entities.Item]\n{entity}\n")))
    assert re.fullmatch(r"codegen\.toml:\d+", place)
    assert message in said
    assert remedy in advice


def test_mistakes_of_several_entities_are_told_together(
    fragment: Make, mistakes: Callable[[Fragment], list[Diagnostic]]
) -> None:
    toml = "".join(f'[entities.{name}]\nmessage = "test.{name}"\nidentity = "x"\n' for name in ("One", "Two"))
    assert len(mistakes(fragment(proto(STYLES), toml))) == 2


def test_deprecated_rpcs_are_warned_of(fragment: Make) -> None:
    body = STYLES.replace(
        "rpc GetPlain(FlatRequest) returns (Item);",
        "rpc GetPlain(FlatRequest) returns (Item) { option deprecated = true; }",
    )
    output = fragment(proto(body), f"{ITEM}[entities.Item.methods]\nGetPlain = {{}}\n").outcome()
    assert [(w.level.value, w.message) for w in output.warnings] == [("warning", "test.Items.GetPlain is deprecated")]
