"""The output of `flyte-codegen explain`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen import cli
from support.fragments import Fragment, proto
from support.library import TOML, library

LIST_BOOKS = """\
library.LibraryService.ListBooks  (library/books.proto:67)
  request    library.ListBooksRequest
  response   library.ListBooksResponse
  streaming  none
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
  table      codegen.toml:{line}: [entities.Book.methods.ListBooks]
  template   @flyte/entities/kinds/_list.j2
"""
BOOK = """\
library.Book  (library/books.proto:28)
  class      {package}.messages.library.books:Book
  template   @flyte/messages/_message.j2
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
def project(tmp_path: Path) -> Fragment:
    return library(tmp_path, **{"other/two.proto": proto(
        """
message Item {}
message Request { int32 limit = 1; string token = 2; string old = 3 [deprecated = true]; }
message Reply { repeated Item one = 1; repeated Item two = 2; string token = 3; }
message Book {}
service Two { rpc ListTwo(Request) returns (Reply); rpc Send(stream Item) returns (Reply); }
""",
        package="other",
    )})  # fmt: skip


@pytest.fixture
def explain(project: Fragment, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str, str]]:
    def run(name: str) -> tuple[int, str, str]:
        code = cli.main(["explain", "--config", str(project.config_path), name])
        said = capsys.readouterr()
        return code, said.out.replace(project.package, "{package}"), said.err

    return run


Explain = Callable[[str], tuple[int, str, str]]


@pytest.mark.parametrize("name", ["LibraryService.ListBooks", "library.LibraryService.ListBooks", "ListBooks"])
def test_an_rpc_that_is_a_method(explain: Explain, name: str) -> None:
    code, out, err = explain(name)
    assert (code, err) == (0, "")
    assert re.sub(r"codegen\.toml:\d+", "codegen.toml:{line}", out) == LIST_BOOKS


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
    assert "Two.Send can't be a method: the client streams" in explain("Two.Send")[1]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "LibraryService.ListBoks",
            "LibraryService.ListBoks: error: matches no RPC, service, message, enum or member of an entity\n    try library.LibraryService.ListBooks, ",
        ),
        (
            "Boook",
            "Boook: error: matches no RPC, service, message, enum or member of an entity\n    try library.Book, other.Book, library.BookId\n",
        ),
        ("tem", "tem: error: matches no RPC, service, message, enum or member of an entity\n    try other.Item\n"),
        (
            "discard",
            "discard: error: matches no RPC, service, message, enum or member of an entity\n    try library.LibraryService.DiscardBook, ",
        ),
        ("Book", "Book: error: matches several names\n    try library.Book, other.Book"),
        ("zzzzzz", "zzzzzz: error: matches no RPC, service, message, enum or member of an entity"),
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


def test_members_of_entities(explain: Explain) -> None:
    assert explain("Book.listall")[1].startswith("library.LibraryService.ListBooks  (library/books.proto:67)\n")
    code, out, _ = explain("Book.name")
    assert code == 0
    for part in (
        "Book.name  (library/books.proto:",
        "path       id.name",
        "[entities.Book.properties]",
        "_property.j2",
    ):
        assert part in out


def lines_of(explain: Explain, project: Fragment, file: str) -> Callable[[str], tuple[int, str, str]]:
    path = project.path / file
    text = path.read_text("utf-8").splitlines()

    def at(part: str) -> tuple[int, str, str]:
        line = next(n for n, line in enumerate(text, 1) if part in line)
        return explain(f"{path}:{line}")

    return at


def test_lines_of_generated_files(explain: Explain, project: Fragment) -> None:
    project.generate()
    at = lines_of(explain, project, "entities/book.py")
    assert at("async def get(")[1].startswith("library.LibraryService.GetBook  ")
    assert at("titled: str")[1].startswith("library.LibraryService.ListBooks  ")
    assert at("await unary(caller, LibraryService.DISCARD_BOOK")[1].startswith("library.LibraryService.DiscardBook  ")
    assert at("def title(")[1].startswith("Book.title  (library/books.proto:")
    assert "belongs to no method, property, RPC or message" in at("from __future__")[2]
    messages = lines_of(explain, project, "messages/library/books.py")
    assert messages("class BookId(")[1].startswith("library.BookId  (library/books.proto:")
    services = lines_of(explain, project, "services/library/library_service.py")
    assert services("LIST_BOOKS: Final")[1].startswith("library.LibraryService.ListBooks  ")
    clients = lines_of(explain, project, "clients/library/library_service.py")
    assert clients("await unary(self.client, LibraryService.GET_BOOK")[1].startswith("library.LibraryService.GetBook  ")


def test_lines_that_are_none(explain: Explain, project: Fragment) -> None:
    project.generate()
    path = project.path / "entities/book.py"
    assert "error: the file has" in explain(f"{path}:100000")[2]
    assert "is not a generated file of" in explain(f"{project.config_path.parent / 'x.py'}:1")[2]
    assert "is not a generated file of" in explain("nowhere.py:1")[2]


def test_a_method_that_can_not_be_linked_does_not_hide_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = library(tmp_path, TOML.replace("GetBook = {}", 'GetBook = { items = "boook" }'))
    assert cli.main(["explain", "--config", str(wrong.config_path), "GetBook"]) == 0
    said = capsys.readouterr().out
    assert "undecided: library.GetBookResponse has no field at 'boook'" in said
    assert "table      codegen.toml:" in said
    assert cli.main(["explain", "--config", str(wrong.config_path), "Book.listall"]) == 0
    assert "method     Book.listall(" in capsys.readouterr().out


def test_lines_in_enums_and_services(explain: Explain, project: Fragment) -> None:
    project.generate()
    messages = lines_of(explain, project, "messages/library/books.py")
    code, out, _ = messages("SHELVED = 1")
    assert code == 0 and out.startswith("library.BookState  (library/books.proto:")
    assert "     1  SHELVED: BOOK_STATE_SHELVED\n" in out
    services = lines_of(explain, project, "services/library/library_service.py")
    code, out, _ = services("class LibraryService:")
    assert code == 0 and out.startswith("library.LibraryService  (library/books.proto:")
    assert "  rpc        GetBook: library.GetBookRequest -> library.GetBookResponse\n" in out
    book = lines_of(explain, project, "entities/book.py")
    assert "belongs to the entity Book as a whole: [entities.Book] in codegen.toml:" in book("_REPR")[2]


def test_places_that_explain_prints_itself(explain: Explain, project: Fragment) -> None:
    _, out, _ = explain("Book.get")
    found = re.search(r"\(library/books\.proto:\d+\)", out)
    table = re.search(r"codegen\.toml:\d+", out)
    assert found and table
    for place in (found[0].strip("()"), table[0], f"protos/{found[0].strip('()')}", str(project.root / table[0])):
        assert explain(place)[1] == explain("GetBook")[1]
    lines = project.config_path.read_text("utf-8").splitlines()
    title = lines.index('title = "title"') + 1
    assert explain(f"codegen.toml:{title}")[1] == explain("Book.title")[1]
    header = lines.index("[entities.Book]") + 1
    for place, complaint in (
        (f"codegen.toml:{header}", "is entities.Book, which is no method or property"),
        ("codegen.toml:9999", "no table or key starts at this line"),
        ("other.toml:1", "is not codegen.toml"),
        ("library/books.proto:1", "no RPC, service, message or enum is defined at this line"),
    ):
        code, _, err = explain(place)
        assert code == 1 and complaint in err, place


def test_names_and_lines_that_can_not_be(explain: Explain, project: Fragment) -> None:
    project.generate()
    assert "there is no such line: the first is line 1" in explain(f"{project.path / 'entities/book.py'}:0")[2]
    for name in ("", " "):
        code, _, err = explain(name)
        assert code == 1 and "explain: error: the name is empty" in err


def test_errors_that_do_not_concern_the_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = 'GetBook = { name = "copy", params = { nothing = "x" } }'
    made = library(tmp_path, TOML.replace("GetBook = {}", methods))
    for name in ("GetBook", "Book.copy"):
        assert cli.main(["explain", "--config", str(made.config_path), name]) == 0
        said = capsys.readouterr().out
        assert "  error      [entities.Book.methods.GetBook] params names nothing, which is not a field" in said
        assert "undecided" not in said
    broken = library(tmp_path, TOML.replace("GetBook = {}", 'GetBook = { items = "boook" }'))
    assert cli.main(["explain", "--config", str(broken.config_path), "Book.get"]) == 0
    assert "undecided: library.GetBookResponse has no field at 'boook'" in capsys.readouterr().out
