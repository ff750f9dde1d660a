"""Docstrings of generated methods, in Google style, from proto comments and the linked methods."""

from __future__ import annotations

import re
import textwrap

from flyte_codegen.configuration.settings import MethodConfig
from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Method
from flyte_codegen.names import snake

from .classify import Kind
from .parameters import Signature

_WIDTH = 108
_LAID_OUT = re.compile(r"^(\s+\S|[-*+|>] |\d+[.)] |```)", re.MULTILINE)
"""Matches the start of lists, tables and code, which keep their line breaks."""
_SUMMARIES = {
    Kind.LIST: "List, page by page.",
    Kind.GET: "Fetch one.",
    Kind.CREATE: "Create one.",
    Kind.WATCH: "Watch changes as they happen.",
    Kind.STREAM: "Stream the messages of the server.",
}
_RETURNS = {
    Kind.LIST: "A pager for `for` or `async for`. It fetches nothing before the loop starts.",
    Kind.WATCH: "A watch for `for` or `async for`. It reconnects when the connection breaks.",
    Kind.STREAM: "A stream for `for` or `async for`. Each loop opens a new stream; a broken connection raises.",
}
_MISSING = "True if the server acted; False if the resource does not exist."


def method(
    rpc: Method,
    config: MethodConfig,
    signature: Signature,
    kind: Kind,
    returns: str,
    *,
    made_entity: bool,
    deprecated: bool,
) -> str:
    """The whole docstring of a method."""
    parts = [_wrapped(deprecations.noted(config.doc or rpc.doc or _summary(rpc, kind, signature), deprecated))]
    if signature.params:
        parts.append("Args:\n" + "\n".join(_item(f"{p.name}: {p.doc}") for p in signature.params))
    returned = _MISSING if config.missing_ok else _RETURNS.get(kind)
    if kind is Kind.CALL and returns not in ("bool", "None"):
        returned = "The updated entity." if made_entity else "The reply of the server."
    if kind is Kind.CREATE:
        returned = "The created entity, as the server stores it."
    if returned:
        parts.append(f"Returns:\n{_item(returned)}")
    parts.append("Raises:\n" + "\n".join(_item(r) for r in _raises(rpc, signature, kind, config.missing_ok)))
    service = rpc.full_name.split(".")[-2]
    parts.append(f"Calls `{service}.{rpc.name}`.")
    return "\n\n".join(parts)


def _summary(rpc: Method, kind: Kind, signature: Signature) -> str:
    """The summary of a method without a comment."""
    if kind is Kind.LIST and all(p.name != "page_size" for p in signature.params):
        return "List all."
    if rpc.name.startswith("Create"):
        return _SUMMARIES[Kind.CREATE]
    return _SUMMARIES.get(kind) or f"{snake(rpc.name).replace('_', ' ').capitalize()}."


def _raises(rpc: Method, signature: Signature, kind: Kind, missing_ok: bool) -> list[str]:
    out = ["ValueError: An argument is invalid; nothing was sent."]
    if kind is Kind.CREATE or rpc.name.startswith("Create"):
        out.append("AlreadyExistsError: The name is taken.")
    elif kind is not Kind.LIST and not missing_ok:
        out.append("NotFoundError: The resource does not exist.")
    if kind in (Kind.WATCH, Kind.STREAM):
        out.append("WaitTimeoutError: `timeout` has passed.")
    out.append("RpcError: The call failed; the subclass says how.")
    return out


def _wrapped(text: str) -> str:
    return "\n\n".join(p if _LAID_OUT.search(p) else _filled(" ".join(p.split()), _WIDTH) for p in text.split("\n\n"))


def _item(text: str) -> str:
    return _filled(text, _WIDTH - 4, "    ", "        ")


def _filled(text: str, width: int, first: str = "", rest: str = "") -> str:
    """Wrap text at spaces only: URLs, code and words with hyphens stay in one piece, even if they exceed the width."""
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
