"""`log_out`: the tokens of one identity, or of all, are gone from memory, files and the keyring."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte.access import login
from flyte.access.login import credentials_for, log_out
from flyte_rpc.auth.storage.files import FileStore
from flyte_rpc.serving.server import RunningServer
from rpc.auth.conftest import Browser
from support.oauth_server import SECRET, OAuthServer

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture(params=["files", "keyring"])
def entries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], str]]:
    """What the keyring holds, if there is one."""
    kept: dict[tuple[str, str], str] = {}
    if request.param == "files":
        yield kept
        return
    monkeypatch.delitem(sys.modules, "keyring")  # the fixture `browser` hides it
    keyring = pytest.importorskip("keyring")
    backend = pytest.importorskip("keyring.backend")

    class Memory(backend.KeyringBackend):  # type: ignore[misc, name-defined]
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept[service, username]

    def write(store: FileStore, name: str, text: str) -> None:
        raise AssertionError("a token went into a file")

    monkeypatch.setattr(FileStore, "write", write)
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield kept
    assert kept == {}, "a token stayed in the keyring"
    keyring.set_keyring(before)


def stored(tmp_path: Path, entries: dict[tuple[str, str], str]) -> int:
    """The number of stored tokens."""
    return len(entries) + len(list((tmp_path / "home").rglob("*.json")))


async def test_of_one_identity(
    plane: RunningServer,
    browser: Browser,
    tmp_path: Path,
    oauth: OAuthServer,
    entries: dict[tuple[str, str], str],
) -> None:
    ada = credentials_for("Pkce", endpoint=plane.endpoint, subject="ada")
    ben = credentials_for("Pkce", endpoint=plane.endpoint, subject="ben")
    of_ada, of_ben = await ada.headers(), await ben.headers()
    assert stored(tmp_path, entries) == 2
    log_out("Pkce", endpoint=plane.endpoint, subject="ada")
    assert stored(tmp_path, entries) == 1
    assert await ben.headers() == of_ben and len(browser.opened) == 2
    assert await ada.headers() != of_ada and len(browser.opened) == 3
    log_out()


async def test_of_all(
    plane: RunningServer, browser: Browser, tmp_path: Path, entries: dict[tuple[str, str], str]
) -> None:
    for _ in range(2):
        sessions = [credentials_for("Pkce", endpoint=plane.endpoint, subject=name) for name in ("ada", "ben")]
        for session in sessions:
            await session.headers()
        assert stored(tmp_path, entries) == 2
        log_out()
        assert stored(tmp_path, entries) == 0
    assert len(browser.opened) == 4


async def test_of_an_earlier_program(
    plane: RunningServer, browser: Browser, tmp_path: Path, entries: dict[tuple[str, str], str]
) -> None:
    for arguments in ({"endpoint": plane.endpoint}, {}):
        await credentials_for("Pkce", endpoint=plane.endpoint).headers()
        login._sessions.clear()  # as in a new process
        assert stored(tmp_path, entries) == 1
        log_out(**arguments)  # type: ignore[arg-type]
        assert stored(tmp_path, entries) == 0


async def test_options_do_not_matter(plane: RunningServer, browser: Browser) -> None:
    session = credentials_for("Pkce", endpoint=plane.endpoint, disable_keyring=True)
    await session.headers()
    log_out("pkce", endpoint=plane.endpoint, interactive=False)
    await session.headers()
    assert len(browser.opened) == 2


@pytest.mark.parametrize("arguments", [{}, None], ids=["all", "one"])
async def test_of_programs(plane: RunningServer, oauth: OAuthServer, arguments: dict[str, Any] | None) -> None:
    given = {"endpoint": plane.endpoint, "client_id": "robot", "client_credentials_secret": SECRET, "scopes": ["all"]}
    session = credentials_for(**given)
    before = await session.headers()
    log_out(**(given if arguments is None else arguments))
    assert await session.headers() != before
    assert oauth.grants == {"client_credentials": 2}


async def test_of_commands(tmp_path: Path) -> None:
    for name in ("command", "proxy_command"):
        file = tmp_path / name
        file.write_text("one")
        given = {name: [sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(file)]}
        session = credentials_for("ExternalCommand" if name == "command" else "Passthrough", **given)  # type: ignore[arg-type]
        proxy = getattr(session, "_proxy", session)
        assert (await proxy.headers())[0][1] == "Bearer one"
        file.write_text("two")
        log_out("ExternalCommand" if name == "command" else "Passthrough", **given)  # type: ignore[arg-type]
        assert (await proxy.headers())[0][1] == "Bearer two"
