"""What importing the client costs, counted in modules, and what it must never load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from flyte.devbox import Devbox

# Modules outside the standard library, whose own imports differ between versions of Python. A budget, not a record: raise it
# only for something every user needs.
_BUDGETS = {"import flyte": 4, "from flyte.remote import Run": 120}

_HEAVY = (
    "rich",
    "click",
    "httpx",
    "grpclib",
    "h11",
    "h2",
    "jinja2",
    "google",
    "pydantic",
    "sqlite3",
    "ssl",
    "urllib3",
    "keyring",
    "opentelemetry",
)
_OURS = ("flyte.devbox", "flyte_codegen", "flyte_rpc.serving.server", "flyte.types")


def _loaded(statement: str) -> set[str]:
    # betterproto2 imports pydantic if it is installed, which we cannot change.
    hide = "import sys, asyncio; sys.modules['pydantic'] = None"
    code = f"{hide}; {statement}; import json; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bare = f"{hide}; import json; print(json.dumps([*sys.modules]))"
    base = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout)) - set(json.loads(base.stdout))


@pytest.mark.parametrize("statement", _BUDGETS)
def test_modules_loaded(statement: str) -> None:
    loaded = _loaded(statement)
    heavy = sorted(m for m in loaded if m.split(".")[0] in _HEAVY or m.startswith(_OURS))
    assert heavy == []
    counted = sorted(m for m in loaded if m.split(".")[0] not in sys.stdlib_module_names)
    assert len(counted) <= _BUDGETS[statement], counted


def test_calls_with_a_token_need_no_log_in(flyte_devbox: Devbox) -> None:
    statement = (
        f"import flyte; flyte.init({flyte_devbox.endpoint!r}, token={flyte_devbox.token!r}); "
        "from flyte.remote import Project; assert Project.listall(limit=1).first() is not None"
    )
    loaded = _loaded(statement)
    assert sorted(m for m in loaded if m.startswith(("urllib3", "keyring", "flyte_rpc.auth", "flyte_rpc.http"))) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from flyte.remote import upload_file, upload_dir",
        "from flyte.types import File; File('https://h/a').name",
        "from flyte.types import File; File(__import__('sys').executable).download()",
    ],
)
def test_files_need_http_when_they_are_transferred(statement: str) -> None:
    heavy = ("urllib3", "rich", "http.client", "ssl", "grpclib", "h11")
    assert sorted(module for module in _loaded(statement) if module.startswith(heavy)) == []


def test_every_public_name_can_be_had() -> None:
    import flyte
    import flyte.remote
    import flyte.types

    for module in (flyte, flyte.remote, flyte.types):
        for name in module.__all__:
            assert getattr(module, name) is not None
            assert name in dir(module)
        with pytest.raises(AttributeError, match="no attribute 'nope'"):
            module.nope  # noqa: B018
