"""Pages of the site that are not written by hand: the API reference, and the files at the top of the repository.

A hook of MkDocs. Every public name of a module is one entry of its reference page, so a new name needs no edit here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]

FROM_ROOT = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
"""Pages that are files of the repository."""

MODULES = {
    "flyte": ("src/flyte/__init__.py", "Connect, run tasks, describe triggers and resources."),
    "flyte.remote": (
        "src/flyte/remote/__init__.py",
        "Projects, tasks, runs, actions and everything else on a control plane.",
    ),
    "flyte.errors": ("src/flyte/errors/__init__.py", "The errors of the SDK."),
    "flyte.models": ("src/flyte/models.py", "Phases and states."),
    "flyte.types": ("src/flyte/types/__init__.py", "Python values as Flyte literals, and back."),
    "flyte.io": ("src/flyte/io.py", "Files and directories under the import path of the official SDK."),
    "flyte.notify": ("src/flyte/notify/__init__.py", "Notifications about runs."),
    "flyte.artifacts": ("src/flyte/artifacts.py", "Metadata of artifacts."),
    "flyte.access.login": ("src/flyte/access/login.py", "Credentials that log in."),
    "flyte.devbox": ("src/flyte/devbox/__init__.py", "The embedded control plane."),
    "flyte_rpc.v1": ("src/flyte_rpc/v1.py", "The runtime of generated clients."),
}

_WIRE_FORMAT = {"CUT", "Self", "Slots"}
"""Names of `flyte_rpc.v1` that only generated codecs use, beside its functions."""

_MODULE_LIKE = {"artifacts", "devbox", "errors", "io", "models", "remote", "types"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {name: _rewritten((ROOT / source).read_text("utf-8")) for name, source in FROM_ROOT.items()}
    pages["reference/index.md"] = _overview()
    for module, (path, summary) in MODULES.items():
        pages[_page(module)] = _reference(module, public_names(path), summary)
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def public_names(path: str) -> list[str]:
    """What `__all__` of a module lists, in order."""
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise ValueError(f"{path} has no __all__")


def _page(module: str) -> str:
    return f"reference/{module.removesuffix('.v1').rpartition('.')[2]}.md"


def _overview() -> str:
    rows = [
        f"| [`{module}`]({_page(module).removeprefix('reference/')}) | {summary} |"
        for module, (_, summary) in MODULES.items()
    ]
    return "# API reference\n\n| module | |\n|---|---|\n" + "\n".join(rows) + "\n"


def _reference(module: str, names: list[str], summary: str) -> str:
    left_out = _MODULE_LIKE if module == "flyte" else _WIRE_FORMAT if module == "flyte_rpc.v1" else set[str]()
    if module == "flyte_rpc.v1":
        names = [name for name in names if name[0].isupper()]
    entries = [f"::: {module}.{name}" for name in names if name not in left_out]
    return "\n\n".join([f"# {module}", summary, *entries]) + "\n"


def _rewritten(text: str) -> str:
    """Links of a file at the top of the repository, as they are on the site; what is no page is named without a link."""
    text = re.sub(r"\]\(docs/([^)#]+\.md)", r"](\1", text)
    for page, source in FROM_ROOT.items():
        text = text.replace(f"]({source})", f"]({page})")
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)(?![^)]*\.md)[^)]*\)", r"\1", text)
