"""Lists that come in pages: all styles in use are read to the end, and what only seems to have pages is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.paths import at_path
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

TOML = '[entities.Pen]\nmessage = "test.Pen"\nservice = "test.Pens"\nidentity = "name"\n[entities.Pen.methods]\n'
TOTAL = 25

# The fields of request and reply, the setting, and the paths of size, token and next token.
STYLES = {
    "bytes": ("int32 page_size = 1; bytes next_page_token = 2;", "bytes next_page_token = 2;", "",
              ("page_size", "next_page_token", "next_page_token")),
    "cursor": ("int32 limit = 1; string cursor = 2;", "string next_cursor = 2;", "", ("limit", "cursor", "next_cursor")),
    "next token": ("int32 max_results = 1; string next_token = 2;", "string next_token = 2;", "",
                   ("max_results", "next_token", "next_token")),
    "token alone": ("string page_token = 2;", "string next_page_token = 2;", "", ("", "page_token", "next_page_token")),
    "in messages": ("Asked paging = 1;", "Answered paging = 2;", "", ("", "paging.key", "paging.next_key")),
    "integers": ("int32 count = 1; int64 last_id = 2;", "int64 last_id = 2;",
                 'pages = { token = "last_id", next = "last_id", size = "count" }', ("count", "last_id", "last_id")),
    "declared": ("Asked at = 1;", "Answered at = 2;",
                 'pages = { token = "at.key", next = "at.next_key", size = "at.count" }',
                 ("at.count", "at.key", "at.next_key")),
}  # fmt: skip


def definitions(asked: str, answered: str) -> str:
    return proto(
        f"""
        message Pen {{ string name = 1; }}
        message Asked {{ bytes key = 1; int32 count = 2; }}
        message Answered {{ bytes next_key = 1; }}
        message ListPensRequest {{ {asked} }}
        message ListPensResponse {{ repeated Pen pens = 1; {answered} }}
        service Pens {{ rpc ListPens(ListPensRequest) returns (ListPensResponse); }}
        """
    )


@pytest.mark.parametrize("style", STYLES)
async def test_every_page_is_read(fragment: Callable[..., Fragment], style: str) -> None:
    asked, answered, pages, (size, token, following) = STYLES[style]
    made = fragment(definitions(asked, answered), f"{TOML}ListPens = {{ {pages} }}\n").generate()
    pen, reply, inner = (made.get(f"messages.test.test:{name}") for name in ("Pen", "ListPensResponse", "Answered"))
    sizes = []

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def list_pens(self, request: Any, call: ServerCall) -> Any:
            if size:
                sizes.append(at_path(request, size))
            asked_for = at_path(request, token)
            start = int(asked_for or 0)
            stop = start + 10
            text = str(stop) if stop < TOTAL else ""
            convert = {bytes: str.encode, int: lambda text: int(text or 0), str: str}[type(asked_for)]
            holder, _, name = following.rpartition(".")
            after = {holder: inner(**{name: convert(text)})} if holder else {name: convert(text)}
            return reply(pens=[pen(name=str(n)) for n in range(start, min(stop, TOTAL))], **after)

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        entity = made.get("entities.pen:PenBase")
        names = [item.pb2.name async for item in entity.listall(client=client, page_size=10)]
        assert names == [str(n) for n in range(TOTAL)]
        assert sizes == ([10, 10, 10] if size else [])
        first = await entity.listall(client=client).page("", 10)
        second = await entity.listall(client=client).page(first.token, 10)
        assert isinstance(first.token, str) and [item.pb2.name for item in second.items][:1] == ["10"]
        if style in ("bytes", "integers"):
            with pytest.raises(ValueError, match="'%' is not a page token of this listing"):
                await entity.listall(client=client).page("%", 10)


@pytest.mark.parametrize(
    ("asked", "answered", "told"),
    [
        ("", "string next_link = 2;", "next_link in the reply"),
        ("int32 page = 1;", "", "page in the request"),
        ("int32 offset = 1;", "bool has_more = 2;", "offset in the request and has_more in the reply"),
        ("string cursor = 1;", "bytes next_cursor = 2;", "cursor in the request and next_cursor in the reply"),
        ("Asked paging = 1;", "", "paging in the request"),
        ("string start_after = 1;", "", "start_after in the request"),
    ],
)
def test_what_seems_to_have_pages_is_refused(
    fragment: Callable[..., Fragment],
    mistakes: Callable[[Fragment], list[Diagnostic]],
    asked: str,
    answered: str,
    told: str,
) -> None:
    (found,) = mistakes(fragment(definitions(asked, answered), f"{TOML}ListPens = {{}}\n"))
    assert found.message == f"test.Pens.ListPens seems to have pages, of which only the first would be read: {told}"
    assert "under [entities.Pen.methods.ListPens], add pages = { token" in found.remedy and "pages = {}" in found.remedy


@pytest.mark.parametrize(
    ("asked", "answered", "setting"),
    [
        ("int32 page = 1;", "", 'params = { page = "leaf" }'),
        ("int32 page = 1;", "", 'omit = ["page"]'),
        ("int32 page = 1;", "string next_link = 2;", "pages = {}"),
        ("int32 max_pages_per_pen = 1 [deprecated = true];", "", ""),
    ],
)
def test_one_reply_has_all(fragment: Callable[..., Fragment], asked: str, answered: str, setting: str) -> None:
    made = fragment(definitions(asked, answered), f"{TOML}ListPens = {{ {setting} }}\n").generate()
    assert "page_size" not in (made.path / "entities/pen.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ('{ token = "cursor" }', "pages has the keys token"),
        ('{ token = "cursor", next = "nxt" }', "test.ListPensResponse has no field at 'nxt'"),
        (
            '{ token = "cursor", next = "next_cursor", size = "paging.count" }',
            "token and size are in different messages",
        ),
        ('{ token = "cursor", next = "pens" }', "the tokens are message and string"),
        ('{ token = "cursor", next = "next_cursor", size = "cursor" }', "size is string"),
    ],
)
def test_mistakes_in_pages(
    fragment: Callable[..., Fragment], mistakes: Callable[[Fragment], list[Diagnostic]], pages: str, message: str
) -> None:
    made = fragment(
        definitions("string cursor = 1; Asked paging = 2;", "string next_cursor = 2;"),
        f"{TOML}ListPens = {{ pages = {pages} }}\n",
    )
    (found,) = mistakes(made)
    assert found.message.startswith(f"[entities.Pen.methods.ListPens] pages: {message}")


def test_a_size_without_a_token_is_told_as_such(
    tmp_path: Path, mistakes: Callable[[Fragment], list[Diagnostic]]
) -> None:
    body = proto(
        """
message Thing { string id = 1; }
message ListThingsRequest { int32 limit = 1; }
message ListThingsResponse { repeated Thing things = 1; }
service Things { rpc ListThings(ListThingsRequest) returns (ListThingsResponse); }
"""
    )
    toml = '[entities.Thing]\nservice = "test.Things"\nmethods.ListThings = {}\n'
    (found,) = mistakes(Fragment(tmp_path, {"test/test.proto": body}, toml))
    assert "the parameter limit is one that every list has by itself" in found.message
    assert 'pages = { token = "PATH", next = "PATH", size = "PATH" } if it is the size of a page' in found.remedy
