"""The blocking client, against a test library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flyte.errors import AlreadyExistsError, FailedPreconditionError, NotFoundError

from fake import OPENING, FakeBooks
from library_sdk import Book, BookState, Client, Reader, TimeFilter, use_client


def test_a_book_comes_back_as_it_was_added(client: Client) -> None:
    made = Book.add(
        "harbour", "dune-1", "Dune", authors=["Frank Herbert"], labels={"genre": "sf"}, price=1299, client=client
    )
    found = Book.get("harbour", "dune-1", client=client)
    assert found == made
    assert (found.state, found.authors, found.labels) == ("shelved", ["Frank Herbert"], {"genre": "sf"})
    assert (found.pb2.price, found.donor) == (1299, None)
    assert found.acquired_at == OPENING


def test_a_repr_shows_what_has_a_value(client: Client) -> None:
    made = Book.add("harbour", "emma", "Emma", client=client)
    assert repr(made) == (
        "Book(branch='harbour', name='emma', title='Emma', "
        "acquired_at=datetime.datetime(2024, 5, 1, 9, 0, tzinfo=datetime.timezone.utc))"
    )


def test_pages_are_fetched_as_they_are_needed(stocked: Client, books: FakeBooks) -> None:
    listing = Book.of_branch("harbour", sort_by="acquired_at", page_size=2, client=stocked)
    assert [book.name for book in listing] == ["b0", "b1", "b2", "b3", "b4"]
    asked = [request.request for request in books.requests]
    assert [(r.limit, r.token) for r in asked if r] == [(2, ""), (2, "2"), (2, "4")]


def test_the_newest_come_first(stocked: Client) -> None:
    assert [b.name for b in Book.of_branch("harbour", limit=2, client=stocked)] == ["b4", "b3"]


def test_one_part_of_the_library(stocked: Client) -> None:
    with use_client(stocked):
        assert {b.branch for b in Book.of_branch("hill")} == {"hill"}
        with pytest.raises(ValueError, match="branch must not be empty"):
            Book.of_branch("")
        assert len(Book.listall().collect()) == 6
        with pytest.raises(ValueError, match="which the server does not sort by"):
            Book.listall(sort_by="titel")  # type: ignore[arg-type]  # type checkers know it too


def test_filters(stocked: Client) -> None:
    with use_client(stocked):
        Book.get("harbour", "b0").lend_for_weeks("card-0", 2)
        assert [b.name for b in Book.listall(in_state=["lent"])] == ["b0"]
        assert [b.name for b in Book.listall(in_state=[BookState.SHELVED], titled="Dune")] == ["b3"]
        early = TimeFilter(before=OPENING + timedelta(seconds=2))
        assert {b.name for b in Book.listall(acquired_at=early)} == {"b0", "b1"}


def test_lending(stocked: Client) -> None:
    book = Book.get("harbour", "b1", client=stocked)
    lent = book.lend_for_weeks("card-1", 3)
    assert (lent.state, lent.due_at) == ("lent", OPENING + timedelta(weeks=3))
    assert lent.overdue() and not lent.overdue(datetime(2024, 5, 2, tzinfo=UTC))
    with pytest.raises(FailedPreconditionError, match="Emma is not on its shelf"):
        book.lend_for_weeks("card-2", 1)


def test_watching_ends_with_the_book(stocked: Client) -> None:
    book = Book.get("harbour", "b2", client=stocked)
    states: list[str] = []
    for seen in book.watch(timeout=20):
        states.append(seen.state)
        if seen.state == "shelved":
            book.lend("card-1")
        elif seen.state == "lent":
            assert book.discard("water damage") is True
    assert states == ["shelved", "lent", "discarded"]


def test_readers_are_listed_from_a_page_within_the_reply(client: Client) -> None:
    assert [r.full_name for r in Reader.listall(page_size=2, client=client)] == [
        "Ada",
        "Alan",
        "Barbara",
        "Grace",
        "Grete",
    ]
    assert [r.email for r in Reader.listall(name_prefix="Gr", client=client)] == [
        "grace@example.org",
        "grete@example.org",
    ]
    assert repr(Reader.get("card-0", client=client)) == (
        "ReaderBase(card='card-0', full_name='Ada', email='ada@example.org')"
    )


def test_mistakes(stocked: Client) -> None:
    with use_client(stocked):
        with pytest.raises(NotFoundError, match="there is no book hill/b9"):
            Book.get("hill", "b9")
        with pytest.raises(AlreadyExistsError, match="there is a book hill/b0"):
            Book.add("hill", "b0", "Emma")
        with pytest.raises(ValueError, match="name takes at most 40 characters"):
            Book.get("hill", "b" * 41)
        with pytest.raises(ValueError, match="in_state"):
            Book.listall(in_state=["borrowed"])  # type: ignore[list-item]  # which is the point
