"""`credentials_for`: every way to log in through a client, and combinations of arguments that cannot work."""

from __future__ import annotations

import asyncio
import sys
import threading
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from flyte.access import discovery
from flyte.access.api_key import parse_api_key
from flyte.access.login import credentials_for
from flyte.errors import AuthenticationError, InitializationError, UnauthenticatedError
from flyte.remote import auth_metadata
from flyte_rpc.auth import notices
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import RunningServer, serve
from rpc.auth.conftest import Browser
from support.control_plane import Access, TokenGuard
from support.echo import Echo, EchoServer, Note
from support.oauth_server import DEVICE_GRANT, SECRET, OAuthServer

pytestmark = pytest.mark.usefixtures("browser")


async def call(endpoint: str, **settings: Any) -> int:
    """Make calls with credentials."""
    credentials = credentials_for(endpoint=endpoint, **settings)
    async with Client(endpoint, credentials=credentials, timeout=20) as client:
        read = [note async for note in stream(client, Echo.COUNT, Note(to=3))]
        return len(read) + int((await unary(client, Echo.WRITE, Note(n=3))).n)


async def test_pkce(plane: RunningServer, oauth: OAuthServer, browser: Browser) -> None:
    assert await call(plane.endpoint) == 6
    assert await call(plane.endpoint, auth_type="pkce") == 6
    assert (oauth.grants, len(browser.opened)) == ({"authorization_code": 1}, 1)


async def test_tokens_are_kept_for_the_next_program(plane: RunningServer, oauth: OAuthServer, tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; sys.modules['keyring'] = None\n"
        "from flyte.access.login import credentials_for\n"
        "found = asyncio.run(credentials_for(endpoint=sys.argv[1], interactive=False).headers())\n"
        "print(found[0][1].removeprefix('Bearer ') == sys.stdin.read())"
    )
    await call(plane.endpoint)
    [token] = oauth.valid
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, plane.endpoint, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, error = await process.communicate(token.encode())
    assert out.decode().strip() == "True", error.decode()


async def test_disable_keyring_writes_nothing(plane: RunningServer, tmp_path: Path) -> None:
    await call(plane.endpoint, disable_keyring=True)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


async def test_headless(
    plane: RunningServer, browser: Browser, monkeypatch: pytest.MonkeyPatch, oauth: OAuthServer
) -> None:
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        Browser.__call__(person, text.splitlines()[-1])

    person = Browser()
    monkeypatch.setattr(notices, "show", show)
    assert await call(plane.endpoint, headless=True) == 6
    person.join()
    assert (browser.opened, len(shown)) == ([], 1)


async def test_device_flow(plane: RunningServer, oauth: OAuthServer, capsys: pytest.CaptureFixture[str]) -> None:
    oauth.interval = 0.01
    assert await call(plane.endpoint, auth_type="DeviceFlow") == 6
    assert "enter the code " in capsys.readouterr().err
    assert oauth.grants == {DEVICE_GRANT: 1}


class TestClientSecret:
    async def test_by_value(self, plane: RunningServer, oauth: OAuthServer, tmp_path: Path) -> None:
        settings = {"client_id": "robot", "scopes": ["all"], "client_credentials_secret": SECRET}
        assert await call(plane.endpoint, **settings) == 6
        assert oauth.grants == {"client_credentials": 1}
        assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []

    async def test_besides_the_default_way(self, plane: RunningServer) -> None:
        settings = {"client_id": "robot", "scopes": ["all"], "client_credentials_secret": SECRET}
        assert await call(plane.endpoint, auth_type="Pkce", **settings) == 6

    async def test_from_a_file(self, plane: RunningServer, oauth: OAuthServer, tmp_path: Path) -> None:
        at = tmp_path / "secret"
        settings = {"client_id": "robot", "scopes": ["all"], "client_secret_location": at}
        with pytest.raises(AuthenticationError, match=r"cannot be read \(No such file.*Check client_secret_location"):
            await call(plane.endpoint, **settings)
        at.write_text(f"{SECRET}\n")
        assert await call(plane.endpoint, **settings) == 6

    async def test_from_the_environment(self, plane: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = {"client_id": "robot", "scopes": ["all"], "client_secret_env_var": "MY_SECRET"}
        with pytest.raises(AuthenticationError, match=r"environment variable MY_SECRET .* is not set"):
            await call(plane.endpoint, **settings)
        monkeypatch.setenv("MY_SECRET", SECRET)
        assert await call(plane.endpoint, **settings) == 6

    async def test_api_key(self, plane: RunningServer, oauth: OAuthServer, guard: TokenGuard) -> None:
        key = b64encode(f"{plane.endpoint}:robot:plain-secret:None".encode()).decode()
        oauth.secret = "plain-secret"
        credentials = credentials_for(api_key=key, scopes=["all"])
        async with Client(plane.endpoint, credentials=credentials, timeout=20) as client:
            await unary(client, Echo.WRITE, Note(n=1))
        assert oauth.grants == {"client_credentials": 1} and len(guard.accepted) == 1

    async def test_two_secrets_do_not_share_tokens(self, plane: RunningServer) -> None:
        settings = {"client_id": "robot", "scopes": ["all"]}
        one = credentials_for(endpoint=plane.endpoint, client_credentials_secret=SECRET, **settings)  # type: ignore[arg-type]
        await one.headers()
        other = credentials_for(endpoint=plane.endpoint, client_credentials_secret="other", **settings)  # type: ignore[arg-type]
        with pytest.raises(AuthenticationError, match="invalid_client"):
            await other.headers()


async def test_external_command(plane: RunningServer, oauth: OAuthServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("stale")
    command = [sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(file)]
    credentials = credentials_for("ExternalCommand", command=command)
    async with Client(plane.endpoint, credentials=credentials, timeout=20) as client:
        with pytest.raises(UnauthenticatedError) as raised:
            await unary(client, Echo.SAY, Note())
        assert raised.value.attempts == 1  # the command printed the same token again
        oauth.valid.add("fresh")
        file.write_text("fresh")
        assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1


async def test_passthrough(plane: RunningServer, oauth: OAuthServer) -> None:
    oauth.valid.add("of-a-caller")
    async with Client(plane.endpoint, credentials=credentials_for("Passthrough"), timeout=20) as client:
        with pytest.raises(AuthenticationError, match="sends the headers of an auth_metadata block"):
            await unary(client, Echo.SAY, Note())
        with auth_metadata(("authorization", "Bearer of-a-caller")):
            assert (await unary(client, Echo.SAY, Note(n=1))).n == 1
        with auth_metadata(("x-other", "1")), pytest.raises(UnauthenticatedError):
            await unary(client, Echo.SAY, Note())


class TestProxyCommand:
    COMMAND = (sys.executable, "-c", "print('for-the-proxy')")

    async def test_beside_other_credentials(self, plane: RunningServer, guard: TokenGuard) -> None:
        assert await call(plane.endpoint, proxy_command=self.COMMAND) == 6
        assert {headers["proxy-authorization"] for headers in guard.accepted} == {"Bearer for-the-proxy"}

    async def test_discovery_passes_the_proxy_too(self, plane: RunningServer, access: Access) -> None:
        await call(plane.endpoint, proxy_command=self.COMMAND)
        assert {call.metadata.get("proxy-authorization") for call in access.calls} == {"Bearer for-the-proxy"}
        assert {call.metadata.get("authorization") for call in access.calls} == {None}

    async def test_in_a_block(self, plane: RunningServer, oauth: OAuthServer, guard: TokenGuard) -> None:
        oauth.valid.add("of-a-caller")
        credentials = credentials_for(endpoint=plane.endpoint, proxy_command=self.COMMAND, interactive=False)
        async with Client(plane.endpoint, credentials=credentials, timeout=20) as client:
            with auth_metadata(("authorization", "Bearer of-a-caller")):
                await unary(client, Echo.SAY, Note())
        assert guard.accepted[0]["proxy-authorization"] == "Bearer for-the-proxy"

    async def test_a_failure(self, plane: RunningServer) -> None:
        with pytest.raises(AuthenticationError, match="proxy_command gave no token"):
            await call(plane.endpoint, proxy_command=[sys.executable, "-c", "raise SystemExit(4)"])


async def test_another_header(oauth: OAuthServer) -> None:
    discovery.forget()
    guard = TokenGuard(oauth, "flyte-authorization")
    access = Access(oauth.metadata(), authorization_metadata_key="flyte-authorization")
    async with await serve([EchoServer(), access], authenticate=guard) as server:
        assert await call(server.endpoint) == 6
        oauth.revoke()
        assert await call(server.endpoint) == 6
    assert oauth.grants == {"authorization_code": 1, "refresh_token": 1}


async def test_two_accounts_at_once(plane: RunningServer, oauth: OAuthServer, browser: Browser) -> None:
    await asyncio.gather(call(plane.endpoint, subject="ada"), call(plane.endpoint, subject="ben"))
    assert oauth.grants == {"authorization_code": 2} and len(oauth.valid) == 2
    assert sorted(link.rpartition("login_hint=")[2] for link in browser.opened) == ["ada", "ben"]


async def test_a_client_id_that_nobody_names(oauth: OAuthServer) -> None:
    discovery.forget()
    with pytest.raises(InitializationError, match="Pass client_id="):
        await credentials_for("Pkce", endpoint=oauth.url).headers()


def test_ten_threads_log_in_once(oauth: OAuthServer) -> None:
    discovery.forget()
    answers: list[str] = []

    def ask() -> None:
        credentials = credentials_for(endpoint=oauth.url, client_id="people", redirect_uri="http://localhost:0/x")
        answers.append(asyncio.run(credentials.headers())[0][1])  # type: ignore[arg-type]

    keep = credentials_for(endpoint=oauth.url, client_id="people", redirect_uri="http://localhost:0/x")
    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(answers), len(set(answers)), oauth.grants) == (10, 1, {"authorization_code": 1}), keep


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auth_type": "OAuth"}, r"auth_type='OAuth' is not a way to log in; choose one of 'Pkce', 'DeviceFlow'"),
        ({}, r"needs an endpoint; write endpoint='https://host'"),
        ({"auth_type": "ClientSecret"}, r"write client_secret_env_var='MY_SECRET'"),
        ({"client_credentials_secret": "hush"}, r"needs client_id='...'"),
        ({"auth_type": "ExternalCommand"}, r"write command=\['my-program', 'print-token'\]"),
        ({"command": "get token"}, r"command takes a list"),
        ({"command": ["a", 1]}, r"command takes a list of texts"),
        ({"proxy_command": []}, r"proxy_command takes a list"),
        ({"auth_type": "Pkce", "command": ["a"]}, r"omit command, or write auth_type='ExternalCommand'"),
        ({"auth_type": "Passthrough", "client_credentials_secret": "hush"}, r"omit client_credentials_secret"),
        ({"client_credentials_secret": "hush", "client_secret_env_var": "X"}, r"keep one of them"),
        ({"api_key": "hush", "client_id": "x"}, r"api_key has a client id and a secret in it; omit client_id"),
        ({"authorization_header": "a b"}, r"authorization_header has the header 'a b'"),
    ],
)
def test_combinations_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InitializationError, match=message) as raised:
        credentials_for(**settings)
    assert "hush" not in str(raised.value)


class TestApiKey:
    @pytest.mark.parametrize(
        ("plain", "endpoint", "org"),
        [
            ("flyte.example.com:id:hush:acme", "flyte.example.com", "acme"),
            ("flyte.example.com:id:hush:None", "flyte.example.com", ""),
            ("flyte.example.com:8443:id:hush:", "flyte.example.com:8443", ""),
            ("https://flyte.example.com:8443:id:hush:acme", "https://flyte.example.com:8443", "acme"),
            ("dns:///flyte.example.com:id:hush:acme", "dns:///flyte.example.com", "acme"),
            ("http://[::1]:80:id:hush:acme", "http://[::1]:80", "acme"),
        ],
    )
    def test_forms(self, plain: str, endpoint: str, org: str) -> None:
        for text in (b64encode(plain.encode()), urlsafe_b64encode(plain.encode()).rstrip(b"=")):
            key = parse_api_key(text.decode())
            assert (key.endpoint, key.client_id, key.client_secret, key.org) == (endpoint, "id", "hush", org)
            assert "hush" not in repr(key)

    @pytest.mark.parametrize("plain", [b"", b"a:b", b"host:id:", b"host::hush:org", b"\xff\xfe", b"a b:id:hush:org"])
    def test_malformed_ones_are_not_repeated(self, plain: bytes) -> None:
        for text in (b64encode(plain).decode(), "not base64: hush", plain.decode("latin-1")):
            with pytest.raises(InitializationError, match="The API key is not valid") as raised:
                parse_api_key(text)
            assert "hush" not in str(raised.value) and raised.value.__context__ is None
