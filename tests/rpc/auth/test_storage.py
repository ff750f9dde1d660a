"""Where tokens are kept: files that only their owner can read, the keyring, and the lock between processes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from flyte_rpc.auth.session import OAuthCredentials
from flyte_rpc.auth.storage import state_folder as folders
from flyte_rpc.auth.storage.locking import process_lock
from flyte_rpc.auth.storage.store import Identity, TokenStore, forget_all
from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.errors import AuthenticationError
from rpc.auth.conftest import Clock, Flows
from support.oauth_server import OAuthServer

ME = Identity("https://flyte.example.com:443", "Pkce", "people", ("all",), "", "")
TOKENS = Tokens(access_token="access-1", refresh_token="refresh-1", lifetime=100.0, received=1000.0)

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens"


@pytest.fixture
def store(folder: Path) -> TokenStore:
    clock = Clock()
    return TokenStore(ME, "flyte-remote", folder=folder, clock=clock, wall=clock)


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.mark.usefixtures("no_keyring")
class TestFiles:
    def test_round_trip(self, store: TokenStore) -> None:
        assert store.read() is None
        store.write(TOKENS)
        assert store.read() == TOKENS
        store.delete()
        assert store.read() is None

    @posix
    def test_only_the_owner_can_read(self, store: TokenStore, folder: Path) -> None:
        before = os.umask(0)
        try:
            with store.locked(1):
                store.write(TOKENS)
        finally:
            os.umask(before)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert {path.suffix for path in folder.iterdir()} == {".json", ".lock"}

    @posix
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_file_that_others_can_read(self, store: TokenStore, folder: Path, mode: int) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        path.chmod(mode)
        with pytest.raises(AuthenticationError, match=r"Other users have access to .*\.json.*chmod 600"):
            store.read()

    @posix
    def test_a_link(self, store: TokenStore, folder: Path, tmp_path: Path) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(AuthenticationError, match="is a symbolic link"):
            store.read()

    @posix
    def test_a_folder_that_others_can_use(self, store: TokenStore, folder: Path) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o770)
        with pytest.raises(AuthenticationError, match=r"Other users have access to .*chmod 700"):
            store.write(TOKENS)
        with pytest.raises(AuthenticationError, match="Other users have access to"), store.locked(1):
            pass

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "{}", '"x"', "null", "[" * 100_000, '{"access_token": 1, "received": 1, "lifetime": 1}']
    )
    def test_a_damaged_file_counts_as_none(
        self, store: TokenStore, folder: Path, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        path.write_text(text)
        assert store.read() is None
        assert f"Stored tokens are damaged and ignored: the file {path}" in caplog.text

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("lifetime", "abc"),
            ("lifetime", [1]),
            ("lifetime", True),
            ("lifetime", float("nan")),
            ("lifetime", 10**400),
            ("received", float("inf")),
            ("received", None),
            ("header", "x y"),
            ("header", ""),
            ("header", 1),
            ("access_token", ""),
            ("access_token", "a\nb"),
            ("access_token", "\xe9"),
            ("refresh_token", 1),
        ],
    )
    def test_a_damaged_field(self, store: TokenStore, folder: Path, field: str, value: object) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
        assert store.read() is None
        store.write(TOKENS)
        assert store.read() == TOKENS

    @posix
    def test_a_named_pipe_does_not_block(self, store: TokenStore, folder: Path) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        path.unlink()
        os.mkfifo(path, 0o600)
        assert store.read() is None
        store.write(TOKENS)
        assert store.read() == TOKENS

    def test_log_out_of_all(self, store: TokenStore, folder: Path) -> None:
        other = TokenStore(ME._replace(subject="ben"), "flyte-remote", folder=folder)
        for each in (store, other):
            each.write(TOKENS)
        forget_all("flyte-remote", folder)
        assert (store.read(), other.read()) == (None, None)
        forget_all("flyte-remote", folder / "missing")

    @posix
    def test_tokens_that_cannot_be_removed(self, store: TokenStore, folder: Path) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        path.unlink()
        path.mkdir()  # which unlink() does not remove
        for log_out in (store.log_out, lambda: forget_all("flyte-remote", folder)):
            with pytest.raises(AuthenticationError, match=rf"Tokens cannot be removed from the file {path}"):
                log_out()

    def test_nowhere_to_write(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        (tmp_path / "file").write_text("")
        store = TokenStore(ME, "flyte-remote", folder=tmp_path / "file" / "tokens")
        with caplog.at_level(logging.WARNING), store.locked(1):
            store.write(TOKENS)
            assert store.read() is None
        assert "Tokens cannot be kept for later programs" in caplog.text

    def test_names_of_files_say_nothing(self, store: TokenStore, folder: Path) -> None:
        store.write(TOKENS)
        [path] = folder.iterdir()
        assert "flyte" not in path.name and "people" not in path.name


class TestStateFolder:
    @pytest.mark.parametrize(
        ("platform", "variables", "expected"),
        [
            ("linux", {"XDG_STATE_HOME": "/state"}, "/state/flyte-remote"),
            ("linux", {"XDG_STATE_HOME": "relative"}, "/home/ada/.local/state/flyte-remote"),
            ("linux", {}, "/home/ada/.local/state/flyte-remote"),
            ("darwin", {}, "/home/ada/Library/Application Support/flyte-remote"),
            ("win32", {"LOCALAPPDATA": "/local"}, "/local/flyte-remote"),
        ],
    )
    def test_places(
        self, monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
    ) -> None:
        monkeypatch.setenv("HOME", "/home/ada")
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(folders.sys, "platform", platform)
        assert folders.state_folder("flyte-remote").as_posix() == expected


class TestKeyring:
    @pytest.fixture
    def kept(self) -> dict[tuple[str, str], str]:
        """What a keyring of the package `keyring` holds."""
        keyring = pytest.importorskip("keyring")
        backend = pytest.importorskip("keyring.backend")
        entries: dict[tuple[str, str], str] = {}

        class Memory(backend.KeyringBackend):  # type: ignore[misc, name-defined]
            priority = 1

            def get_password(self, service: str, username: str) -> str | None:
                return entries.get((service, username))

            def set_password(self, service: str, username: str, password: str) -> None:
                if ("broken", "") in entries:
                    raise RuntimeError(f"cannot store {password}")
                entries[service, username] = password

            def delete_password(self, service: str, username: str) -> None:
                del entries[service, username]

        keyring.set_keyring(Memory())
        return entries

    @pytest.fixture(autouse=True)
    def restored(self) -> object:
        keyring = pytest.importorskip("keyring")
        before = keyring.get_keyring()
        yield
        keyring.set_keyring(before)

    def test_round_trip(self, store: TokenStore, folder: Path, kept: dict[tuple[str, str], str]) -> None:
        store.write(TOKENS)
        assert store.read() == TOKENS and not folder.exists()
        assert [service for service, _ in kept] == ["flyte-remote"]
        store.delete()
        assert store.read() is None and kept == {}

    def test_it_replaces_a_file(
        self, store: TokenStore, folder: Path, kept: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "keyring", None)
            store.write(TOKENS)
        assert store.read() == TOKENS
        store.write(TOKENS)
        assert list(folder.iterdir()) == [] and len(kept) == 1

    def test_one_that_fails(
        self, store: TokenStore, folder: Path, kept: dict[tuple[str, str], str], caplog: pytest.LogCaptureFixture
    ) -> None:
        store.write(attrs.evolve(TOKENS, access_token="an-older-one"))
        kept["broken", ""] = ""
        with caplog.at_level(logging.DEBUG):
            store.write(TOKENS)
        assert store.read() == TOKENS and len(list(folder.iterdir())) == 1
        assert "The keyring cannot be written (RuntimeError)" in caplog.text and "access-1" not in caplog.text

    def test_log_out_of_all(self, store: TokenStore, folder: Path, kept: dict[tuple[str, str], str]) -> None:
        other = TokenStore(ME._replace(subject="ben"), "flyte-remote", folder=folder)
        for each in (store, other):
            with each.locked(1):
                each.write(TOKENS)
        assert len(kept) == 2
        forget_all("flyte-remote", folder)
        assert kept == {}

    def test_an_entry_that_cannot_be_removed(
        self, store: TokenStore, kept: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def locked(service: str, username: str) -> None:
            raise RuntimeError("the keyring is locked")

        store.write(TOKENS)
        monkeypatch.setattr(pytest.importorskip("keyring"), "delete_password", locked)
        with pytest.raises(AuthenticationError, match=r"cannot be removed from the keyring entry .* of flyte-remote"):
            store.log_out()

    def test_a_damaged_entry(
        self, store: TokenStore, kept: dict[tuple[str, str], str], caplog: pytest.LogCaptureFixture
    ) -> None:
        store.write(TOKENS)
        [key] = kept
        kept[key] = "{"
        assert store.read() is None
        assert f"damaged and ignored: the keyring entry {key[1]} of flyte-remote" in caplog.text

    def test_one_without_a_backend(self, store: TokenStore, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        keyring = pytest.importorskip("keyring")
        keyring.set_keyring(pytest.importorskip("keyring.backends.fail").Keyring())
        with caplog.at_level(logging.DEBUG):
            store.write(TOKENS)
        assert store.read() == TOKENS and "This system has no keyring" in caplog.text

    def test_one_that_cannot_be_imported(
        self, store: TokenStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(ModuleType):
            def __getattr__(self, name: str) -> object:
                raise OSError("no bus")

        monkeypatch.setitem(sys.modules, "keyring", Broken("keyring"))
        with caplog.at_level(logging.DEBUG):
            store.write(TOKENS)
        assert store.read() == TOKENS and "cannot be loaded (OSError)" in caplog.text


class TestLock:
    def test_one_at_a_time(self, tmp_path: Path) -> None:
        clock = Clock()
        with (
            process_lock(tmp_path / "lock", 1),
            pytest.raises(AuthenticationError, match="Another process has been logging in for 7 s"),
            process_lock(tmp_path / "lock", 7, sleep=clock.sleep, clock=clock),
        ):
            raise AssertionError("the lock was held twice")
        with process_lock(tmp_path / "lock", 1):
            assert sum(clock.slept) == pytest.approx(7, abs=0.1)


class TestIdentity:
    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": "others"},
            {"scopes": ("other",)},
            {"audience": "other"},
            {"subject": "ben"},
            {"server": (("token_endpoint", "https://other.example.com/token"),)},
            {"server": (("header", "flyte-authorization"),)},
        ],
    )
    def test_every_field_tells_identities_apart(self, changes: dict[str, Any]) -> None:
        assert ME._replace(**changes).name != ME.name


_PROCESS = """
import asyncio, sys, threading
from pathlib import Path
from flyte_rpc.auth.flows.device import DeviceFlow
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.auth.session import OAuthCredentials
from flyte_rpc.auth.storage.store import Identity, TokenStore
from flyte_rpc.http.client import HttpClient
from flyte_rpc.transports.network.settings import Network

folder, url, rejected = sys.argv[1:]
server = AuthServer(token_endpoint=url + "/token", client_id="people", scopes=("all", "offline"))
flow = DeviceFlow(HttpClient(Network()), lambda: server, show=print)
identity = Identity("https://flyte.example.com:443", "Pkce", "people", ("all",), "", "")
session = OAuthCredentials(flow, label="x", store=TokenStore(identity, "flyte-remote", folder=Path(folder)))
old = (("authorization", "Bearer " + rejected),)
found = []

async def work():
    await session.renew(old)
    found.append((await session.headers())[0][1])

threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(10)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(found) == 10
print(" ".join(sorted(set(found))), flush=True)
"""


@pytest.mark.usefixtures("no_keyring")
def test_ten_threads_in_each_of_two_processes_renew_once(
    flows: Flows, oauth: OAuthServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    session = OAuthCredentials(flows.pkce(), label="x", store=TokenStore(ME, "flyte-remote", folder=folder))
    [(_, value)] = asyncio.run(session.headers())  # type: ignore[arg-type]
    rejected = value.removeprefix("Bearer ")
    oauth.grants.clear()
    # Both processes have asked before the first one is answered.
    arrived = threading.Event()

    def fault(path: str, form: dict[str, str]) -> None:
        assert arrived.wait(30)

    oauth.fault = fault
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, str(folder), oauth.url, rejected],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    arrived.set()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] == said[1] != f"Bearer {rejected}"
    assert said[0].removeprefix("Bearer ") in oauth.valid
    assert oauth.grants == {"refresh_token": 1}
