from __future__ import annotations

from collections.abc import Iterator

import pytest
from flyte_rpc.serving.server import serve
from flyte_rpc.sync.decorators import blocking_function

from fake import FakeBooks, FakeReaders
from library_sdk import Book, Client, ShelfId


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks()


@pytest.fixture
def client(books: FakeBooks) -> Iterator[Client]:
    """A client of a test library. The server runs on another thread, so tests may await or block."""
    running = blocking_function(serve)([books, FakeReaders("Ada", "Alan", "Barbara", "Grace", "Grete")])
    try:
        with Client(running.endpoint, timeout=20) as made:
            yield made
    finally:
        blocking_function(running.close)()


@pytest.fixture
def stocked(client: Client) -> Client:
    """A client of a library with some books."""
    for number, title in enumerate(["Dune", "Emma", "Ulysses", "Dune", "Momo"]):
        shelf = ShelfId(branch="harbour", number=number % 2)
        Book.add("harbour", f"b{number}", title, shelf=shelf, client=client)
    Book.add("hill", "b0", "Emma", donor="a neighbour", client=client)
    return client
