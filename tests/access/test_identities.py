"""Who shares a token: clients of one identity do, others never. Equal settings give equal credentials."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import flyte
from flyte.access.login import _proxy_headers, credentials_for
from flyte.errors import InitializationError
from flyte_rpc.auth.passthrough import Passthrough
from flyte_rpc.auth.proxy import WithProxyAuthorization
from flyte_rpc.calls.credentials import BearerToken, Headers, OnDemand, TokenFunction
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.transports.endpoint import parse_endpoint
from rpc.auth.conftest import Browser
from support.oauth_server import OAuthServer

pytestmark = pytest.mark.usefixtures("browser")

PROXY_COMMAND = ["echo", "for-the-proxy"]


def described(oauth: OAuthServer, **changes: Any) -> dict[str, Any]:
    """What an authorization server is like, for `auth_client_config`."""
    return {
        "token_endpoint": f"{oauth.url}/token",
        "authorization_endpoint": f"{oauth.url}/authorize",
        "client_id": "people",
        "redirect_uri": "http://localhost:0/callback",
        "scopes": ["all", "offline"],
        **changes,
    }


class TestIdentities:
    @pytest.mark.parametrize(
        "changes",
        [
            {"scopes": ["all"]},
            {"audience": "other"},
            {"header_key": "flyte-authorization"},
            {"token_endpoint": "{url}/token?realm=other"},
            {"authorization_endpoint": "{url}/authorize?realm=other"},
            {"redirect_uri": "http://localhost:0/other"},
        ],
        ids=lambda changes: "+".join(changes),
    )
    async def test_auth_client_config_is_part_of_them(
        self, oauth: OAuthServer, browser: Browser, tmp_path: Path, changes: dict[str, Any]
    ) -> None:
        changes = {
            name: value.format(url=oauth.url) if isinstance(value, str) else value for name, value in changes.items()
        }
        for config in (described(oauth), described(oauth, **changes), described(oauth)):
            credentials = credentials_for("Pkce", endpoint=oauth.url, auth_client_config=config)
            [(name, _)] = await credentials.headers()
            assert name == config.get("header_key", "authorization")
            del credentials
            gc.collect()  # so that only the stored tokens are left
        assert len(browser.opened) == 2
        assert len(list((tmp_path / "home").rglob("*.json"))) == 2

    async def test_an_argument_is_the_same_as_the_configuration(self, oauth: OAuthServer, browser: Browser) -> None:
        config = described(oauth)
        await credentials_for("Pkce", endpoint=oauth.url, auth_client_config=config).headers()
        del config["client_id"], config["scopes"]
        changed = credentials_for(
            "Pkce", endpoint=oauth.url, auth_client_config=config, client_id="people", scopes=["all", "offline"]
        )
        await changed.headers()
        assert len(browser.opened) == 1


class TestTheProxy:
    @pytest.mark.parametrize(
        ("endpoint", "url", "expected"),
        [
            ("https://h:8443", "https://h:8443/.well-known/x", True),
            ("https://h", "https://h/x", True),
            ("https://h", "https://H:443/x", True),
            ("http://h", "http://h/x", True),
            ("https://h", "http://h/x", False),
            ("https://h", "https://h:8443/x", False),
            ("http://h:80", "https://h/x", False),
            ("https://h", "https://sso.h/x", False),
        ],
    )
    def test_it_gets_its_token_for_one_origin(self, endpoint: str, url: str, expected: bool) -> None:
        class Proxy(BearerToken):
            async def headers(self) -> Any:
                return (("proxy-authorization", "Bearer p"),)

        headers = list(_proxy_headers(parse_endpoint(endpoint), Proxy("p"))(url))
        assert headers == ([("proxy-authorization", "Bearer p")] if expected else [])

    async def test_a_token_endpoint_on_another_port(
        self, plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        received: list[dict[str, str]] = []
        handle = oauth.handle

        def record(method: str, target: str, headers: dict[str, str], body: str) -> Any:
            received.append({name.lower(): value for name, value in headers.items()})
            return handle(method, target, headers, body)

        monkeypatch.setattr(oauth, "handle", record)
        await credentials_for("Pkce", endpoint=plane.endpoint, proxy_command=PROXY_COMMAND).headers()
        assert received and all("proxy-authorization" not in headers for headers in received)


def token() -> str:
    return "t"


class TestEquality:
    @pytest.mark.parametrize(
        "make",
        [
            Passthrough,
            lambda: BearerToken("t"),
            lambda: TokenFunction(token),
            lambda: WithProxyAuthorization(BearerToken("p"), BearerToken("t")),
            lambda: OnDemand(Passthrough, identity=("x",)),
        ],
    )
    def test_of_credentials_with_the_same_meaning(self, make: Callable[[], object]) -> None:
        one, other = make(), make()
        assert one is not other and one == other

    def test_of_other_credentials(self) -> None:
        different = [
            Passthrough(),
            BearerToken("t"),
            BearerToken("u"),
            TokenFunction(token),
            TokenFunction(lambda: "t"),
            WithProxyAuthorization(BearerToken("t"), None),
            OnDemand(Passthrough),
            OnDemand(Passthrough, identity="x"),
        ]
        assert [(one, other) for one in different for other in different if one is not other and one == other] == []

    @pytest.mark.parametrize(
        "settings",
        [
            {"auth_type": "Passthrough"},
            {"token": "t", "proxy_command": PROXY_COMMAND},
            {"token": token, "proxy_command": PROXY_COMMAND},
            {"auth_type": "Pkce", "proxy_command": PROXY_COMMAND},
            {"command": ["x"]},
            {"client_id": "x", "client_credentials_secret": "x"},
        ],
        ids=lambda settings: "+".join(settings),
    )
    @pytest.mark.parametrize("endpoint", ["https://h", "http://h"])
    def test_a_second_init_with_the_same_settings(self, endpoint: str, settings: dict[str, Any]) -> None:
        flyte.init(endpoint, **settings)
        before = flyte.current_client()
        flyte.init(endpoint, **settings)
        assert flyte.current_client() is before

    @pytest.mark.parametrize("way", [{}, {"auth_type": "Pkce"}], ids=["nothing", "Pkce"])
    def test_auth_client_config_with_the_same_attributes(self, way: dict[str, str], oauth: OAuthServer) -> None:
        flyte.init("https://h", auth_client_config=SimpleNamespace(**described(oauth)), **way)  # type: ignore[arg-type]
        before = flyte.current_client()
        flyte.init("https://h", auth_client_config=SimpleNamespace(**described(oauth)), **way)  # type: ignore[arg-type]
        assert flyte.current_client() is before
        with pytest.raises(InitializationError, match="auth_type 'Pkce' with other settings"):
            flyte.init("https://h", auth_client_config=described(oauth, client_id="x"), **way)  # type: ignore[arg-type]

    def test_init_passthrough_twice(self) -> None:
        flyte.init_passthrough("https://h")
        before = flyte.current_client()
        flyte.init_passthrough("https://h")
        assert flyte.current_client() is before

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            ({"auth_type": "Pkce"}, {"auth_type": "DeviceFlow"}, "auth_type 'Pkce', now 'DeviceFlow'"),
            ({"auth_type": "Passthrough"}, {"command": ["hush"]}, "auth_type 'Passthrough', now 'ExternalCommand'"),
            ({"auth_type": "Pkce"}, {"token": "hush"}, "auth_type 'Pkce', now a token"),
            ({"token": "hush"}, {"auth_type": "Pkce"}, "a token, now auth_type 'Pkce'"),
            ({"token": "hush"}, {"token": "hush-2"}, r"token \(not shown\)"),
            (
                {"client_id": "x", "client_credentials_secret": "hush"},
                {"client_id": "x", "client_credentials_secret": "hush-2"},
                "auth_type 'ClientSecret' with other settings",
            ),
            ({"token": "hush"}, {"token": "hush", "proxy_command": ["x"]}, "a token, now a token and a proxy command"),
        ],
    )
    @pytest.mark.parametrize("endpoint", ["https://h", "http://h"])
    def test_the_error_names_the_ways(
        self, endpoint: str, first: dict[str, Any], second: dict[str, Any], message: str
    ) -> None:
        flyte.init(endpoint, **first)
        with pytest.raises(InitializationError, match=f"with other settings: {message}\\. Pass replace=True") as raised:
            flyte.init(endpoint, **second)
        assert "hush" not in str(raised.value)

    def test_the_error_without_credentials(self) -> None:
        flyte.init("http://h")
        with pytest.raises(InitializationError, match="other settings: no credentials, now credentials of Mine"):
            flyte.init("http://h", credentials=Mine())


class Mine:
    """Credentials of a program's own."""

    async def headers(self) -> Headers:
        return (("authorization", "Bearer hush"),)

    async def renew(self, rejected: Headers) -> bool:
        return False
