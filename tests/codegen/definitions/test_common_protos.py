"""Google's common definitions: where to get them, how they are used, and long-running operations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
Command = Callable[..., tuple[int, str, str]]
INSTALL = "run `pip install --no-deps --target third_party googleapis-common-protos`"
INCLUDE = '[input]\nprotos = ["protos"]\ninclude = ["third_party"]\n'
# Another test environment, which may have the package.
INSTALLED = sorted(Path(__file__).parents[3].glob(".reference/lib/python*/site-packages/google"))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("google/api/annotations.proto", INSTALL),
        ("google/type/date.proto", INSTALL),
        ("google/rpc/status.proto", INSTALL),
        ("google/logging/type/log_severity.proto", INSTALL),
        ("google/longrunning/operations_proto.proto", INSTALL),
        ("google/longrunning/operations.proto", "import google/longrunning/operations_proto.proto, its name in googleapis-common-protos"),
        ("google/longrunning/operations.proto", INSTALL),
        ("google/storage/v2/storage.proto", "add its folder to [input] include"),
    ],
)  # fmt: skip
def test_where_an_import_is_to_be_had(fragment: Make, command: Command, name: str, remedy: str) -> None:
    made = fragment(proto(f'import "{name}";\nmessage A {{}}'))
    code, out, err = command(made, "generate")
    assert (code, out) == (1, "")
    assert err.startswith(f"test/test.proto:3:1: error: the imported file {name} was not found\n    ")
    assert remedy in err
    assert (INSTALL in err) == ('add "third_party" to [input] include' in err)


# Written by us, with the original names and numbers.
COMMON = {
    "google/api/annotations.proto": """syntax = "proto3";
package google.api;
import "google/api/http.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
""",
    "google/api/http.proto": """syntax = "proto3";
package google.api;
message HttpRule { oneof pattern { string get = 2; string post = 4; } string body = 7; }
""",
    "google/longrunning/operations_proto.proto": """syntax = "proto3";
package google.longrunning;
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { OperationInfo operation_info = 1049; }
message OperationInfo { string response_type = 1; string metadata_type = 2; }
message Operation {
  string name = 1;
  google.protobuf.Any metadata = 2;
  bool done = 3;
  oneof result { google.protobuf.Any response = 5; }
}
message GetOperationRequest { string name = 1; }
service Operations { rpc GetOperation(GetOperationRequest) returns (Operation); }
""",
}
LIBRARY = proto(
    """
import "google/api/annotations.proto";
import "google/longrunning/operations_proto.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { string audience = 50001; }
message Book { string name = 1; }
message GetBookRequest { string name = 1; }
message ExportBookRequest { string name = 1; }
message ExportBookResponse { string url = 1; }
message Progress { int32 percent = 1; }
service Books {
  rpc GetBook(GetBookRequest) returns (Book) {
    option (google.api.http) = { get: "/v1/{name=shelves/*/books/*}" };
    option (audience) = "all";
  }
  // Write the book out.
  rpc ExportBook(ExportBookRequest) returns (google.longrunning.Operation) {
    option (google.api.http) = { post: "/v1/{name=shelves/*/books/*}:export" body: "*" };
    option (google.longrunning.operation_info) = { response_type: "ExportBookResponse" metadata_type: "v1.Progress" };
  }
  rpc BurnBook(GetBookRequest) returns (google.longrunning.Operation);
  rpc FollowBook(GetBookRequest) returns (stream google.longrunning.Operation);
}
""",
    package="lib.v1",
)
TOML = """[entities.Book]
message = "lib.v1.Book"
service = "lib.v1.Books"
identity = "name"
[entities.Book.methods]
GetBook = {}
ExportBook = {}
BurnBook = {}
"""
REPORT = """\
google.longrunning.Operations.GetOperation -> only OperationsClient.get_operation
lib.v1.Books.BurnBook -> Book.burn (long-running: replies with google.longrunning.Operation)
lib.v1.Books.ExportBook -> Book.export (long-running: replies with google.longrunning.Operation)
lib.v1.Books.FollowBook -> only BooksClient.follow_book
lib.v1.Books.GetBook -> Book.get
"""


@pytest.fixture
def books(fragment: Make) -> Fragment:
    made = fragment({"lib/v1/books.proto": LIBRARY}, INCLUDE + TOML)
    for name, text in COMMON.items():
        path = made.root / "third_party" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return made


def test_operations_are_marked(books: Fragment, command: Command) -> None:
    assert command(books, "report")[:2] == (0, REPORT)
    marked = {
        item["rpc"].rpartition(".")[2]: item["long_running"]
        for item in json.loads(command(books, "report", "--json")[1])
    }
    assert [name for name, long in marked.items() if long] == ["BurnBook", "ExportBook"]


@pytest.mark.parametrize(
    ("rpc", "line"),
    [
        ("ExportBook", ", result lib.v1.ExportBookResponse, metadata lib.v1.Progress"),
        ("BurnBook", ""),
        ("FollowBook", None),
        ("GetOperation", None),
    ],
)
def test_operations_are_explained(books: Fragment, command: Command, rpc: str, line: str | None) -> None:
    code, out, _ = command(books, "explain", rpc)
    assert code == 0
    lines = [text for text in out.splitlines() if "operation " in text]
    assert lines == (
        [] if line is None else [f"  operation  long-running: replies with google.longrunning.Operation{line}"]
    )


async def test_a_method_that_starts_an_operation_returns_it(books: Fragment, command: Command) -> None:
    assert command(books, "generate")[0] == 0
    types, common = books.load("messages.lib.v1.books"), books.load("messages.google.longrunning.operations_proto")
    any_of = books.get("messages.google.protobuf.any:Any")

    class Books(books.get("services.lib.v1.books:BooksBase")):  # type: ignore[misc]
        async def get_book(self, request: Any, call: ServerCall) -> Any:
            return types.Book(name=request.name)

        async def export_book(self, request: Any, call: ServerCall) -> Any:
            reply = types.ExportBookResponse(url=f"https://example.com/{request.name}")
            return common.Operation(name="operations/1", done=True, response=any_of.of(reply))

    async with await serve([Books()]) as running, Client(running.endpoint, timeout=20) as client:
        book = await books.get("entities.book:BookBase").get.aio(name="emma", client=client)
        found = await book.export.aio()
    assert type(found) is common.Operation
    assert (found.name, found.done) == ("operations/1", True)
    assert found.response.unpack(types.ExportBookResponse).url == "https://example.com/emma"


@pytest.mark.skipif(not INSTALLED, reason="no environment with googleapis-common-protos; make .reference/ready")
def test_the_advice_holds_for_the_package_as_it_is(fragment: Make, command: Command) -> None:
    made = fragment({"lib/v1/books.proto": LIBRARY}, INCLUDE + TOML)
    (made.root / "third_party").mkdir()
    (made.root / "third_party/google").symlink_to(INSTALLED[0])
    code, _, err = command(made, "generate")
    assert (code, err) == (0, "")
    assert [line for line in command(made, "report")[1].splitlines() if line.startswith("lib.")] == REPORT.splitlines()[
        1:
    ]
    assert made.get("services.lib.v1.books:Books").EXPORT_BOOK.response_type.FULL_NAME == "google.longrunning.Operation"
