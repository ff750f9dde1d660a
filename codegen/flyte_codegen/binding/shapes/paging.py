"""The pages of lists: which fields of a request and a reply carry page size and tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from flyte_codegen.definitions.field_paths import FieldPath, find
from flyte_codegen.definitions.model import Api, Field, Label, Message, Method
from flyte_codegen.diagnostics import CodegenError, fail

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
_FIRST = ("limit", "token")
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

    token: FieldPath
    """The page token in the request."""
    size: FieldPath | None
    """The page size in the request, in the same message; None for none."""
    next: FieldPath
    """The next page's token in the reply."""
    why: str

    @property
    def holder(self) -> FieldPath:
        """The field of the request with page size and token; empty for the request itself."""
        return self.token.parent

    @property
    def names(self) -> tuple[str, str] | None:
        """The names of page size ("" for none) and token, unless they are the runtime's defaults."""
        names = (self.size.last.py_name if self.size else "", self.token.last.py_name)
        return None if names == _FIRST else names


def pages_of(
    api: Api, method: Method, items: list[FieldPath], *, declared: Mapping[str, str] | None, table: str, sized: bool
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
    for name, following in TOKENS:
        for holder, message in _holders(api, request):
            token, size = message.field(name), _size(message, name)
            if token is None or not _is_token(token) or (sized and size is None):
                continue
            if next_ := _next_token(api, reply, following, items, token):
                sizes = f"{size.name} and {name}" if size else name
                why = f"{sizes} in the request, {following} in the reply"
                return Pages(holder / token, holder / size if size else None, next_, why)
    return None


def unused_fields(api: Api, method: Method, items: FieldPath, settled: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the fields of request and reply that look like paging, except those that codegen.toml names."""
    request, reply = api.messages[method.request], api.messages[method.response]
    asked = [f.name for f in request.fields if _looks_like_paging(f) and not _named(f.name, settled)]
    beside = [api.messages[items.fields[0].type_name]] if len(items) > 1 else []
    answered = [f.name for message in (reply, *beside) for f in message.fields if _looks_like_paging(f)]
    return asked, answered


def has_next_token(message: Message) -> bool:
    """Whether a message has a field with the name of a next page's token."""
    return any(message.field(name) for _, name in TOKENS)


def _declared(api: Api, method: Method, pages: Mapping[str, str], table: str) -> Pages:
    request, reply = api.messages[method.request], api.messages[method.response]
    if set(pages) - {"token", "next", "size"} or not {"token", "next"} <= set(pages):
        raise _wrong(
            method, table, f"pages has the keys {', '.join(pages)}", "it takes token and next, and size if there is one"
        )
    fields: dict[str, FieldPath] = {}
    for key, path in pages.items():
        message = reply if key == "next" else request
        found = find(api, message, path)
        if found is None:
            raise _wrong(method, table, f"{message.full_name} has no field at {path!r}", f"correct {key}")
        fields[key] = found
    token, following, size = fields["token"], fields["next"], fields.get("size")
    if (size and size.parent != token.parent) or len(token) > 2:
        raise _wrong(
            method,
            table,
            "token and size are in different messages",
            "both must be in the request, or in one field of it",
        )
    kinds = {token.last.kind, following.last.kind}
    if len(kinds) > 1 or not kinds <= {"string", "bytes", *_INTEGERS}:
        raise _wrong(
            method, table, f"the tokens are {' and '.join(sorted(kinds))}", "both must be strings, bytes or integers"
        )
    if size and size.last.kind not in _INTEGERS:
        raise _wrong(method, table, f"size is {size.last.kind}", "it must be an integer")
    return Pages(token, size, following, "codegen.toml declares its pages")


def _wrong(method: Method, table: str, what: str, remedy: str) -> CodegenError:
    return fail(method.place, f"[{table}] pages: {what}", remedy)


def _holders(api: Api, request: Message) -> list[tuple[FieldPath, Message]]:
    """The request, and the messages in it that may hold page size and token."""
    inner = [(FieldPath((f,)), api.messages.get(f.type_name)) for f in request.fields if f.label is Label.OPTIONAL]
    return [(FieldPath(), request), *((path, message) for path, message in inner if message)]


def _size(message: Message, token: str) -> Field | None:
    names = [_PAIRS[token]] if token in _PAIRS else []
    found = (message.field(name) for name in (*names, *SIZES))
    return next((field for field in found if field and field.kind in _INTEGERS), None)


def _next_token(api: Api, reply: Message, name: str, items: list[FieldPath], token: Field) -> FieldPath | None:
    """The path of the next page's token: beside the items, at the top, or in a message at the top."""
    beside = [".".join([*str(path.parent).split("."), name]).lstrip(".") for path in items]
    inside = [f"{f.name}.{name}" for f in reply.fields if f.label is Label.OPTIONAL and f.type_name in api.messages]
    for path in (*beside, name, *inside):
        found = find(api, reply, path)
        if found and _is_token(found.last) and found.last.kind == token.kind:
            return found
    return None


def _is_token(field: Field) -> bool:
    return field.kind in ("string", "bytes") and field.label is not Label.REPEATED


def _looks_like_paging(field: Field) -> bool:
    if field.label in (Label.REPEATED, Label.MAP) or field.deprecated:
        return False
    return field.name in _LOOKS_WHOLE or not _LOOKS.isdisjoint(field.name.split("_"))


def _named(name: str, settled: Collection[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for path in settled)
