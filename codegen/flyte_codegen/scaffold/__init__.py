"""The command `new`: write a complete project that generates a client from its own definitions."""

from __future__ import annotations

import keyword
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jinja2

from flyte_codegen.configuration import settings as config
from flyte_codegen.diagnostics import fail
from flyte_codegen.output.write import write
from flyte_codegen.pipeline import generate
from flyte_codegen.python.type_names import importable

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX = ".j2"
_STEPS = """\
{where} is ready. It generates a client from protos/ and tests it. Run its tests and checks:

    cd {where}
    make test
    make check

Then put your own definitions into protos/, describe your entities in codegen.toml, and run make generate.
"""


def create(folder: Path) -> int:
    """Run `flyte-codegen new`: write a new project with its generated client, and print the next steps.

    Everything is first written beside the folder and then moved in one step, so a failed run leaves nothing behind.

    Raises:
        CodegenError: The folder's name is not a valid project name, or the folder is not empty or can't be written.
    """
    target = folder.resolve()
    try:
        name = _checked(target)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as scratch:
            made = Path(scratch, name)
            for path, content in _files(name):
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(content, encoding="utf-8")
            (made / "ci.sh").chmod(0o755)
            settings = config.read(made / "codegen.toml")
            write(settings.output, generate(settings).files)
            _format(made)
            if target.exists():
                target.rmdir()
            shutil.move(made, target)
    except OSError as cause:
        raise fail(str(folder), f"can't be written: {cause.strerror}", "choose another folder") from None
    print(_STEPS.format(where=folder), end="")
    return 0


def _format(made: Path) -> None:
    """Format the project. Import order and line breaks depend on its name, so it can't be formatted in advance."""
    for arguments in (["check", "--fix"], ["format"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--quiet", "--no-cache", "."]
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
        if done.returncode:
            raise fail("ruff", (done.stderr or done.stdout).strip(), "pip install 'flyte-remote[codegen]'")


def _checked(target: Path) -> str:
    """Return the project's name, after checking that the project can be created."""
    name, package = target.name, target.name.replace("-", "_")
    if not _NAME.fullmatch(name):
        message = (
            f"{name!r} is not a valid project name: use lower-case letters, digits, and single hyphens between them"
        )
        raise fail(name or str(target), message, f"for example {_suggested(name)}")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names:
        raise fail(name, f"its package name, {package}, is a Python keyword or standard module", _another(name))
    for module in (package, f"{package}_api"):
        if importable(module):
            raise fail(name, f"a package named {module} is already installed here", _another(name))
    if not target.parent.is_dir():
        raise fail(str(target.parent), "the folder does not exist", "create it first")
    if target.exists() and not target.is_dir():
        raise fail(str(target), "is a file", "choose another name")
    if target.is_dir() and any(target.iterdir()):
        raise fail(str(target), "the folder is not empty", "choose another name, or empty it first")
    return name


def _suggested(name: str) -> str:
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    return "-".join(words).lstrip("0123456789-") or "my-sdk"


def _another(name: str) -> str:
    return f"choose another, for example {name}-sdk"


def _files(name: str) -> Iterator[tuple[str, str]]:
    """Return the hand-written files of a project, by path; `PACKAGE` in a path stands for its Python package."""
    root = Path(str(files(__name__) / "project"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    package = name.replace("-", "_")
    release = ".".join(version("flyte-remote").split(".")[:2])
    for template in environment.list_templates(extensions=["j2"]):
        path = template.removesuffix(_SUFFIX).replace("PACKAGE", package)
        text = environment.get_template(template).render(name=name, package=package, release=release)
        yield path, text
