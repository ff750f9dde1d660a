from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError

import pytest

from flyte_rpc.auth.flows.client_credentials import ClientCredentials
from flyte_rpc.auth.flows.device import DeviceFlow
from flyte_rpc.auth.flows.pkce import PkceFlow
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.http.client import HttpClient
from flyte_rpc.transports.network.settings import Network
from support.oauth_server import SECRET, OAuthServer, oauth_server


class Clock:
    """A clock that moves when a test sets it, and by the seconds of each `sleep`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Browser:
    """Follows the link of a log-in as a browser does, and keeps the page that it ends on."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.pages: list[tuple[int, str]] = []
        self.before: Callable[[str], None] = lambda link: None
        """Called with the link before it is followed."""
        self._threads: list[threading.Thread] = []

    def __call__(self, link: str) -> bool:
        self.opened.append(link)
        thread = threading.Thread(target=self._follow, args=(link,))
        self._threads.append(thread)
        thread.start()
        return True

    def _follow(self, link: str) -> None:
        self.before(link)
        self.pages.append(fetch(link))

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def fetch(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


class Flows:
    """The flows against one server."""

    def __init__(self, oauth: OAuthServer) -> None:
        self.oauth = oauth
        self.clock = Clock()
        self.browser = Browser()
        self.shown: list[str] = []
        self.http = HttpClient(Network(), timeout=20, sleep=lambda seconds: None)

    def server(self, client_id: str = "people", **changes: Any) -> AuthServer:
        settings: dict[str, Any] = {
            "authorization_endpoint": f"{self.oauth.url}/authorize",
            "token_endpoint": f"{self.oauth.url}/token",
            "device_authorization_endpoint": f"{self.oauth.url}/device",
            "client_id": client_id,
            "redirect_uri": "http://localhost:0/callback",
            "scopes": ("all", "offline"),
        }
        return AuthServer(**{**settings, **changes})

    def pkce(self, *, timeout: float = 20, headless: bool = False, **changes: Any) -> PkceFlow:
        return PkceFlow(
            self.http,
            lambda: self.server(**changes),
            show=self.shown.append,
            open_browser=None if headless else self.browser,
            timeout=timeout,
        )

    def device(self, **changes: Any) -> DeviceFlow:
        return DeviceFlow(
            self.http,
            lambda: self.server(**changes),
            show=self.shown.append,
            sleep=self.clock.sleep,
            clock=self.clock,
        )

    def robot(self, secret: str = SECRET, **changes: Any) -> ClientCredentials:
        return ClientCredentials(self.http, lambda: self.server("robot", **{"scopes": (), **changes}), lambda: secret)


@pytest.fixture
def oauth() -> Iterator[OAuthServer]:
    with oauth_server() as server:
        yield server


@pytest.fixture
def flows(oauth: OAuthServer) -> Iterator[Flows]:
    made = Flows(oauth)
    yield made
    made.browser.join()
