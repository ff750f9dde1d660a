"""The pages of lists: which fields of a request and a reply carry page size and tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from flyte_codegen.definitions.model import Api, Field, Label, Message, Method
from flyte_codegen.diagnostics import CodegenError, fail


@attrs.frozen
class Style:
    """Field names of the request: page size ("" for none) and page token."""

    size: str
    token: str


TOKENS = (
    ("token", "token"),
    ("page_token", "next_page_token"),
    ("next_page_token", "next_page_token"),
    ("cursor", "next_cursor"),
    ("next_token", "next_token"),
    ("key", "next_key"),
    ("continuation_token", "next_continuation_token"),
)
"""Names of tokens in requests and replies."""
SIZES = ("limit", "page_size", "max_results", "per_page")
FIRST_STYLE = Style("limit", "token")
"""The names that the runtime uses by default."""

_PAIRS = {"token": "limit", "page_token": "page_size"}
"""The size that goes with a token, if both may be there."""
_LOOKS = frozenset(
    {"token", "cursor", "next", "page", "pages", "paging", "pagination", "offset", "continue", "continuation", "more"}
)
_LOOKS_WHOLE = frozenset({"last_id", "start_after", "starting_after", "skip"})
_INTEGERS = frozenset({"int32", "int64", "uint32", "uint64"})


@attrs.frozen
class Pages:
    """How a list is read page by page."""

    style: Style
    holder: str
    """The field of the request with page size and token; "" for the request itself."""
    next: str
    """The path of the next page's token in the reply."""
    why: str


def pages_of(
    api: Api, method: Method, items: list[str], *, declared: Mapping[str, str] | None, table: str, sized: bool
) -> Pages | None:
    """Return how a list is read page by page; None if nothing says how.

    Args:
        api: All definitions.
        method: The RPC.
        items: Paths of its items in the reply.
        declared: `pages` in codegen.toml.
        table: The method's table, for errors.
        sized: Whether a page size is needed, because nothing else says that this is a list.

    Raises:
        CodegenError: `declared` names a field that does not exist or does not fit.
    """
    if declared is not None:
        return _declared(api, method, declared, table) if declared else None
    request, reply = api.messages[method.request], api.messages[method.response]
    for token, following in TOKENS:
        for holder, message in _holders(api, request):
            size = _size(message, token)
            if (sized and not size) or not _is_token(message.field(token)):
                continue
            if path := _next_token(api, reply, following, items, message.field(token)):
                style = Style(size, token)
                sizes = f"{size} and {token}" if size else token
                return Pages(style, holder, path, f"{sizes} in the request, {following} in the reply")
    return None


def unused_fields(api: Api, method: Method, items: list[str], settled: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the fields of request and reply that look like paging, except those that codegen.toml names."""
    request, reply = api.messages[method.request], api.messages[method.response]
    asked = [f.name for f in request.fields if _looks_like_paging(f) and not _named(f.name, settled)]
    beside = [
        api.messages.get(field.type_name)
        for field in reply.fields
        if any(p.startswith(f"{field.py_name}.") for p in items)
    ]
    answered = [f.name for message in (reply, *beside) if message for f in message.fields if _looks_like_paging(f)]
    return asked, answered


def field_at(api: Api, message: Message | None, path: str) -> Field | None:
    """The field at a dotted path."""
    field: Field | None = None
    for name in path.split("."):
        field = next((f for f in message.fields if f.py_name == name), None) if message else None
        message = api.messages.get(field.type_name) if field else None
    return field


def _declared(api: Api, method: Method, pages: Mapping[str, str], table: str) -> Pages:
    request, reply = api.messages[method.request], api.messages[method.response]
    if set(pages) - {"token", "next", "size"} or not {"token", "next"} <= set(pages):
        raise _wrong(
            method, table, f"pages has the keys {', '.join(pages)}", "it takes token and next, and size if there is one"
        )
    fields: dict[str, Field] = {}
    for key, path in pages.items():
        message = reply if key == "next" else request
        found = field_at(api, message, path)
        if found is None:
            raise _wrong(method, table, f"{message.full_name} has no field at {path!r}", f"correct {key}")
        fields[key] = found
    holder, _, token = pages["token"].rpartition(".")
    other, _, size = pages.get("size", "").rpartition(".")
    if ("size" in pages and other != holder) or "." in holder:
        raise _wrong(
            method,
            table,
            "token and size are in different messages",
            "both must be in the request, or in one field of it",
        )
    kinds = {fields["token"].kind, fields["next"].kind}
    if len(kinds) > 1 or not kinds <= {"string", "bytes", *_INTEGERS}:
        raise _wrong(
            method, table, f"the tokens are {' and '.join(sorted(kinds))}", "both must be strings, bytes or integers"
        )
    if "size" in pages and fields["size"].kind not in _INTEGERS:
        raise _wrong(method, table, f"size is {fields['size'].kind}", "it must be an integer")
    style = Style(size, token)
    return Pages(style, holder, pages["next"], "codegen.toml declares its pages")


def _wrong(method: Method, table: str, what: str, remedy: str) -> CodegenError:
    return fail(method.place, f"[{table}] pages: {what}", remedy)


def _holders(api: Api, request: Message) -> list[tuple[str, Message]]:
    """The request, and the messages in it that may hold page size and token."""
    inner = [(f.py_name, api.messages.get(f.type_name)) for f in request.fields if f.label is Label.OPTIONAL]
    return [("", request), *((name, message) for name, message in inner if message)]


def _size(message: Message, token: str) -> str:
    names = [_PAIRS[token]] if token in _PAIRS else []
    found = [name for name in (*names, *SIZES) if (field := message.field(name)) and field.kind in _INTEGERS]
    return found[0] if found else ""


def _next_token(api: Api, reply: Message, name: str, items: list[str], token: Field | None) -> str:
    """The path of the next page's token: beside the items, at the top, or in a message at the top."""
    beside = [".".join([*path.split(".")[:-1], name]) for path in items]
    inside = [f"{f.py_name}.{name}" for f in reply.fields if f.label is Label.OPTIONAL and f.type_name in api.messages]
    for path in (*beside, name, *inside):
        found = field_at(api, reply, path)
        if _is_token(found) and token is not None and found is not None and found.kind == token.kind:
            return path
    return ""


def _is_token(field: Field | None) -> bool:
    return field is not None and field.kind in ("string", "bytes") and field.label is not Label.REPEATED


def _looks_like_paging(field: Field) -> bool:
    if field.label in (Label.REPEATED, Label.MAP) or field.deprecated:
        return False
    return field.name in _LOOKS_WHOLE or not _LOOKS.isdisjoint(field.name.split("_"))


def _named(name: str, settled: Collection[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for path in settled)
