"""Classify RPCs by the shape of their messages. An ambiguous shape is an error; the generator never guesses."""

from __future__ import annotations

import attrs

from flyte_codegen.configuration.tables import MethodConfig
from flyte_codegen.definitions.field_paths import FieldPath, find
from flyte_codegen.definitions.model import Api, Field, Label, Message, Method
from flyte_codegen.diagnostics import CodegenError, fail
from flyte_codegen.kinds.methods import CALL, CREATE, GET, LIST, METHOD_KINDS, SETTINGS, STREAM, WATCH, MethodKind
from flyte_codegen.names import begins_with

from .paging import Pages, has_next_token, pages_of, unused_fields

_WHOLE = FieldPath()


@attrs.frozen
class Shape:
    """The kind of a method and the reason for it, the path of the result in the reply, and the pages of a list."""

    kind: MethodKind
    why: str
    items: FieldPath = _WHOLE
    """The path of the result; empty for the reply itself."""
    pages: Pages | None = None
    creates: bool = False
    """Whether the RPC creates a resource, whatever the kind of the method."""


@attrs.frozen
class Case:
    """An RPC to classify.

    Attributes:
        api: All definitions.
        method: The RPC.
        config: Its settings in codegen.toml.
        table: The method's table, for remedies in errors.
        made_of: The message that the result is made of, if known. A reply of this type is the result itself.
        where: The line of the method's table.
    """

    api: Api
    method: Method
    config: MethodConfig
    table: str
    made_of: str = ""
    where: str = ""

    @property
    def reply(self) -> Message:
        """The message of the reply."""
        return self.api.messages[self.method.response]

    @property
    def items(self) -> FieldPath:
        """The path of the result that codegen.toml sets; empty if it sets none."""
        path = self.config.items
        found = find(self.api, self.reply, path) if path else FieldPath()
        if found is None:
            raise self.fail(f"{self.method.response} has no field at {path!r}", f"correct items under [{self.table}]")
        return found

    @property
    def single(self) -> FieldPath:
        """The path of a single result: set, or the only message in the reply; empty if that is ambiguous or the reply.

        Raises:
            CodegenError: The only message is one of several members of a oneof. Replies with another member have no result.
        """
        if self.items:
            return self.items
        found = only_message(self.reply, self.made_of)
        oneof = self.reply.oneofs.get(found.last.oneof, []) if found else []
        if len(oneof) < 2:
            return found
        others = ", ".join(field.name for field in oneof if field != found.last)
        what = f"{self.method.full_name} replies with {found} or, in the same oneof, with {others}"
        whole = "raw = true for whole replies" if self.method.server_streaming else 'kind = "call" for whole replies'
        if self.config.kind == CALL.name or self.config.returns:
            whole = "remove returns for whole replies"
        remedy = f'under [{self.table}], add items = "{found}", which passes over other replies, or {whole}'
        raise self.fail(what, remedy)

    def fail(self, message: str, remedy: str) -> CodegenError:
        """Return an error at the RPC."""
        return fail(self.method.place, message, remedy)


def classify(case: Case) -> Shape:
    """Determine the kind of a method.

    Raises:
        CodegenError: `kind` or `items` does not fit the RPC, the client streams, the items of a list are ambiguous, or
            nothing says whether a stream is a watch.
    """
    method, chosen = case.method, METHOD_KINDS.get(case.config.kind)
    if method.client_streaming:
        why = f"[{case.table}] {method.full_name} can't be a method: the client streams, which entity methods do not support"
        raise fail(case.where or method.place, why, "remove the table")
    if chosen and chosen.streams != method.server_streaming:
        streams = "the server streams its replies" if method.server_streaming else "the server sends a single reply"
        fitting = [kind.name for kind in METHOD_KINDS.values() if kind.streams == method.server_streaming]
        remedy = f"under [{case.table}], remove kind, or set it to one of {', '.join(fitting)}"
        raise case.fail(f"{method.full_name} can't be a {chosen.name}: {streams}", remedy)
    shape = _streamed(case, chosen) if method.server_streaming else _single(case, chosen)
    return attrs.evolve(shape, creates=shape.kind is CREATE or _is_named(case, "Create"))


def _single(case: Case, chosen: MethodKind | None) -> Shape:
    if chosen in (None, LIST) and (found := _listed(case, asked=chosen is LIST)):
        return found
    if chosen is GET or (chosen is None and _is_named(case, "Get")):
        return Shape(GET, _why(case, "its name starts with Get"), case.single)
    if chosen is CREATE or (chosen is None and _is_named(case, "Create") and _holds(case)):
        return Shape(CREATE, _why(case, "its name starts with Create, and its reply holds the new entity"), case.single)
    if chosen not in (None, CALL):
        return Shape(chosen, _why(case, ""), case.single)
    return Shape(CALL, "a single request and reply", case.single if case.config.returns else case.items)


def _listed(case: Case, *, asked: bool) -> Shape | None:
    """Return the shape of a list; None for other methods."""
    method, config = case.method, case.config
    found = [case.items] if case.items else _repeated(case.api, case.reply)
    named = asked or config.pages is not None or (_is_named(case, "List") and bool(found))
    paging = pages_of(case.api, method, found, declared=config.pages, table=case.table, sized=not named)
    itself = case.reply.full_name == case.made_of
    if not asked and (itself or not (paging or named)):
        return None
    if len(found) != 1:
        choices = " or ".join(f'items = "{path}"' for path in found) or 'items = "PATH"'
        listed = ", ".join(map(str, found)) or "none"
        message = f"{method.full_name} is a list, but its items could be any of: {listed}"
        raise case.fail(message, f'under [{case.table}], add {choices}, or kind = "call"')
    if paging is not None:
        return Shape(LIST, paging.why, found[0], paging)
    if config.pages is None:
        _refuse_unused(case, found[0])
    return Shape(LIST, "its name or codegen.toml declares a list; the list has no pages", found[0])


def _streamed(case: Case, chosen: MethodKind | None) -> Shape:
    """Distinguish a watch, which reconnects when its stream ends, from a stream that is opened once.

    A watch of a finite stream would repeat its items forever. A watch that does not reconnect would end with its connection.
    """
    settings = {name for name in SETTINGS if getattr(case.config, name)}
    only = settings & (WATCH.settings - LIST.settings)
    if chosen is WATCH or (chosen is None and (only or _is_named(case, "Watch"))):
        why = "codegen.toml says so" if chosen or only else "its name starts with Watch"
        whole = case.config.raw or case.config.made_by
        return Shape(WATCH, f"the server streams, and {why}", case.items if whole else case.single)
    if chosen is STREAM:
        return Shape(STREAM, 'the server streams, and codegen.toml sets kind = "stream"', case.items)
    if chosen is not None:
        return Shape(chosen, _why(case, ""), case.items)
    if _is_named(case, "List"):
        return Shape(STREAM, "the server streams, and its name starts with List", case.items)
    raise case.fail(
        f"{case.method.full_name} streams its replies, and nothing says whether it ends by itself",
        f'under [{case.table}], add kind = "stream" for a stream that ends, or kind = "watch" for one that does not end: the '
        "client reconnects when it breaks or ends",
    )


def _is_named(case: Case, verb: str) -> bool:
    return begins_with(case.method.name, verb)


def _why(case: Case, otherwise: str) -> str:
    return f'codegen.toml sets kind = "{case.config.kind}"' if case.config.kind else otherwise


def _refuse_unused(case: Case, items: FieldPath) -> None:
    """Refuse a list that seems to have pages: the method would return the first page only."""
    asked, answered = unused_fields(case.api, case.method, items, case.config.settled)
    if not asked and not answered:
        return
    told = [f"{', '.join(names)} in the {where}" for names, where in ((asked, "request"), (answered, "reply")) if names]
    raise case.fail(
        f"{case.method.full_name} seems to have pages, of which only the first would be read: {' and '.join(told)}",
        f'under [{case.table}], add pages = {{ token = "PATH", next = "PATH", size = "PATH" }}, with the paths of the token and '
        "the page size in the request and of the next token in the reply; pages = {} if one reply has all items; or "
        'kind = "call"',
    )


def _repeated(api: Api, reply: Message) -> list[FieldPath]:
    """Return paths of repeated messages in the reply, and in its sub-messages that have a next page token."""
    found = [FieldPath((f,)) for f in reply.fields if _is_items(f)]
    for field in reply.fields:
        inner = api.messages.get(field.type_name)
        if field.label is Label.OPTIONAL and inner and has_next_token(inner):
            found += [FieldPath((field, f)) for f in inner.fields if _is_items(f)]
    return found


def _is_items(field: Field) -> bool:
    return field.label is Label.REPEATED and field.kind == "message"


def _holds(case: Case) -> bool:
    """Whether the reply is the message that the result is made of, or contains it."""
    path = case.items or only_message(case.reply, case.made_of)
    return bool(case.made_of) and case.made_of == (path.last.type_name if path else case.reply.full_name)


def only_message(reply: Message, made_of: str) -> FieldPath:
    """Return the only message field of the reply; empty if the reply itself is a `made_of`, or the field is ambiguous."""
    if reply.full_name == made_of:
        return FieldPath()
    found = [f for f in reply.fields if f.kind == "message"]
    return FieldPath((found[0],)) if len(found) == 1 else FieldPath()


def check_settings(shape: Shape, config: MethodConfig) -> tuple[str, str] | None:
    """Return an error and its remedy if a method has a setting that its kind does not have."""
    for name in sorted(SETTINGS - shape.kind.settings):
        if getattr(config, name):
            said = " and ".join(kind.name for kind in METHOD_KINDS.values() if name in kind.settings)
            what = f"{name} applies only to {said} methods, and this is a {shape.kind.name} method"
            return what, f"remove {name}"
    return None
