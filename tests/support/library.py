"""A made-up control plane, for tests of what is generated: books that are listed, fetched, followed and discarded."""

from __future__ import annotations

from pathlib import Path

from support.fragments import Fragment, proto

COMMON = proto(
    """
// What lists have in common.
message ListRequest {
  uint32 limit = 1;
  string token = 2;
  repeated Filter filters = 3;
  repeated Sort sort_by = 4;
}
message Filter {
  enum Function { EQUAL = 0; VALUE_IN = 1; CONTAINS = 2; GREATER_THAN_OR_EQUAL = 3; LESS_THAN = 4; }
  Function function = 1;
  string field = 2;
  repeated string values = 3;
}
message Sort {
  enum Direction { DESCENDING = 0; ASCENDING = 1; }
  string key = 1;
  Direction direction = 2;
}
""",
    package="library.common",
)

BOOKS = proto(
    """
import "google/protobuf/timestamp.proto";
import "library/common.proto";

// Where a book is.
enum BookState {
  BOOK_STATE_UNSPECIFIED = 0;
  // On its shelf.
  BOOK_STATE_SHELVED = 1;
  // With a reader.
  BOOK_STATE_LENT = 2;
  // Gone for good.
  BOOK_STATE_DISCARDED = 3;
}

// What names a book.
message BookId {
  string org = 1;
  string project = 2;
  string domain = 3;
  // Name of the book.
  string name = 4;
}

// A book.
message Book {
  BookId id = 1;
  // As printed on its cover.
  string title = 2;
  BookState state = 3;
  // When it left the press.
  google.protobuf.Timestamp printed_at = 4;
  map<string, string> labels = 5;
  repeated string authors = 6;
  optional int32 rating = 7;
  oneof origin {
    // Who gave it.
    string donor = 8;
    int64 price = 9;
  }
}

message ListBooksRequest {
  library.common.ListRequest request = 1;
  BookId scope = 2;
  // Only those that may be lent.
  bool lendable_only = 3;
  repeated string shelves = 4;
  string old_filter = 5 [deprecated = true];
}
message ListBooksResponse { repeated Book books = 1; string token = 2; }
message GetBookRequest { BookId id = 1; }
message GetBookResponse { Book book = 1; }
message WatchBookRequest { BookId id = 1; }
message WatchBookResponse { Book book = 1; }
message DiscardBookRequest {
  BookId id = 1;
  // Why.
  string reason = 2;
}
message DiscardBookResponse {}

// Keeps books.
service LibraryService {
  rpc ListBooks(ListBooksRequest) returns (ListBooksResponse);
  // Fetches a book.
  rpc GetBook(GetBookRequest) returns (GetBookResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc WatchBook(WatchBookRequest) returns (stream WatchBookResponse);
  rpc DiscardBook(DiscardBookRequest) returns (DiscardBookResponse);
}
""",
    package="library",
)

PROTOS = {"library/common.proto": COMMON, "library/books.proto": BOOKS}

TOML = """
[effects]
read = ["library.LibraryService.ListBooks"]

[scope."library.BookId"]
org = "org"
project = "project"
domain = "domain"

[listing]
request = "library.common.ListRequest"
filter = "library.common.Filter"
sort = "library.common.Sort"
filters_field = "filters"
sort_field = "sort_by"

[rules."library.BookId.name"]
min_len = 1
max_len = 12

[filters.in_state]
field = "state"
kind = "enum"
enum = "library.BookState"
doc = "Only those in one of these states."

[filters.titled]
field = "title"
kind = "equal"
doc = "Only those of this title."

[filters.on_shelf]
field = "title"
kind = "prefix"
doc = "Only those whose title begins with this and a dot."

[filters.printed_at]
field = "printed_at"
kind = "time"
doc = "Only those printed in this span."

[entities.Book]
message = "library.Book"
service = "library.LibraryService"
identity = "id"
doc = "A book on a shelf."

[entities.Book.properties]
name = "id.name"
title = "title"
state = "state"
printed_at = "printed_at"
labels = "labels"
authors = "authors"
rating = "rating"
donor = "donor"
id = "id"

[entities.Book.methods]
GetBook = {}
WatchBook = { final = "gone" }
DiscardBook = { missing_ok = true }

[entities.Book.methods.ListBooks]
doc = "List books."
sort = "-printed_at"
filters = ["in_state", "titled", "on_shelf", "printed_at"]
omit = ["scope.name"]
"""


def library(root: Path, toml: str = TOML, **protos: str) -> Fragment:
    """The library as a project in a folder."""
    return Fragment(root, {**PROTOS, **protos}, toml)
