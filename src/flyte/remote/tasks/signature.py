"""A task's interface as documentation: a Python signature, and a table for notebooks."""

from __future__ import annotations

import html
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .details import TaskDetails


def signature(task: TaskDetails) -> inspect.Signature:
    """The signature of a call: inputs by name, those that need not be given with their default."""
    interface = task.interface
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=_default(task, name))
        for name, (kind, _) in interface.inputs.items()
        if name.isidentifier()
    ]
    kinds = tuple(interface.outputs.values())
    returned: Any = None if not kinds else kinds[0] if len(kinds) == 1 else tuple.__class_getitem__(kinds)
    return inspect.Signature(parameters, return_annotation=returned)


def _default(task: TaskDetails, name: str) -> Any:
    """The default of an input as a Python value; `...` where only the server can read it."""
    from flyte.types import from_literal, unsupported_reason

    for item in task.spec.default_inputs:
        if item.name == name:
            literal = None if item.parameter is None else item.parameter.default
            return ... if literal is None or unsupported_reason(literal) is not None else from_literal(literal)
    return inspect.Parameter.empty


def as_html(task: TaskDetails) -> str:
    """The task for a notebook. All text is escaped: it comes from whoever deployed the task."""
    inputs = "".join(
        _row(p.name, inspect.formatannotation(p.annotation), "required" if p.default is p.empty else repr(p.default))
        for p in signature(task).parameters.values()
    )
    outputs = "".join(_row(name, inspect.formatannotation(kind), "") for name, kind in task.interface.outputs.items())
    description = task.spec.documentation.short_description if task.spec.documentation is not None else ""
    heading = f"<b>{html.escape(task.name)}</b> {html.escape(task.version)}"
    return (
        f"<div>{heading}<br>{html.escape(description)}<table><tr><th>input</th><th>type</th><th>default</th></tr>{inputs}"
        f"<tr><th>output</th><th>type</th><th></th></tr>{outputs}</table></div>"
    )


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
