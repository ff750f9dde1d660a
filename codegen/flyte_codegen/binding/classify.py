"""Classify RPCs by the shape of their messages. An ambiguous shape is an error; the generator never guesses."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping

import attrs

from flyte_codegen.definitions.model import Api, Field, Label, Message, Method
from flyte_codegen.diagnostics import CodegenError, fail

from .paging import FIRST_STYLE, TOKENS, Style, field_at, pages_of, unused_fields


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
class Shape:
    """The kind of a method and the reason for it, the path of the result in the reply, and the pagination."""

    kind: Kind
    why: str
    items: str = ""
    token: str = ""
    page: str = ""
    style: Style = FIRST_STYLE


def classify(
    api: Api,
    method: Method,
    *,
    kind: str = "",
    items: str = "",
    table: str = "",
    made_of: str = "",
    watches: bool = False,
    pages: Mapping[str, str] | None = None,
    settled: Collection[str] = (),
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
        pages: The fields of its pages set in codegen.toml; {} for a list without pages. Default: known names.
        settled: Paths of the request that codegen.toml names.

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
    named = kind == "list" or pages is not None or (method.name.startswith("List") and bool(found))
    paging = pages_of(api, method, found, declared=pages, table=table, sized=not named)
    itself = reply.full_name == made_of
    if kind == "list" or (not kind and not itself and (paging is not None or named)):
        if len(found) != 1:
            raise _ambiguous(method, found, table)
        if paging is not None:
            return Shape(Kind.LIST, paging.why, found[0], paging.next, paging.holder, paging.style)
        if pages is None:
            _refuse_unused(api, method, found, settled, table)
        return Shape(Kind.LIST, "its name or codegen.toml declares a list; the list has no pages", found[0])
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


def _ambiguous(method: Method, found: list[str], table: str) -> CodegenError:
    choices = " or ".join(f'items = "{path}"' for path in found) or 'items = "PATH"'
    message = f"{method.full_name} is a list, but its items could be any of: {', '.join(found) or 'none'}"
    return fail(method.place, message, f'under [{table}], add {choices}, or kind = "call"')


def _refuse_unused(api: Api, method: Method, found: list[str], settled: Collection[str], table: str) -> None:
    """Refuse a list that seems to have pages: all of them but the first would be lost."""
    asked, answered = unused_fields(api, method, found, settled)
    if not asked and not answered:
        return
    told = [f"{', '.join(names)} in the {where}" for names, where in ((asked, "request"), (answered, "reply")) if names]
    raise fail(
        method.place,
        f"{method.full_name} seems to have pages, of which only the first would be read: {' and '.join(told)}",
        f'under [{table}], add pages = {{ token = "PATH", next = "PATH", size = "PATH" }}, with the paths of the token and the '
        "page size in the request and of the next token in the reply; pages = {} if one reply has all items; or "
        'kind = "call"',
    )


def _repeated(api: Api, reply: Message) -> list[str]:
    """Return paths of repeated messages in the reply, and in its sub-messages that have a next page token."""
    found = [f.py_name for f in reply.fields if _is_items(f)]
    for field in reply.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner and _has_next(inner):
            found += [f"{field.py_name}.{f.py_name}" for f in inner.fields if _is_items(f)]
    return found


def _has_next(message: Message) -> bool:
    return any(message.field(name) for _, name in TOKENS)


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
