"""A library for the tests, on the generated server bases: it keeps, filters, sorts and pages as a real one would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction, ListRequest, SortDirection
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.serving.server import ServerCall, Status, abort

from library_sdk_api.messages.library.v1 import books as pb
from library_sdk_api.messages.library.v1 import readers as pb_readers
from library_sdk_api.services.library.v1.book_service import BookServiceBase
from library_sdk_api.services.library.v1.reader_service import ReaderServiceBase

OPENING = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)


class FakeBooks(BookServiceBase):
    """Keeps books in memory. Each book is acquired a second after the previous one."""

    def __init__(self) -> None:
        self.books: dict[tuple[str, str], pb.Book] = {}
        self.requests: list[pb.ListBooksRequest] = []
        self._changed = asyncio.Condition()

    def _find(self, id: pb.BookId | None) -> pb.Book:
        assert id is not None
        if (id.branch, id.name) not in self.books:
            abort(Status.NOT_FOUND, f"there is no book {id.branch}/{id.name}")
        return self.books[id.branch, id.name]

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def add_book(self, request: pb.AddBookRequest, call: ServerCall) -> pb.AddBookResponse:
        assert request.id is not None
        key = (request.id.branch, request.id.name)
        if key in self.books:
            abort(Status.ALREADY_EXISTS, f"there is a book {'/'.join(key)}")
        moment = Timestamp(seconds=int(OPENING.timestamp()) + len(self.books))
        book = pb.Book(
            id=request.id,
            title=request.title,
            state=pb.BookState.SHELVED,
            acquired_at=moment,
            authors=request.authors,
            labels=request.labels,
            shelf=request.shelf,
            donor=request.donor,
            price=request.price,
        )
        self.books[key] = book
        return pb.AddBookResponse(book=book)

    async def get_book(self, request: pb.GetBookRequest, call: ServerCall) -> pb.GetBookResponse:
        return pb.GetBookResponse(book=self._find(request.id))

    async def lend_book(self, request: pb.LendBookRequest, call: ServerCall) -> pb.LendBookResponse:
        book = self._find(request.id)
        if book.state != pb.BookState.SHELVED:
            abort(Status.FAILED_PRECONDITION, f"{book.title} is not on its shelf")
        seconds = request.period.seconds if request.period else 0
        book.state, book.due_at = pb.BookState.LENT, Timestamp(seconds=int(OPENING.timestamp()) + seconds)
        await self._tell()
        return pb.LendBookResponse()

    async def discard_book(self, request: pb.DiscardBookRequest, call: ServerCall) -> pb.DiscardBookResponse:
        self._find(request.id).state = pb.BookState.DISCARDED
        await self._tell()
        return pb.DiscardBookResponse()

    async def watch_book(
        self, request: pb.WatchBookRequest, call: ServerCall
    ) -> AsyncGenerator[pb.WatchBookResponse, None]:
        seen = b""
        while True:
            async with self._changed:
                while bytes(self._find(request.id)) == seen:
                    await self._changed.wait()
            seen = bytes(self._find(request.id))
            yield pb.WatchBookResponse(book=pb.Book.parse(seen))

    async def list_books(self, request: pb.ListBooksRequest, call: ServerCall) -> pb.ListBooksResponse:
        self.requests.append(request)
        asked = request.request or ListRequest()
        found = [b for b in self.books.values() if _in_scope(request, b) and all(_fits(f, b) for f in asked.filters)]
        for sort in reversed(asked.sort_by_fields):
            found.sort(key=_by(sort.key), reverse=sort.direction == SortDirection.DESCENDING)
        start = int(asked.token or 0)
        end = start + asked.limit
        return pb.ListBooksResponse(books=found[start:end], token=str(end) if end < len(found) else "")


class FakeReaders(ReaderServiceBase):
    """Serves a fixed list of readers."""

    def __init__(self, *names: str) -> None:
        self.readers = [
            pb_readers.Reader(
                card=f"card-{number}",
                full_name=name,
                contact=pb_readers.ReaderContact(email=f"{name.lower()}@example.org"),
            )
            for number, name in enumerate(names)
        ]

    async def get_reader(self, request: pb_readers.GetReaderRequest, call: ServerCall) -> pb_readers.Reader:
        for reader in self.readers:
            if reader.card == request.card:
                return reader
        abort(Status.NOT_FOUND, f"there is no reader {request.card}")

    async def list_readers(
        self, request: pb_readers.ListReadersRequest, call: ServerCall
    ) -> pb_readers.ListReadersResponse:
        page = request.page or pb_readers.PageRequest()
        found = [reader for reader in self.readers if reader.full_name.startswith(request.name_prefix)]
        start = int(page.page_token or 0)
        end = start + page.page_size
        part = pb_readers.ReaderPage(readers=found[start:end], next_page_token=str(end) if end < len(found) else "")
        return pb_readers.ListReadersResponse(page=part)


def _in_scope(request: pb.ListBooksRequest, book: pb.Book) -> bool:
    scope, wanted = which_one_of(request, "scope")
    if scope == "shelf":
        return bool(book.shelf == wanted)
    return scope == "" or (book.id is not None and book.id.branch == wanted)


def _by(field: str) -> Callable[[pb.Book], Any]:
    """Return the sort key for a field."""
    keys: dict[str, Callable[[pb.Book], Any]] = {
        "acquired_at": lambda book: book.acquired_at.to_datetime() if book.acquired_at else OPENING,
        "state": lambda book: str(int(book.state)),
        "title": lambda book: book.title,
    }
    if field not in keys:
        abort(Status.INVALID_ARGUMENT, f"books have no field {field}; they have {', '.join(keys)}")
    return keys[field]


def _fits(condition: Filter, book: pb.Book) -> bool:
    value = _by(condition.field)(book)
    if isinstance(value, datetime):
        moment = datetime.fromisoformat(condition.values[0])
        return value >= moment if condition.function == FilterFunction.GREATER_THAN_OR_EQUAL else value < moment
    return str(value) in condition.values
