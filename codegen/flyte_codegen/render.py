"""Templates to text. A template's path is the path of what it writes; `%name` in it means one file for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from . import names, text
from .config import Config
from .diagnostics import CodegenError, fail
from .inputs import built_in_templates
from .model import Enum
from .toml import nearest

_SUFFIX = ".j2"
_OURS = "@flyte"
_RUNTIME = {
    "messages": sorted(names.MESSAGE_RUNTIME),
    "services": sorted(names.SERVICE_RUNTIME),
    "entities": sorted(names.ENTITY_RUNTIME),
}
# What the expressions of a template can raise, beside the errors of the template language itself.
_FAILURES = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def render(config: Config, views: Mapping[str, Iterable[Any]], context: Mapping[str, Any]) -> dict[str, str]:
    """All files to write, by path below the output package.

    Args:
        config: The whole configuration; its template folders come before ours.
        views: The items to render for each `%name` of a template's path; each has a dotted `.path`.
        context: What every template sees beside its item.

    Raises:
        CodegenError: A template fails, with its line and the item it was rendering; or two items have one path.
    """
    environment = _environment(config)
    out: dict[str, str] = {}
    for name in environment.list_templates(extensions=["j2"]):
        if name.startswith(f"{_OURS}/") or name.rpartition("/")[2].startswith("_"):
            continue
        for path, item in _targets(name, views):
            if path in out:
                raise fail(path, "would be written twice", "give one of the two another name")
            try:
                template = environment.get_template(name)
                out[path] = template.render(config=config, runtime=_RUNTIME, **context, **item)
            except _FAILURES as cause:
                raise _explained(cause, config, name, path) from None
    return out


def _folders(config: Config) -> list[Path]:
    return [*config.templates, built_in_templates()]


def _environment(config: Config) -> jinja2.Environment:
    for folder in config.templates:
        if not folder.is_dir():
            raise fail(str(folder), "no such folder of templates", "correct [output] templates")
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.FileSystemLoader(_folders(config)),
                # Ours under a name that nobody's replaces, so that a replacement can build on what it replaces.
                jinja2.PrefixLoader({_OURS: jinja2.FileSystemLoader(built_in_templates())}),
            ]
        ),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    filters: dict[str, Any] = {
        "docstring": text.docstring,
        "literal": _literal,
        "comment": text.comment,
        "renamed_members": _renamed,
    }
    environment.filters.update(filters)
    return environment


def _targets(name: str, views: Mapping[str, Iterable[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a template writes: its path and its item, once or for each item of the `%name` in its own path."""
    folder, _, file = name.removesuffix(_SUFFIX).rpartition("/")
    prefix = f"{folder}/" if folder else ""
    if not file.startswith("%"):
        yield prefix + file, {}
        return
    key, _, extension = file[1:].partition(".")
    if key not in views:
        raise fail(name, f"there are no items called %{key}", nearest(f"%{key}", [f"%{view}" for view in views]))
    for item in views[key]:
        yield f"{prefix}{item.path.replace('.', '/')}.{extension}", {key: item}


def _explained(cause: BaseException, config: Config, name: str, path: str) -> CodegenError:
    """The error of a template, at the innermost template line that it came from: jinja2 writes them into the traceback."""
    place = f"{getattr(cause, 'name', None) or name}:{getattr(cause, 'lineno', 1)}"
    trace = cause.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        folder = next((f for f in _folders(config) if file.suffix == _SUFFIX and file.is_relative_to(f)), None)
        if folder is not None:
            place = f"{file.relative_to(folder).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return fail(place, f"{cause} (while rendering {path})", "correct the template")


def _literal(value: object) -> str:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises; its repr, which a literal is made of, does not
    return text.literal(value)


def _renamed(enum: Enum) -> dict[str, str]:
    """The protobuf names of members whose Python name is not just the name without the prefix."""
    return {m.py_name: m.name for m in enum.members if enum.prefix + m.py_name != m.name}
