"""The output of `flyte-codegen explain`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen import cli
from support.fragments import proto
from support.library import library

LIST_BOOKS = """\
library.LibraryService.ListBooks  (library/books.proto:67)
  request    library.ListBooksRequest
  response   library.ListBooksResponse
  streams    unary
  effect     read
  kind       list: limit and token in the request, token in the reply
  items      books
  token      token
  page       request
  method     Book.listall(cls, *, in_state: Several[BookState | BookStateName] | None = None, titled: str | None = None, \
on_shelf: str | None = None, printed_at: TimeFilter | None = None, sort_by: SortBy | None = None, \
lendable_only: bool = False, shelves: Collection[str] = (), limit: int | None = None, page_size: int | None = None, \
timeout: float | timedelta | None = None, \
project: str | None = None, domain: str | None = None, client: Client | None = None) -> Pager[Self]
"""
BOOK = """\
library.Book  (library/books.proto:28)
  class      {package}.messages.library.books:Book
     1  id: library.BookId (optional)
     2  title: string (implicit)
     3  state: library.BookState (implicit)
     4  printed_at: google.protobuf.Timestamp (optional)
     5  labels: map (map)
     6  authors: string (repeated)
     7  rating: int32 (optional)
     8  donor: string (optional, oneof origin)
     9  price: int64 (optional, oneof origin)
"""


@pytest.fixture
def explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str, str]]:
    made = library(tmp_path, **{"other/two.proto": proto(
        """
message Item {}
message Request { int32 limit = 1; string token = 2; string old = 3 [deprecated = true]; }
message Reply { repeated Item one = 1; repeated Item two = 2; string token = 3; }
message Book {}
service Two { rpc ListTwo(Request) returns (Reply); rpc Send(stream Item) returns (Reply); }
""",
        package="other",
    )})  # fmt: skip

    def run(name: str) -> tuple[int, str, str]:
        code = cli.main(["explain", "--config", str(made.config_path), name])
        said = capsys.readouterr()
        return code, said.out.replace(made.package, "{package}"), said.err

    return run


Explain = Callable[[str], tuple[int, str, str]]


@pytest.mark.parametrize("name", ["LibraryService.ListBooks", "library.LibraryService.ListBooks", "ListBooks"])
def test_an_rpc_that_is_a_method(explain: Explain, name: str) -> None:
    assert explain(name) == (0, LIST_BOOKS, "")


def test_a_message(explain: Explain) -> None:
    assert explain("library.Book") == (0, BOOK, "")
    assert "old: string (implicit, deprecated)" in explain("other.Request")[1]


def test_an_rpc_that_could_be_several_things(explain: Explain) -> None:
    code, out, _ = explain("Two.ListTwo")
    assert code == 0
    assert "undecided: other.Two.ListTwo is a list, but its items could be any of: one, two" in out
    assert 'under [entities.NAME.methods.ListTwo], add items = "one" or items = "two"' in out
    assert "method     none: no entity in codegen.toml names it" in out


def test_an_rpc_that_no_entity_can_have(explain: Explain) -> None:
    assert "unsupported: the client streams" in explain("Two.Send")[1]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "LibraryService.ListBoks",
            "LibraryService.ListBoks: error: matches no RPC or message\n    try library.LibraryService.ListBooks, ",
        ),
        ("Boook", "Boook: error: matches no RPC or message\n    try library.Book, other.Book, library.BookId\n"),
        ("tem", "tem: error: matches no RPC or message\n    try other.Item\n"),
        ("discard", "discard: error: matches no RPC or message\n    try library.LibraryService.DiscardBook, "),
        ("Book", "Book: error: matches several names\n    try library.Book, other.Book"),
        ("zzzzzz", "zzzzzz: error: matches no RPC or message"),
    ],
)
def test_a_name_that_is_none_or_several(explain: Explain, name: str, complaint: str) -> None:
    code, out, err = explain(name)
    assert (code, out) == (1, "")
    assert complaint in err


def test_the_definitions_of_this_project(capsys: pytest.CaptureFixture[str]) -> None:
    config = str(Path(__file__).parents[3] / "codegen.toml")
    assert cli.main(["explain", "--config", config, "RunService.ListRuns"]) == 0
    said = capsys.readouterr().out
    for part in ("effect     read", "Run.listall(", "-> Pager[Self]"):
        assert part in said
