"""Docstrings of generated methods, in Google style, from proto comments and what was linked."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .classify import Kind
from .config import MethodConfig
from .model import Method
from .requests import Param

_WIDTH = 108
_SCOPE = ("project: Project id. Default: the client's.", "domain: Domain id. Default: the client's.")
_CLIENT = "client: The client to ask with. Default: the current one."
_SUMMARIES = {
    Kind.LIST: "List, page by page.",
    Kind.GET: "Fetch one.",
    Kind.WATCH: "Follow changes as they happen.",
    Kind.CALL: "Call the control plane.",
}
_RETURNS = {
    Kind.LIST: "A pager, to be used with `for` or `async for`; nothing is fetched before.",
    Kind.WATCH: "A watch, to be used with `for` or `async for`; it reconnects when the connection is lost.",
}


def method(
    rpc: Method, config: MethodConfig, params: Sequence[Param], kind: Kind, *, scoped: bool, on_class: bool
) -> str:
    """The whole docstring of a method."""
    summary = config.doc or rpc.doc or _SUMMARIES[kind]
    arguments = [f"{p.name}: {p.doc}" for p in params]
    if kind is Kind.LIST:
        arguments.append("limit: Most items in all. Default: all there are.")
        arguments.append("page_size: Most items a request fetches. Default: the client's.")
    if kind is Kind.WATCH:
        arguments.append("timeout: Seconds after which the watch gives up. Default: never.")
    if scoped:
        arguments += _SCOPE
    if on_class:
        arguments.append(_CLIENT)
    parts = [_wrapped(summary)]
    if arguments:
        parts.append("Args:\n" + "\n".join(_item(a) for a in arguments))
    returned = _RETURNS.get(kind, "")
    if config.missing_ok:
        returned = "Whether there was anything to act on: False when the server knows no such thing."
    if returned:
        parts.append(f"Returns:\n{_item(returned)}")
    parts.append("Raises:\n" + "\n".join(_item(r) for r in _raises(params, kind, missing_ok=config.missing_ok)))
    service = rpc.full_name.split(".")[-2]
    parts.append(f"Calls `{service}.{rpc.name}`.")
    return "\n\n".join(parts)


def _raises(params: Sequence[Param], kind: Kind, *, missing_ok: bool) -> list[str]:
    out: list[str] = []
    if params or kind is Kind.LIST:
        out.append("ValueError: An argument is not usable; nothing was sent.")
    if kind in (Kind.GET, Kind.CALL, Kind.WATCH) and not missing_ok:
        out.append("NotFoundError: There is no such thing.")
    if kind is Kind.WATCH:
        out.append("WaitTimeoutError: `timeout` is over.")
    out.append("RpcError: The call failed; its subclasses say how.")
    return out


def _wrapped(text: str) -> str:
    return "\n\n".join("\n".join(textwrap.wrap(" ".join(p.split()), _WIDTH)) for p in text.split("\n\n"))


def _item(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH - 4, initial_indent="    ", subsequent_indent="        "))
