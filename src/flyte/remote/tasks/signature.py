"""A task's interface as documentation: a Python signature, and a table for notebooks."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.types import NativeInterface
    from flyte_api.messages.flyteidl2.task.common import NamedParameter


def signature(interface: NativeInterface, defaults: Iterable[NamedParameter]) -> inspect.Signature:
    """The signature of a call: keyword-only parameters, optional ones with their default."""
    values = {item.name: _default(item) for item in defaults}
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=kind,
            default=values.get(name, inspect.Parameter.empty),
        )
        for name, (kind, _) in interface.inputs.items()
        if name.isidentifier()
    ]
    kinds = tuple(interface.outputs.values())
    returned: Any = None if not kinds else kinds[0] if len(kinds) == 1 else tuple.__class_getitem__(kinds)
    return inspect.Signature(parameters, return_annotation=returned)


def _default(item: NamedParameter) -> Any:
    """The default of an input as a Python value; `...` if only the server can read it."""
    from flyte.types import from_literal, unsupported_reason

    literal = None if item.parameter is None else item.parameter.default
    return ... if literal is None or unsupported_reason(literal) is not None else from_literal(literal)


def as_html(
    name: str, version: str, description: str, call: inspect.Signature, outputs: Iterable[tuple[str, Any]]
) -> str:
    """A task for a notebook. All text is escaped: it comes from the user who deployed the task."""
    inputs = "".join(
        _row(p.name, inspect.formatannotation(p.annotation), "required" if p.default is p.empty else repr(p.default))
        for p in call.parameters.values()
    )
    results = "".join(_row(name, inspect.formatannotation(kind), "") for name, kind in outputs)
    heading = f"<b>{html.escape(name)}</b> {html.escape(version)}"
    return (
        f"<div>{heading}<br>{html.escape(description)}<table><tr><th>input</th><th>type</th><th>default</th></tr>{inputs}"
        f"<tr><th>output</th><th>type</th><th></th></tr>{results}</table></div>"
    )


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
