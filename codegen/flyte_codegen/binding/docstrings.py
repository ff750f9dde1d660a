"""Docstrings of generated methods, in Google style, from proto comments and the linked methods."""

from __future__ import annotations

import re
import textwrap

from flyte_codegen.configuration.tables import MethodConfig
from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Method
from flyte_codegen.kinds.methods import CREATE, LIST
from flyte_codegen.names import snake

from .requests.parameters import Signature
from .results import Result
from .shapes.classify import Shape

_WIDTH = 108
_LAID_OUT = re.compile(r"^(\s+\S|[-*+|>] |\d+[.)] |```)", re.MULTILINE)
"""Matches the start of lists, tables and code, which keep their line breaks."""
_MISSING = "True if the server acted; False if the resource does not exist."


def method(
    rpc: Method, config: MethodConfig, signature: Signature, shape: Shape, result: Result, *, deprecated: bool
) -> str:
    """The whole docstring of a method."""
    parts = [_wrapped(deprecations.noted(config.doc or rpc.doc or _summary(rpc, shape), deprecated))]
    if signature.params:
        parts.append("Args:\n" + "\n".join(_item(f"{p.name}: {p.doc}") for p in signature.params))
    if returned := _returned(config, shape, result):
        parts.append(f"Returns:\n{_item(returned)}")
    parts.append("Raises:\n" + "\n".join(_item(r) for r in _raises(config, shape)))
    service = rpc.full_name.split(".")[-2]
    parts.append(f"Calls `{service}.{rpc.name}`.")
    return "\n\n".join(parts)


def _summary(rpc: Method, shape: Shape) -> str:
    """The summary of a method without a comment."""
    if shape.kind is LIST and not shape.pages:
        return "List all."
    kind = CREATE if shape.creates else shape.kind
    return kind.summary or f"{snake(rpc.name).replace('_', ' ').capitalize()}."


def _returned(config: MethodConfig, shape: Shape, result: Result) -> str:
    if config.missing_ok:
        return _MISSING
    if shape.kind.returned or shape.kind.makes_entities or result.answer is None:
        return shape.kind.returned
    return "The updated entity." if result.make else "The reply of the server."


def _raises(config: MethodConfig, shape: Shape) -> list[str]:
    out = ["ValueError: An argument is invalid; nothing was sent."]
    if not config.missing_ok:
        out += [raised] if (raised := (CREATE if shape.creates else shape.kind).raises) else []
    if shape.kind.streams:
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
