"""What kind of method an RPC is, by the shape of its messages; where the shape leaves a choice, nobody guesses."""

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
    """How a list method calls the size and the token of a page in its request, and the next token in its reply."""

    size: str
    token: str
    next_token: str


STYLES = (Style("limit", "token", "token"), Style("page_size", "page_token", "next_page_token"))


@attrs.frozen
class Shape:
    """The kind of a method and why; where its reply holds what is asked for, and how it is divided into pages."""

    kind: Kind
    why: str
    items: str = ""
    token: str = ""
    page: str = ""
    style: Style = STYLES[0]


def classify(api: Api, method: Method, *, kind: str = "", items: str = "", table: str = "", made_of: str = "") -> Shape:
    """Tell the kind of `method`.

    Args:
        api: All definitions.
        method: The RPC.
        kind: The kind that codegen.toml says, if it does.
        items: The path of what is asked for in the reply that codegen.toml says, if it does.
        table: The method's table in codegen.toml, which errors say to complete.
        made_of: The message that is asked for, when it is known. A reply that is this message holds nothing else.

    Raises:
        CodegenError: The shape fits a list in more than one way, or is none, and codegen.toml does not choose.
    """
    if method.client_streaming:
        return Shape(Kind.UNSUPPORTED, "the client streams, which no entity method does")
    reply = api.messages[method.response]
    if items and field_at(api, reply, items) is None:
        raise fail(method.place, f"{method.response} has no field at {items!r}", f"correct items under [{table}]")
    kinds = _STREAMING if method.server_streaming else _SINGLE
    if kind and kind not in kinds:
        streams = "the server streams its replies" if method.server_streaming else "the server sends a single reply"
        remedy = f"under [{table}], remove kind, or make it one of {', '.join(kinds)}"
        raise fail(method.place, f"{method.full_name} can't be a {kind}: {streams}", remedy)
    if method.server_streaming:
        if kind == "stream":
            return Shape(Kind.STREAM, "the server streams, and codegen.toml says that it is opened once", items=items)
        return Shape(Kind.WATCH, "the server streams", items=items or single(reply, made_of))
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
        return Shape(Kind.CREATE, "it makes what its reply holds", items=items or single(reply, made_of))
    return Shape(Kind.CALL, "a single request and reply", items=items)


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
    """How a method is divided into pages; None when its request and its reply don't agree on a style."""
    for style in STYLES:
        page, token = _page(api, request, style), _next_token(api, reply, style, found)
        if page is not None and token:
            why = f"{style.size} and {style.token} in the request, {style.next_token} in the reply"
            return Shape(Kind.LIST, why, token=token, page=page, style=style)
    return None


def _undivided(api: Api, method: Method, request: Message, reply: Message, found: list[str]) -> Shape:
    """The shape of a list without pages, which its name or codegen.toml says it is."""
    for style in STYLES:
        if _page(api, request, style) is not None or _next_token(api, reply, style, found):
            message = f"{method.full_name} has only one half of paging, so all pages but the first would be lost"
            names = f"{style.size} and {style.token} in the request, {style.next_token} in the reply"
            raise fail(method.place, message, f'complete it ({names}), or generate it with kind = "call"')
    return Shape(Kind.LIST, "its name or codegen.toml says so; it has no pages")


def _next_token(api: Api, reply: Message, style: Style, found: list[str]) -> str:
    """The path of the next page's token: beside the items, or at the top."""
    paths = [*(_beside(path, style.next_token) for path in found), style.next_token]
    return next((path for path in paths if _is_text(field_at(api, reply, path))), "")


def _page(api: Api, request: Message, style: Style) -> str | None:
    """The path of the message that holds size and token: "" for the request itself, None for none."""
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
    """Paths of repeated messages in the reply, or in a message of it that has a token of its own."""
    found = [f.py_name for f in reply.fields if _is_items(f)]
    for field in reply.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner and any(inner.field(style.next_token) for style in STYLES):
            found += [f"{field.py_name}.{f.py_name}" for f in inner.fields if _is_items(f)]
    return found


def _is_items(field: Field) -> bool:
    return field.label is Label.REPEATED and field.kind == "message"


def _holds(api: Api, reply: Message, items: str, made_of: str) -> bool:
    """Whether what is asked for is in the reply, or is the reply."""
    path = items or single(reply, made_of)
    field = field_at(api, reply, path) if path else None
    return bool(made_of) and made_of == (field.type_name if field else reply.full_name)


def single(reply: Message, made_of: str) -> str:
    """The field of the reply that holds what is asked for; "" where the reply itself is that."""
    if reply.full_name == made_of:
        return ""
    found = [f.py_name for f in reply.fields if f.kind == "message"]
    return found[0] if len(found) == 1 else ""
