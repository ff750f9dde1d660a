"""Templates to text. A template's path is the path of what it writes; `%name` in it means one file for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from . import text
from .config import Config
from .diagnostics import fail
from .model import Enum

_SUFFIX = ".j2"


def built_in_templates() -> Path:
    """The folder of our own templates: packaged in a wheel, at the top of a checkout."""
    packaged = Path(str(files("flyte_codegen") / "templates"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "templates"


def render(config: Config, views: dict[str, Iterable[Any]], context: dict[str, Any]) -> dict[str, str]:
    """All files to write, by path below the output package.

    Args:
        config: The whole configuration; its template folders come before ours.
        views: The items to render for each `%name` of a template's path; each has a dotted `.path`.
        context: What every template sees beside its item.

    Raises:
        CodegenError: A template fails; with the template's line and the item it was rendering.
    """
    search = [*config.templates, built_in_templates()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(search),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(
        docstring=text.docstring, literal=text.literal, comment=text.comment, renamed_members=_renamed
    )
    out: dict[str, str] = {}
    for name in sorted(environment.list_templates(extensions=["j2"])):
        parts = name.split("/")
        if parts[-1].startswith("_"):
            continue
        for path, item in _targets(name.removesuffix(_SUFFIX), views):
            try:
                out[path] = environment.get_template(name).render(config=config, **context, **item)
            except jinja2.TemplateError as cause:
                line = getattr(cause, "lineno", None) or _line_of(cause, name)
                about = next((str(getattr(v, "path", v)) for v in item.values()), path)
                raise fail(f"{name}:{line}", f"{cause} (while rendering {about})", "correct the template") from None
    return out


def _targets(name: str, views: dict[str, Iterable[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    stem = name.rsplit("/", 1)[-1].removesuffix(".py")
    if not stem.startswith("%"):
        yield name, {}
        return
    key = stem[1:]
    folder = name[: -len(stem + ".py")]
    for item in views[key]:
        yield f"{folder}{item.path.replace('.', '/')}.py", {key: item}


def _line_of(cause: BaseException, name: str) -> int:
    """The template line that an error came from: jinja2 writes it into the traceback."""
    line = 0
    trace = cause.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(name):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _renamed(enum: Enum) -> dict[str, str]:
    """The protobuf names of members whose Python name is not just the name without the prefix."""
    return {m.py_name: m.name for m in enum.members if enum.prefix + m.py_name != m.name}
