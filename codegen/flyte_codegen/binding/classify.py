"""Classify RPCs by the shape of their messages. An ambiguous shape is an error; the generator never guesses."""

from __future__ import annotations

import enum

import attrs

from flyte_codegen.definitions.model import Api, Field, Label, Message, Method
from flyte_codegen.diagnostics import CodegenError, fail


class Kind(enum.Enum):
    """The kinds of method that entities have."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    WATCH = "watch"
    STREAM = "stream"
    CALL = "call"
    UNSUPPORTED = "unsupported"


_STREAMING = (Kind.WATCH.value, Kind.STREAM.value)
_SINGLE = (Kind.LIST.value, Kind.GET.value, Kind.CREATE.value, Kind.CALL.value)


@attrs.frozen
class Style:
    """Field names for pagination: page size and page token in the request, next page token in the reply."""

    size: str
    token: str
    next_token: str


STYLES = (Style("limit", "token", "token"), Style("page_size", "page_token", "next_page_token"))


@attrs.frozen
class Shape:
    """The kind of a method and the reason for it, the path of the result in the reply, and the pagination."""

    kind: Kind
    why: str
    items: str = ""
    token: str = ""
    page: str = ""
    style: Style = STYLES[0]


def classify(
    api: Api,
    method: Method,
    *,
    kind: str = "",
    items: str = "",
    table: str = "",
    made_of: str = "",
    watches: bool = False,
) -> Shape:
    """Determine the kind of `method`.

    Args:
        api: All definitions.
        method: The RPC.
        kind: The kind set in codegen.toml, if any.
        items: The path of the result in the reply set in codegen.toml, if any.
        table: The method's table in codegen.toml, for remedies in errors.
        made_of: The message that the result is made of, if known. A reply of this type is the result itself.
        watches: Whether codegen.toml has a setting that only watches have.

    Raises:
        CodegenError: `kind` or `items` does not fit the RPC, the items of a list are ambiguous, or nothing says whether a
            stream is a watch.
    """
    if method.client_streaming:
        return Shape(Kind.UNSUPPORTED, "the client streams, which entity methods do not support")
    reply = api.messages[method.response]
    if items and field_at(api, reply, items) is None:
        raise fail(method.place, f"{method.response} has no field at {items!r}", f"correct items under [{table}]")
    kinds = _STREAMING if method.server_streaming else _SINGLE
    if kind and kind not in kinds:
        streams = "the server streams its replies" if method.server_streaming else "the server sends a single reply"
        remedy = f"under [{table}], remove kind, or set it to one of {', '.join(kinds)}"
        raise fail(method.place, f"{method.full_name} can't be a {kind}: {streams}", remedy)
    if method.server_streaming:
        return _streamed(method, reply, kind, items, table, made_of, watches)
    found = [items] if items else _repeated(api, reply)
    request = api.messages[method.request]
    paging = _paging(api, request, reply, found)
    named = method.name.startswith("List") and bool(found)
    itself = reply.full_name == made_of
    if kind == "list" or (not kind and not itself and (paging is not None or named)):
        if len(found) != 1:
            raise _ambiguous(method, found, table)
        return attrs.evolve(paging or _undivided(api, method, request, reply, found), items=found[0])
    if kind == "get" or (not kind and method.name.startswith("Get")):
        return Shape(Kind.GET, "its name starts with Get", items=items or single(reply, made_of))
    if kind == "create" or (not kind and method.name.startswith("Create") and _holds(api, reply, items, made_of)):
        return Shape(
            Kind.CREATE,
            "its name starts with Create, and its reply holds the new entity",
            items=items or single(reply, made_of),
        )
    return Shape(Kind.CALL, "a single request and reply", items=items)


def _streamed(method: Method, reply: Message, kind: str, items: str, table: str, made_of: str, watches: bool) -> Shape:
    """Tell a watch, which is opened again when it ends, from a stream that is opened once.

    Opening a finite stream again repeats its items for ever, and a watch that is opened once ends with its connection.
    """
    if kind == "stream":
        return Shape(Kind.STREAM, 'the server streams, and codegen.toml sets kind = "stream"', items=items)
    if kind or watches or method.name.startswith("Watch"):
        why = "codegen.toml says so" if kind or watches else "its name starts with Watch"
        return Shape(Kind.WATCH, f"the server streams, and {why}", items=items or single(reply, made_of))
    if method.name.startswith("List"):
        return Shape(Kind.STREAM, "the server streams, and its name starts with List", items=items)
    raise fail(
        method.place,
        f"{method.full_name} streams its replies, and nothing says whether it ends by itself",
        f'under [{table}], add kind = "stream" for a stream that ends, or kind = "watch" for one that goes on: the client opens '
        "it again when it breaks or ends",
    )


def field_at(api: Api, message: Message | None, path: str) -> Field | None:
    """The field at a dotted path."""
    field: Field | None = None
    for name in path.split("."):
        field = next((f for f in message.fields if f.py_name == name), None) if message else None
        message = api.messages.get(field.type_name) if field else None
    return field


def _ambiguous(method: Method, found: list[str], table: str) -> CodegenError:
    choices = " or ".join(f'items = "{path}"' for path in found) or 'items = "PATH"'
    message = f"{method.full_name} is a list, but its items could be any of: {', '.join(found) or 'none'}"
    return fail(method.place, message, f'under [{table}], add {choices}, or kind = "call"')


def _paging(api: Api, request: Message, reply: Message, found: list[str]) -> Shape | None:
    """Return the shape of a paged list, or None when request and reply do not share a pagination style."""
    for style in STYLES:
        page, token = _page(api, request, style), _next_token(api, reply, style, found)
        if page is not None and token:
            why = f"{style.size} and {style.token} in the request, {style.next_token} in the reply"
            return Shape(Kind.LIST, why, token=token, page=page, style=style)
    return None


def _undivided(api: Api, method: Method, request: Message, reply: Message, found: list[str]) -> Shape:
    """Return the shape of a list without pages, as its name or codegen.toml declares it."""
    for style in STYLES:
        if _page(api, request, style) is not None or _next_token(api, reply, style, found):
            message = (
                f"{method.full_name} has only half of the pagination fields, so all pages but the first would be lost"
            )
            names = f"{style.size} and {style.token} in the request, {style.next_token} in the reply"
            raise fail(method.place, message, f'add the missing fields ({names}), or set kind = "call"')
    return Shape(Kind.LIST, "its name or codegen.toml declares a list; the list has no pages")


def _next_token(api: Api, reply: Message, style: Style, found: list[str]) -> str:
    """The path of the next page's token: beside the items, or at the top."""
    paths = [*(_beside(path, style.next_token) for path in found), style.next_token]
    return next((path for path in paths if _is_text(field_at(api, reply, path))), "")


def _page(api: Api, request: Message, style: Style) -> str | None:
    """Return the path of the message with page size and token: "" for the request itself, None if there is none."""
    if request.field(style.size) and request.field(style.token):
        return ""
    for field in request.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner and inner.field(style.size) and inner.field(style.token):
            return field.py_name
    return None


def _beside(path: str, name: str) -> str:
    return ".".join([*path.split(".")[:-1], name])


def _is_text(field: Field | None) -> bool:
    return field is not None and field.kind == "string" and field.label is not Label.REPEATED


def _repeated(api: Api, reply: Message) -> list[str]:
    """Return paths of repeated messages in the reply, and in its sub-messages that have a next page token."""
    found = [f.py_name for f in reply.fields if _is_items(f)]
    for field in reply.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner and any(inner.field(style.next_token) for style in STYLES):
            found += [f"{field.py_name}.{f.py_name}" for f in inner.fields if _is_items(f)]
    return found


def _is_items(field: Field) -> bool:
    return field.label is Label.REPEATED and field.kind == "message"


def _holds(api: Api, reply: Message, items: str, made_of: str) -> bool:
    """Whether the reply is a `made_of` message or contains one."""
    path = items or single(reply, made_of)
    field = field_at(api, reply, path) if path else None
    return bool(made_of) and made_of == (field.type_name if field else reply.full_name)


def single(reply: Message, made_of: str) -> str:
    """Return the only message field of the reply; "" if the reply itself is a `made_of`, or the field is ambiguous."""
    if reply.full_name == made_of:
        return ""
    found = [f.py_name for f in reply.fields if f.kind == "message"]
    return found[0] if len(found) == 1 else ""
