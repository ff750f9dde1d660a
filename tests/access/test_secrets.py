"""Every flow, failing at every step: no token, secret, code, verifier or query appears in anything that is written."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import traceback
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from flyte.access import discovery
from flyte.access.login import credentials_for
from flyte.errors import FlyteError
from flyte_rpc.auth import notices
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from rpc.auth.conftest import Browser
from support.control_plane import Access, TokenGuard
from support.echo import Echo, EchoServer, Note
from support.oauth_server import HTML, SECRET, OAuthServer, Reply, oauth_server

QUERY = "query-value-of-the-token-endpoint"
COMMAND_TOKEN = "token-of-the-command-0001"
PROXY_TOKEN = "token-of-the-proxy-command-0002"

_SERVERS = ("oauthlib", "flyte_rpc.server", "grpclib", "h2")
"""Loggers of the servers of this test, which run in the same process."""


def echoing(path: str, form: dict[str, str]) -> Reply:
    """An error that repeats the whole request."""
    said = {"error": "invalid_request", "error_description": "you sent " + " ".join(form.values())}
    return 400, "application/json", json.dumps(said)


def broken(path: str, form: dict[str, str]) -> Reply:
    return 200, "application/json", "{" + " ".join(form.values())


def unusable(path: str, form: dict[str, str]) -> Reply:
    return 200, "application/json", json.dumps({"access_token": "\n".join(["leaked", *form.values()])})


def page(path: str, form: dict[str, str]) -> Reply:
    return HTML


def busy(path: str, form: dict[str, str]) -> Reply:
    return 500, "text/plain", " ".join(form.values())


def elsewhere(path: str, form: dict[str, str]) -> Reply:
    return 302, "text/plain", " ".join(form.values())


FAULTS = {fault.__name__: fault for fault in (echoing, broken, unusable, page, busy, elsewhere)}
STEPS = [
    "nothing",
    "log-in page",
    "rejected",
    "refused refresh",
    *(f"{path} {name}" for path in ("/device", "/token") for name in FAULTS),
]


def printing(token: str, seen: Path) -> list[str]:
    """A command that prints a token, after adding its command line and that of the program that runs it to a file."""
    at = seen.with_name(f"{len(token)}.token")
    at.write_text(token)
    code = (
        "import os, sys\n"
        "lines = [open(f'/proc/{pid}/cmdline', 'rb').read() for pid in (os.getpid(), os.getppid())]\n"
        f"open({str(seen)!r}, 'ab').write(b' '.join(lines))\n"
        "sys.stderr.write('warning: ' + sys.stdin.read())\n"
        f"print(open({str(at)!r}).read())"
    )
    return [sys.executable, "-c", code]


def affects(way: str, step: str) -> bool:
    """Whether a step that fails makes calls fail."""
    if way == "ExternalCommand":
        return step in ("rejected", "refused refresh")
    if step.startswith("/token"):
        return True
    people = {"log-in page": ("Pkce", "DeviceFlow"), **{f"/device {name}": ("DeviceFlow",) for name in FAULTS}}
    return way in people.get(step, ())


class Written:
    """Everything that is written while it is watched."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, *things: object) -> None:
        self.texts += map(str, things)

    def add_error(self, error: BaseException) -> None:
        self.add("".join(traceback.format_exception(error)), repr(error))
        chain: list[BaseException | None] = [error]
        while chain:
            found = chain.pop()
            if found is not None:
                self.add(found.args, vars(found))
                chain += [found.__cause__, found.__context__]


class Recorder(logging.Handler):
    """Keeps the lines of all loggers at DEBUG level."""

    def __init__(self, written: Written) -> None:
        super().__init__(logging.DEBUG)
        self.written = written

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] not in _SERVERS and record.name not in _SERVERS:
            self.written.add(f"{record.name}: {record.getMessage()} {record.args}")
            if record.exc_info and record.exc_info[1] is not None:
                self.written.add_error(record.exc_info[1])


@pytest.fixture
def oauth() -> Iterator[OAuthServer]:
    with oauth_server() as server:
        yield server


@pytest.fixture
def written() -> Iterator[Written]:
    found = Written()
    recorder = Recorder(found)
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(recorder)
    yield found
    root.removeHandler(recorder)
    root.setLevel(before)


@pytest.fixture(autouse=True)
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    made = Browser()
    monkeypatch.setattr(notices, "open_browser", made)
    monkeypatch.setitem(sys.modules, "keyring", None)
    yield made
    made.join()


def settings_of(way: str, endpoint: str, seen: Path) -> dict[str, Any]:
    secret = {"client_id": "robot", "scopes": ["all"], "client_credentials_secret": SECRET}
    key = b64encode(f"{endpoint}:robot:{SECRET.replace(':', '')}:None".encode()).decode()
    return {
        "Pkce": {"auth_type": "Pkce"},
        "DeviceFlow": {"auth_type": "DeviceFlow"},
        "ClientSecret": secret,
        "api_key": {"api_key": key, "scopes": ["all"]},
        "ExternalCommand": {"command": printing(COMMAND_TOKEN, seen)},
        "proxy": {**secret, "proxy_command": printing(PROXY_TOKEN, seen)},
    }[way]


async def use(endpoint: str, oauth: OAuthServer, written: Written, settings: dict[str, Any], step: str) -> int:
    """Make calls that log in, are rejected and renew. Returns how many of the two rounds failed."""
    failures = 0
    credentials = credentials_for(endpoint=endpoint, **settings)
    async with Client(
        endpoint, credentials=credentials, timeout=20, on_call=lambda record: written.add(record)
    ) as client:
        for attempt in range(2):
            try:
                await unary(client, Echo.WRITE, Note(n=1))
                async for _ in stream(client, Echo.COUNT, Note(to=1)):
                    pass
            except FlyteError as error:
                failures += 1
                written.add_error(error)
            if attempt == 0:
                if step in ("rejected", "refused refresh") or step.startswith("/token"):
                    oauth.revoke()
                if step == "refused refresh":
                    oauth.refresh_tokens.clear()
        written.add(repr(client), repr(client.settings), repr(credentials), repr(vars(credentials)))
    return failures


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", ["Pkce", "DeviceFlow", "ClientSecret", "api_key", "ExternalCommand", "proxy"])
async def test_nothing_is_written(
    way: str,
    step: str,
    oauth: OAuthServer,
    written: Written,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    browser: Browser,
) -> None:
    discovery.forget()
    guard = TokenGuard(oauth)
    metadata = {**oauth.metadata(), "token_endpoint": f"{oauth.url}/token?key={QUERY}"}
    if step == "log-in page":
        oauth.deny = "access_denied"
        oauth.device_answers = ["access_denied"]
    path, _, name = step.partition(" ")
    fault: Callable[[str, dict[str, str]], Reply] | None = FAULTS.get(name)
    refreshing = [False]

    def answer(asked: str, form: dict[str, str]) -> Reply | None:
        if fault is not None and asked == path and (form.get("grant_type") == "refresh_token") == refreshing[0]:
            return fault(asked, form)
        return None

    oauth.fault = answer
    oauth.interval, oauth.device_lifetime = 0.01, 1.5
    oauth.secret = SECRET.replace(":", "") if way == "api_key" else SECRET
    oauth.valid.add(COMMAND_TOKEN)
    seen = tmp_path / "cmdline"
    environment = dict(os.environ)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with await serve([EchoServer(), Access(metadata)], authenticate=guard) as server:
            settings = settings_of(way, server.endpoint, seen)
            failures = 0
            for refreshing[0] in (False, True) if fault is not None else (False,):
                failures += await use(server.endpoint, oauth, written, settings, step)
    written.add(*(warning.message for warning in warned), *capfd.readouterr())
    written.add(*(line for _, line in browser.pages))
    if seen.exists():
        written.add(seen.read_bytes().decode(errors="replace"))
    written.add({name: value for name, value in os.environ.items() if environment.get(name) != value})
    text = "\n".join(written.texts)
    secrets = {
        *oauth.issued,
        SECRET,
        SECRET.replace(":", ""),
        quote_plus(SECRET),
        QUERY,
        COMMAND_TOKEN,
        PROXY_TOKEN,
        "leaked",
    }
    if "api_key" in settings:
        secrets.add(settings["api_key"])
    for secret in secrets:
        assert secret not in text
    assert "flyte_rpc" in text, "the log was not watched"
    if step == "nothing":
        assert failures == 0, text
    elif affects(way, step):
        assert failures > 0


def test_the_search_finds_what_it_looks_for(written: Written) -> None:
    logging.getLogger("urllib3").debug("secret-%s", 1)
    try:
        try:
            raise ValueError("secret-2")
        except ValueError:
            raise RuntimeError("outer") from None
    except RuntimeError as error:
        written.add_error(error)
    text = "\n".join(written.texts)
    assert "secret-1" in text and "secret-2" in text


async def test_asyncio_is_watched(written: Written) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "secret-3"})
    assert "secret-3" in "\n".join(written.texts)
