"""A server with newer definitions than the client: unknown data survives a round trip through entities."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, importable, proto

OLD = """
enum State { STATE_UNSPECIFIED = 0; STATE_SHELVED = 1; }
message Shelf { uint32 number = 1; }
message BookId { Shelf shelf = 1; string name = 2; }
message Book {
  BookId id = 1;
  string title = 2;
  State state = 3;
  repeated State history = 4;
  map<string, Shelf> copies = 5;
}
message ListBooksRequest { int32 page_size = 1; string page_token = 2; }
message ListBooksResponse { repeated Book books = 1; string next_page_token = 2; }
message UpdateBookRequest { Book book = 1; }
message UpdateBookResponse { Book book = 1; }
service Books {
  rpc ListBooks(ListBooksRequest) returns (ListBooksResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc UpdateBook(UpdateBookRequest) returns (UpdateBookResponse);
}
"""
NEW = (
    OLD.replace("STATE_SHELVED = 1;", "STATE_SHELVED = 1; STATE_ARCHIVED = 7; STATE_BELOW = -2;")
    .replace("uint32 number = 1;", "uint32 number = 1; string room = 2;")
    .replace(
        "string title = 2;", "string title = 2; int32 pages = 9; Shelf reading_copy = 10; repeated string tags = 11;"
    )
)

TOML = """
[entities.Book]
message = "test.Book"
service = "test.Books"
identity = "id"

[entities.Book.properties]
name = "id.name"
title = "title"
state = "state"
history = "history"
copies = "copies"

[entities.Book.methods]
ListBooks = { name = "listall", kind = "list" }
"""


@pytest.fixture(scope="module")
def fragments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fragment, Fragment]]:
    old, new = (tmp_path_factory.mktemp(name) for name in ("old", "new"))
    with importable(old), importable(new):
        yield (
            Fragment(old, {"test/test.proto": proto(OLD)}, TOML).generate(),
            Fragment(new, {"test/test.proto": proto(NEW)}).generate(),
        )


@pytest.fixture(scope="module")
def new(fragments: tuple[Fragment, Fragment]) -> Any:
    return fragments[1].load("messages.test.test")


@pytest.fixture(scope="module")
def old(fragments: tuple[Fragment, Fragment]) -> Any:
    return fragments[0].load("messages.test.test")


@pytest.fixture
def stored(new: Any) -> Any:
    shelf = new.Shelf(number=4, room="attic")
    return new.Book(
        id=new.BookId(shelf=shelf, name="dune"),
        title="Dune",
        state=new.State.ARCHIVED,
        history=[new.State.SHELVED, new.State.BELOW, new.State.ARCHIVED],
        copies={"first": shelf},
        pages=412,
        reading_copy=shelf,
        tags=["sand", "worms"],
    )


@pytest.fixture
def received() -> list[Any]:
    """Return the book that the server received."""
    return []


@pytest.fixture
async def client(
    fragments: tuple[Fragment, Fragment], new: Any, stored: Any, received: list[Any]
) -> AsyncGenerator[Client, None]:
    class Server(fragments[1].get("services.test.books:BooksBase")):  # type: ignore[misc]
        async def list_books(self, request: Any, call: ServerCall) -> Any:
            return new.ListBooksResponse(books=[stored])

        async def update_book(self, request: Any, call: ServerCall) -> Any:
            received.append(request.book)
            return new.UpdateBookResponse(book=request.book)

    async with await serve([Server()]) as running, Client(running.endpoint, timeout=20) as made:
        yield made


def untouched(book: Any) -> None:
    pass


def read(book: Any) -> None:
    """Decode every field, so that it is encoded again."""
    assert (book.name, book.title, int(book.state), len(book.history)) == ("dune", "Dune", 7, 3)
    assert book.pb2.id.shelf.number == book.copies["first"].number == 4
    assert "state=" in repr(book.pb2)


@pytest.mark.parametrize("use", [untouched, read])
async def test_what_came_goes_back_as_it_was(
    fragments: tuple[Fragment, Fragment],
    old: Any,
    stored: Any,
    client: Client,
    received: list[Any],
    use: Callable[[Any], None],
) -> None:
    Book, Books = fragments[0].get("entities.book:BookBase"), fragments[0].get("services.test.books:Books")
    (book,) = await Book.listall.aio(client=client).collect.aio()
    use(book)
    reply = await unary(client, Books.UPDATE_BOOK, old.UpdateBookRequest(book=book.pb2))
    assert received == [stored]
    assert reply.book == book.pb2


async def test_a_change_of_one_field_leaves_the_unknown_ones(
    fragments: tuple[Fragment, Fragment], old: Any, new: Any, stored: Any, client: Client, received: list[Any]
) -> None:
    Book, Books = fragments[0].get("entities.book:BookBase"), fragments[0].get("services.test.books:Books")
    (book,) = await Book.listall.aio(client=client).collect.aio()
    book.pb2.title = "Dune, again"
    book.pb2.id.shelf.number = 5
    await unary(client, Books.UPDATE_BOOK, old.UpdateBookRequest(book=book.pb2))
    stored.title = "Dune, again"
    # The server stores the same object in three places.
    stored.id = new.BookId(shelf=new.Shelf(number=5, room="attic"), name="dune")
    assert received == [stored]


async def test_an_enum_value_reads_with_its_number(
    fragments: tuple[Fragment, Fragment], old: Any, client: Client
) -> None:
    Book = fragments[0].get("entities.book:BookBase")
    (book,) = await Book.listall.aio(client=client).collect.aio()
    assert (book.state, book.state.name, book.state.proto_name) == (7, "", None)
    assert isinstance(book.state, old.State)
    assert [int(state) for state in book.history] == [1, -2, 7]
    assert "7" in str(book.state)
    assert book.to_dict()["state"] == 7 and book.to_dict()["history"] == ["STATE_SHELVED", -2, 7]
    assert old.Book.from_dict(book.to_dict()).state == 7


# --- the repr of an entity without overlay --------------------------------------------------------------


async def test_a_repr_shows_what_names_the_thing(fragments: tuple[Fragment, Fragment], client: Client) -> None:
    Book = fragments[0].get("entities.book:BookBase")
    (book,) = await Book.listall.aio(client=client).collect.aio()
    assert repr(book) == "BookBase(number=4, name='dune')"


def test_a_repr_copes_with_what_is_missing_or_damaged(fragments: tuple[Fragment, Fragment], old: Any) -> None:
    Book = fragments[0].get("entities.book:BookBase")
    assert repr(Book(old.Book())) == "BookBase()"
    assert repr(Book(old.Book(id=old.BookId(name="emma")))) == "BookBase(name='emma')"
    damaged = repr(Book(old.Book.parse(b"\x0a\x02\x12\x05")))
    assert damaged.startswith("BookBase(malformed='Book.id: BookId: ")


def test_names_that_end_alike_are_shown_with_their_path(tmp_path: Path) -> None:
    body = """
    message RunId { string project = 1; string name = 2; }
    message StepId { RunId run = 1; string name = 2; }
    message Step { StepId id = 1; string kind = 2; }
    service Steps { rpc Get(StepId) returns (Step); }
    """
    table = (
        '[entities.{0}]\nmessage = "test.Step"\nservice = "test.Steps"\nidentity = "{1}"\n[entities.{0}.properties]\n'
    )
    toml = (table + 'called = "id.name"\n').format("Step", "id") + (table + 'sort = "kind"\n').format("Sort", "kind")
    with importable(tmp_path):
        fragment = Fragment(tmp_path, {"test/test.proto": proto(body)}, toml).generate()
        pb = fragment.load("messages.test.test")
        step = pb.Step(id=pb.StepId(run=pb.RunId(project="p", name="r"), name="s"), kind="build")
        assert repr(fragment.get("entities.step:StepBase")(step)) == "StepBase(project='p', run_name='r', name='s')"
        assert repr(fragment.get("entities.sort:SortBase")(step)) == "SortBase(sort='build')"
        assert repr(fragment.get("entities.sort:SortBase")(pb.Step())) == "SortBase()"
