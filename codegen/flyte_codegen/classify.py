"""What kind of method an RPC is, by the shape of its messages; where the shape leaves a choice, nobody guesses."""

from __future__ import annotations

import enum

import attrs

from .diagnostics import fail
from .model import Api, Field, Label, Message, Method


class Kind(enum.Enum):
    """The kinds of method that entities have."""

    LIST = "list"
    GET = "get"
    WATCH = "watch"
    CALL = "call"
    UNSUPPORTED = "unsupported"


@attrs.frozen
class Shape:
    """The kind of a method, why, and where a list keeps its items and tokens."""

    kind: Kind
    why: str
    items: str = ""
    token: str = ""
    page: str = ""


def classify(api: Api, method: Method, *, kind: str = "", items: str = "") -> Shape:
    """Tell the kind of `method`.

    Args:
        api: All definitions.
        method: The RPC.
        kind: The kind that codegen.toml says, if it does.
        items: The path of the items in the reply that codegen.toml says, if it does.

    Raises:
        CodegenError: The shape fits a list in more than one way, and codegen.toml does not choose.
    """
    if method.client_streaming:
        return Shape(Kind.UNSUPPORTED, "the client streams, which no entity method does")
    reply = api.messages[method.response]
    if method.server_streaming:
        return Shape(Kind.WATCH, "the server streams", items=items or _single(api, method, reply))
    page = _page(api, api.messages[method.request])
    found = _repeated(api, reply)
    token = next(
        (path for path in ("token", *(f"{p.split('.')[0]}.token" for p in found)) if field_at(api, reply, path)), ""
    )
    if kind == "list" or (not kind and page is not None and token):
        if not items and len(found) != 1:
            choices = ", ".join(found) or "none"
            raise fail(
                method.place,
                f"{method.full_name} is a list, but its items could be any of: {choices}",
                'add items = "PATH" to its table under [entities] in codegen.toml, or kind = "call"',
            )
        return Shape(
            Kind.LIST, "limit and token in the request, a token in the reply", items or found[0], token, page or ""
        )
    if kind == "get" or (not kind and method.name.startswith("Get")):
        return Shape(Kind.GET, "its name starts with Get", items or _single(api, method, reply))
    return Shape(Kind.CALL, "a single request and reply", items)


def _page(api: Api, request: Message) -> str | None:
    """The path of the message that holds limit and token: "" for the request itself, None for none."""
    if request.field("limit") and request.field("token"):
        return ""
    for field in request.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner and inner.field("limit") and inner.field("token"):
            return field.py_name
    return None


def _repeated(api: Api, reply: Message) -> list[str]:
    """Paths of repeated messages in the reply or one message down."""
    found = [f.py_name for f in reply.fields if _is_items(f)]
    for field in reply.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner:
            found += [f"{field.py_name}.{f.py_name}" for f in inner.fields if _is_items(f) and inner.field("token")]
    return found


def _is_items(field: Field) -> bool:
    return field.label is Label.REPEATED and field.kind == "message"


def field_at(api: Api, message: Message, path: str) -> Field | None:
    """The field at a dotted path."""
    field: Field | None = None
    for name in path.split("."):
        field = next((f for f in message.fields if f.py_name == name), None)
        if field is None:
            return None
        message = api.messages.get(field.type_name, message)
    return field


def _single(api: Api, method: Method, reply: Message) -> str:
    """The field of the reply that holds what is asked for."""
    found = [f.py_name for f in reply.fields if f.kind == "message" and f.label is not Label.MAP]
    return found[0] if len(found) == 1 else ""
