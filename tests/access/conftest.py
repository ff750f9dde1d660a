from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest

from flyte.access import discovery
from flyte_api.registry import registry
from flyte_rpc.auth import notices
from flyte_rpc.serving.server import RunningServer, serve
from rpc.auth.conftest import Browser
from support.control_plane import Access, TokenGuard
from support.echo import EchoServer
from support.oauth_server import OAuthServer, oauth_server


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A home and working directory without configuration, no variables of Flyte tools, and no default client."""
    for name in list(os.environ):
        if name.startswith(("FLYTE_", "_U_", "FLYTECTL_", "UCTL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(work)
    previous = registry.default
    registry.set_default(None)
    yield
    registry.set_default(previous)


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration file."""

    def write(text: str | bytes, path: str = "work/config.yaml") -> Path:
        at = tmp_path / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(text if isinstance(text, bytes) else text.encode())
        return at

    return write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a folder in it, which is the working directory."""
    root = tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


@pytest.fixture
def oauth() -> Iterator[OAuthServer]:
    with oauth_server() as server:
        yield server


@pytest.fixture
def guard(oauth: OAuthServer) -> TokenGuard:
    return TokenGuard(oauth)


@pytest.fixture
def access(oauth: OAuthServer) -> Access:
    return Access(oauth.metadata())


@pytest.fixture
async def plane(access: Access, guard: TokenGuard) -> AsyncGenerator[RunningServer, None]:
    discovery.forget()
    async with await serve([EchoServer(), access], authenticate=guard) as server:
        yield server


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """The browser of the user, who has no keyring."""
    made = Browser()
    monkeypatch.setattr(notices, "open_browser", made)
    monkeypatch.setitem(sys.modules, "keyring", None)
    yield made
    made.join()
