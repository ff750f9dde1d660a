"""Templates to text. A template's path is the path of what it writes; `%name` in it means one file for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import jinja2

from flyte_codegen import names
from flyte_codegen.configuration.fingerprint import built_in_templates
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.model import Enum
from flyte_codegen.diagnostics import CodegenError, fail
from flyte_codegen.python import text

_SUFFIX = ".j2"
_OURS = "@flyte"
_RUNTIME = {
    "messages": sorted(names.MESSAGE_RUNTIME),
    "services": sorted(names.SERVICE_RUNTIME),
    "entities": sorted(names.ENTITY_RUNTIME),
    "registry": sorted(names.REGISTRY_RUNTIME),
}
# What tells an item from the others of its kind, the best first.
_NAMES = ("full_name", "name", "source", "path")
# What the expressions of a template can raise, beside the errors of the template language itself.
_FAILURES = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@attrs.frozen
class Rendered:
    """Files by path below the output package, and of each the template and the item that it was made from."""

    files: dict[str, str]
    origins: dict[str, str]


def render(config: Config, views: Mapping[str, Iterable[Any]], context: Mapping[str, Any]) -> Rendered:
    """All files to write.

    Args:
        config: The whole configuration; its template folders come before ours.
        views: The items to render for each `%name` of a template's path; each has a dotted `.path`.
        context: What every template sees beside its item.

    Raises:
        CodegenError: A template fails, with its line and the item it was rendering; or two items have one path.
    """
    environment = _environment(config)
    out = Rendered({}, {})
    for name in environment.list_templates(extensions=["j2"]):
        if name.startswith(f"{_OURS}/") or name.rpartition("/")[2].startswith("_"):
            continue
        for path, item in _targets(name, views):
            if path in out.files:
                raise fail(path, "would be written twice", "give one of the two another name")
            made_for = [_label(value) for value in item.values()]
            try:
                template = environment.get_template(name)
                out.files[path] = template.render(config=config, runtime=_RUNTIME, **context, **item)
                out.origins[path] = f"{_shown(Path(template.filename or name), config)}{_for(made_for)}"
            except _FAILURES as cause:
                raise _explained(cause, config, name, path, made_for) from None
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


def _label(item: object) -> str:
    """What an item is called in errors, such as `entity Book`."""
    kind = type(item).__name__.removeprefix("Py").lower()
    return f"{kind} {next(getattr(item, key) for key in _NAMES if hasattr(item, key))}"


def _for(items: Iterable[str]) -> str:
    return f" for {', '.join(items)}" if items else ""


def _shown(file: Path, config: Config) -> str | None:
    """A template's path with the folder that it lies in, which for ours is `@flyte`; None for what is no template."""
    if file.suffix != _SUFFIX:
        return None
    if any(file.is_relative_to(folder) for folder in config.templates):
        here = Path.cwd()
        return (file.relative_to(here) if file.is_relative_to(here) else file).as_posix()
    ours = built_in_templates()
    return f"{_OURS}/{file.relative_to(ours).as_posix()}" if file.is_relative_to(ours) else None


def _explained(cause: BaseException, config: Config, name: str, path: str, made_for: Iterable[str]) -> CodegenError:
    """The error of a template, at the innermost template line that it came from: jinja2 writes them into the traceback."""
    own = _found(config, name)
    if isinstance(cause, jinja2.TemplateSyntaxError) and cause.filename:
        own = Path(cause.filename)  # which may be one that it includes
    place = f"{_shown(own, config) or own}:{getattr(cause, 'lineno', 1)}"
    items = dict.fromkeys(made_for)
    trace = cause.__traceback__
    while trace is not None:
        shown = _shown(Path(trace.tb_frame.f_code.co_filename), config)
        if shown is not None:
            place = f"{shown}:{trace.tb_lineno}"
            # Arguments and loop variables of the template; jinja2 keeps those of loops that are over as `missing`.
            items.update((_label(value), None) for value in trace.tb_frame.f_locals.values() if _is_item(value))
        trace = trace.tb_next
    remedy = "correct the template"
    if place.startswith(f"{_OURS}/"):
        remedy = "look for the cause in templates of yours that replace what this one uses; if there is none, report it"
    what = f"no template named {cause}" if isinstance(cause, jinja2.TemplateNotFound) else str(cause)
    return fail(place, f"{what} (while rendering {path}{',' if items else ''}{_for(items)})", remedy)


def _found(config: Config, name: str) -> Path:
    """The file of a template."""
    return next((folder / name for folder in _folders(config) if (folder / name).is_file()), Path(name))


def _is_item(value: object) -> bool:
    return attrs.has(type(value)) and type(value) is not Config and any(hasattr(value, key) for key in _NAMES)


def _literal(value: object) -> str:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises; its repr, which a literal is made of, does not
    return text.literal(value)


def _renamed(enum: Enum) -> dict[str, str]:
    """The protobuf names of members whose Python name is not just the name without the prefix."""
    return {m.py_name: m.name for m in enum.members if enum.prefix + m.py_name != m.name}
