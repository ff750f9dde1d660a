"""Render templates. A template's path is the path of its output; `%name` in it means one file for each such item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

import attrs
import jinja2
from jinja2.bccache import Bucket

from flyte_codegen import names, text
from flyte_codegen.configuration.fingerprint import built_in_templates
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.model import Enum
from flyte_codegen.diagnostics import CodegenError, fail

_SUFFIX = ".j2"
_OURS = "@flyte"
_RUNTIME = {
    "messages": sorted(names.MESSAGE_RUNTIME),
    "large_modules": sorted(names.LARGE_MODULE_RUNTIME),
    "services": sorted(names.SERVICE_RUNTIME),
    "clients": sorted(names.CLIENT_RUNTIME),
    "entities": sorted(names.ENTITY_RUNTIME),
    "registry": sorted(names.REGISTRY_RUNTIME),
}
# Attributes that identify an item in errors, the best first.
_NAMES = ("full_name", "name", "source", "path")
# The exceptions that expressions in a template can raise, and those of the template engine.
_FAILURES = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _CompiledTemplates(jinja2.BytecodeCache):
    """Compiled templates, for all runs of a process. Compiling takes half the time of a run over few definitions."""

    _found: ClassVar[dict[tuple[str, str], CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._found.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._found[bucket.key, bucket.checksum] = bucket.code


@attrs.frozen
class Rendered:
    """Files by path below the output package, and the template and item that each was rendered from."""

    files: dict[str, str]
    origins: dict[str, str]


def render(config: Config, views: Mapping[str, Iterable[Any]], context: Mapping[str, Any]) -> Rendered:
    """Render all files.

    Args:
        config: The whole configuration. Its template folders take precedence over the built-in ones.
        views: The items to render for each `%name` of a template's path; each has a dotted `.path`.
        context: The variables of every template, in addition to its item.

    Raises:
        CodegenError: A template fails (the error has its line and item), or two items have the same path.
    """
    environment = _environment(config)
    out = Rendered({}, {})
    for name in environment.list_templates(extensions=["j2"]):
        if name.startswith(f"{_OURS}/") or name.rpartition("/")[2].startswith("_"):
            continue
        for path, item in _targets(name, views):
            if path in out.files:
                raise fail(path, "two items would be written to this path", "rename one of them")
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
                # Built-in templates also have a prefix, so that a replacement can extend the template it replaces.
                jinja2.PrefixLoader({_OURS: jinja2.FileSystemLoader(built_in_templates())}),
            ]
        ),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        bytecode_cache=_CompiledTemplates(),
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
    """Yield the output paths and items of a template: one, or one for each item of the `%name` in its path."""
    folder, _, file = name.removesuffix(_SUFFIX).rpartition("/")
    prefix = f"{folder}/" if folder else ""
    if not file.startswith("%"):
        yield prefix + file, {}
        return
    key, _, extension = file[1:].partition(".")
    if key not in views:
        raise fail(name, f"there is no item kind %{key}", nearest(f"%{key}", [f"%{view}" for view in views]))
    for item in views[key]:
        yield f"{prefix}{item.path.replace('.', '/')}.{extension}", {key: item}


def _label(item: object) -> str:
    """Return the name of an item in errors, such as `entity Book`."""
    kind = type(item).__name__.removeprefix("Py").lower()
    return f"{kind} {next(getattr(item, key) for key in _NAMES if hasattr(item, key))}"


def _for(items: Iterable[str]) -> str:
    return f" for {', '.join(items)}" if items else ""


def _shown(file: Path, config: Config) -> str | None:
    """Return a template's path with its folder (`@flyte` for built-in ones); None if the file is not a template."""
    if file.suffix != _SUFFIX:
        return None
    if any(file.is_relative_to(folder) for folder in config.templates):
        here = Path.cwd()
        return (file.relative_to(here) if file.is_relative_to(here) else file).as_posix()
    ours = built_in_templates()
    return f"{_OURS}/{file.relative_to(ours).as_posix()}" if file.is_relative_to(ours) else None


def _explained(cause: BaseException, config: Config, name: str, path: str, made_for: Iterable[str]) -> CodegenError:
    """Return the error of a template, with the innermost template line, which jinja2 puts into the traceback."""
    own = _found(config, name)
    if isinstance(cause, jinja2.TemplateSyntaxError) and cause.filename:
        own = Path(cause.filename)  # possibly an included template
    place = f"{_shown(own, config) or own}:{getattr(cause, 'lineno', 1)}"
    items = dict.fromkeys(made_for)
    trace = cause.__traceback__
    while trace is not None:
        shown = _shown(Path(trace.tb_frame.f_code.co_filename), config)
        if shown is not None:
            place = f"{shown}:{trace.tb_lineno}"
            # Arguments and loop variables of the template; jinja2 sets variables of finished loops to `missing`.
            items.update((_label(value), None) for value in trace.tb_frame.f_locals.values() if _is_item(value))
        trace = trace.tb_next
    remedy = "correct the template"
    if place.startswith(f"{_OURS}/"):
        remedy = "check your templates that replace ones used here; if you have none, report a bug"
    what = f"no template named {cause}" if isinstance(cause, jinja2.TemplateNotFound) else str(cause)
    return fail(place, f"{what} (while rendering {path}{',' if items else ''}{_for(items)})", remedy)


def template_place(config: Config, name: str) -> str:
    """Return where a template is: a file of the project, or `@flyte/NAME` for a built-in one."""
    file = _found(config, name)
    return _shown(file, config) or str(file)


def _found(config: Config, name: str) -> Path:
    """Return the file of a template."""
    return next((folder / name for folder in _folders(config) if (folder / name).is_file()), Path(name))


def _is_item(value: object) -> bool:
    return attrs.has(type(value)) and type(value) is not Config and any(hasattr(value, key) for key in _NAMES)


def _literal(value: object) -> str:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises for undefined values; repr(), which literal() uses, does not
    return text.literal(value)


def _renamed(enum: Enum) -> dict[str, str]:
    """Return the members with a Python name that is not just the protobuf name without its prefix."""
    return {m.py_name: m.name for m in enum.members if enum.prefix + m.py_name != m.name}
