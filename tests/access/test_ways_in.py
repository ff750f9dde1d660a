"""`flyte.init` and its relatives: which token or log-in the settings lead to."""

from __future__ import annotations

import pickle
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.errors import AuthenticationError, InitializationError, UnauthenticatedError
from flyte.remote import auth_metadata
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.credentials import BearerToken
from flyte_rpc.serving.server import RunningServer, serve
from rpc.auth.conftest import Browser
from rpc.network.test_trust import server_context
from support.certificates import Authority
from support.control_plane import TokenGuard
from support.echo import Echo, EchoServer, Note
from support.oauth_server import SECRET, OAuthServer
from support.proxies.tls import tls_proxy

Config = Callable[..., Path]

PROXY_COMMAND = [sys.executable, "-c", "print('for-the-proxy')"]

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def secure(plane: RunningServer, authority: Authority) -> AsyncGenerator[str]:
    """The endpoint of the control plane behind TLS."""
    context = server_context(authority.issue("server", "DNS:localhost"))
    async with tls_proxy(plane.endpoint.removeprefix("http://"), context) as endpoint:
        yield endpoint


async def write() -> int:
    """Make a call with the default client."""
    return int((await unary(flyte.current_client(), Echo.WRITE, Note(n=1), timeout=20)).n)


def api_key(endpoint: str, oauth: OAuthServer) -> str:
    oauth.secret = "plain-secret"
    return b64encode(f"{endpoint}:robot:plain-secret:acme".encode()).decode()


class TestNothingIsSaid:
    async def test_a_server_behind_tls_that_asks(
        self, secure: str, authority: Authority, oauth: OAuthServer, browser: Browser, guard: TokenGuard
    ) -> None:
        flyte.init(secure, ca_cert_file_path=authority.certificate)
        assert [await write() for _ in range(3)] == [1, 1, 1]
        assert (oauth.grants, len(browser.opened), len(guard.accepted)) == ({"authorization_code": 1}, 1, 3)

    async def test_a_server_behind_tls_that_does_not_say_how(self, authority: Authority, browser: Browser) -> None:
        def reject(call: object) -> None:
            from flyte_rpc.serving.server import Status, abort

            abort(Status.UNAUTHENTICATED, "who are you?")

        context = server_context(authority.issue("server", "DNS:localhost"))
        async with (
            await serve([EchoServer()], authenticate=reject) as server,
            tls_proxy(server.endpoint.removeprefix("http://"), context) as endpoint,
        ):
            flyte.init(endpoint, ca_cert_file_path=authority.certificate)
            with pytest.raises(UnauthenticatedError, match="who are you"):
                await write()
            await flyte.current_client().aclose()
        assert browser.opened == []

    async def test_a_server_in_cleartext(self, plane: RunningServer, browser: Browser) -> None:
        flyte.init(plane.endpoint)
        with pytest.raises(UnauthenticatedError):
            await write()
        assert browser.opened == []

    async def test_in_a_cluster_nobody_is_asked(
        self, secure: str, authority: Authority, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLYTE_ADMIN_CACERTFILEPATH", str(authority.certificate))
        flyte.init_in_cluster(endpoint=secure)
        with pytest.raises(UnauthenticatedError):
            await write()
        assert browser.opened == []


class TestALogIn:
    async def test_of_a_file(self, plane: RunningServer, oauth: OAuthServer, config: Config) -> None:
        config(f"admin:\n  endpoint: {plane.endpoint}\n  authType: Pkce\n  insecure: true\n")
        flyte.init_from_config()
        assert await write() == await write() == 1
        assert oauth.grants == {"authorization_code": 1}

    async def test_in_cleartext_it_is_not_used_unless_the_server_asks(
        self, config: Config, browser: Browser, oauth: OAuthServer
    ) -> None:
        async with await serve([EchoServer()]) as server:
            config(f"admin:\n  endpoint: {server.endpoint}\n  authType: Pkce\n")
            flyte.init_from_config()
            assert await write() == 1
            await flyte.current_client().aclose()
        assert (browser.opened, oauth.grants) == ([], {})

    async def test_by_arguments(self, plane: RunningServer, oauth: OAuthServer) -> None:
        flyte.init(plane.endpoint, client_id="robot", client_credentials_secret=SECRET, scopes=["all"])
        assert await write() == 1
        assert oauth.grants == {"client_credentials": 1}

    async def test_by_a_command(self, plane: RunningServer, oauth: OAuthServer) -> None:
        oauth.valid.add("printed")
        flyte.init(plane.endpoint, command=[sys.executable, "-c", "print('printed')"])
        assert await write() == 1

    async def test_interactive_false(self, plane: RunningServer, browser: Browser) -> None:
        flyte.init(plane.endpoint, auth_type="Pkce", interactive=False)
        with pytest.raises(AuthenticationError, match="interactive=False"):
            await write()
        assert browser.opened == []

    async def test_what_the_server_would_say(self, oauth: OAuthServer, guard: TokenGuard) -> None:
        class ClientConfig:  # as the official SDK's
            token_endpoint = f"{oauth.url}/token"
            authorization_endpoint = f"{oauth.url}/authorize"
            redirect_uri = "http://localhost:0/callback"
            client_id = "people"
            scopes = ("all",)
            header_key = "flyte-authorization"
            audience = None

        guard.header = "flyte-authorization"
        async with await serve([EchoServer()], authenticate=guard) as server:
            flyte.init(server.endpoint, auth_type="Pkce", auth_client_config=ClientConfig())
            assert await write() == 1
            await flyte.current_client().aclose()
        assert oauth.grants == {"authorization_code": 1}

    async def test_a_client_of_ones_own(self, plane: RunningServer, config: Config, oauth: OAuthServer) -> None:
        config(f"admin:\n  endpoint: {plane.endpoint}\n  authType: Pkce\n")
        oauth.valid.add("mine")
        for options in ({"token": "mine"}, {"credentials": BearerToken("mine")}):
            async with flyte.Client.from_config(timeout=20, **options) as client:  # type: ignore[arg-type]
                assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
        async with flyte.Client.from_config(auth_type="pkce", timeout=20) as client:
            assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
        assert oauth.grants == {"authorization_code": 1}


class TestApiKeys:
    async def test_the_argument(
        self, plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLYTE_ENDPOINT", "http://elsewhere.example.com")
        flyte.init_from_api_key(api_key(plane.endpoint, oauth), project="p", domain="d")
        client = flyte.current_client()
        assert (client.endpoint, client.org, client.project) == (plane.endpoint, "acme", "p")

    async def test_the_variable(
        self, plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch, guard: TokenGuard
    ) -> None:
        monkeypatch.setenv("FLYTE_API_KEY", api_key(plane.endpoint, oauth))
        await flyte.init_from_api_key.aio()
        assert await write() == 1
        assert (oauth.grants, len(guard.accepted)) == ({"client_credentials": 1}, 1)

    async def test_of_a_cluster(
        self, plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("_UNION_EAGER_API_KEY", api_key(plane.endpoint, oauth))
        monkeypatch.setenv("FLYTE_ENDPOINT", "elsewhere.example.com")
        monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_PROJECT", "p")
        used = flyte.init_in_cluster()
        assert used == {"endpoint": plane.endpoint, "org": "acme", "project": "p", "domain": ""}
        assert await write() == 1
        assert oauth.grants == {"client_credentials": 1}

    def test_none(self) -> None:
        with pytest.raises(InitializationError, match=r"No API key is set\. Pass api_key=\.\.\., or set FLYTE_API_KEY"):
            flyte.init_from_api_key()


async def test_passthrough(plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    oauth.valid.add("of-a-caller")
    monkeypatch.setenv("_U_EP_OVERRIDE", plane.endpoint)
    assert flyte.init_passthrough(project="p") == {"endpoint": plane.endpoint, "org": "", "project": "p", "domain": ""}
    with pytest.raises(AuthenticationError, match="auth_metadata"):
        await write()
    with auth_metadata(("authorization", "Bearer of-a-caller")):
        assert await write() == 1


class TestTokens:
    async def test_a_log_in_of_an_argument_overrides_the_variable(
        self, plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLYTE_TOKEN", "of-the-environment")
        flyte.init(plane.endpoint, auth_type="Pkce")
        assert await write() == 1

    async def test_the_variable_overrides_a_log_in_of_the_file(
        self, plane: RunningServer, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch, config: Config
    ) -> None:
        oauth.valid.add("of-the-environment")
        config(f"admin:\n  endpoint: {plane.endpoint}\n  authType: Pkce\n")
        monkeypatch.setenv("FLYTE_TOKEN", "of-the-environment")
        flyte.init_from_config()
        assert await write() == 1
        assert oauth.grants == {}

    @pytest.mark.parametrize("by_function", [False, True])
    async def test_a_proxy_command_beside_a_token(
        self, plane: RunningServer, oauth: OAuthServer, guard: TokenGuard, by_function: bool
    ) -> None:
        oauth.valid.add("mine")
        flyte.init(plane.endpoint, token=(lambda: "mine") if by_function else "mine", proxy_command=PROXY_COMMAND)
        assert await write() == 1
        assert guard.accepted[0]["proxy-authorization"] == "Bearer for-the-proxy"

    async def test_a_proxy_command_beside_a_log_in(
        self, secure: str, authority: Authority, guard: TokenGuard, oauth: OAuthServer
    ) -> None:
        flyte.init(secure, ca_cert_file_path=authority.certificate, proxy_command=PROXY_COMMAND)
        assert await write() == 1
        assert guard.accepted[0]["proxy-authorization"] == "Bearer for-the-proxy"
        assert oauth.grants == {"authorization_code": 1}

    def test_both(self) -> None:
        with pytest.raises(InitializationError, match="pass token= or auth_type=, not both"):
            flyte.init("https://h", token="t", auth_type="Pkce")


class TestMistakes:
    @pytest.mark.parametrize(
        ("lines", "shown"),
        [
            ("authType: OAuth", r"'OAuth' is not a way to log in.*auth_type: .*config.yaml, line 3"),
            ("authType: ClientSecret", r"needs a secret.*auth_type: .*config.yaml, line 3"),
            ("clientSecretEnvVar: X", r"needs client_id=.*client_secret_env_var: .*config.yaml, line 3"),
            ("caCertFilePath: /nope.pem", r"ca_cert_file_path='/nope.pem', .*config.yaml, line 3, is not a file"),
            ("clientKeyFilePath: /nope.pem", r"client_key_file_path='/nope.pem', .*config.yaml, line 3, is not a file"),
            (
                "httpProxyURL: ftp://ada:hush@p:1",
                r"http_proxy_url, which is set by .*config.yaml, line 3, is not the URL",
            ),
        ],
    )
    def test_of_a_file_are_told_with_the_line(self, lines: str, shown: str, config: Config) -> None:
        config(f"admin:\n  endpoint: https://h\n  {lines}\n")
        with pytest.raises(InitializationError, match=shown) as raised:
            flyte.init_from_config()
        assert "hush" not in str(raised.value)

    def test_the_endpoint_of_a_file(self, config: Config) -> None:
        config("admin:\n  endpoint: ftp://h\n")
        with pytest.raises(
            InitializationError, match=r"endpoint, which is set by .*config.yaml, line 2, cannot be used"
        ):
            flyte.init_from_config()

    @pytest.mark.parametrize(
        ("variable", "value", "shown"),
        [
            (
                "FLYTE_TRANSPORT",
                "pigeon",
                "transport, which is set by FLYTE_TRANSPORT, cannot be used: .*choose one of",
            ),
            ("FLYTE_TOKEN", "hush\x01", "token, which is set by FLYTE_TOKEN, cannot be used"),
            ("FLYTE_ADMIN_CACERTFILEPATH", "/nope", "which is set by FLYTE_ADMIN_CACERTFILEPATH, is not a file"),
            ("FLYTE_ADMIN_HTTPPROXYURL", "socks5://p:1", "which is set by FLYTE_ADMIN_HTTPPROXYURL, names a SOCKS"),
            ("FLYTE_ADMIN_MAXRETRIES", "9" * 30, "FLYTE_ADMIN_MAXRETRIES is .* whole number"),
        ],
    )
    def test_of_a_variable_name_it(
        self, variable: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(InitializationError, match=shown) as raised:
            flyte.init("https://h")
        assert "hush" not in str(raised.value)

    @pytest.mark.parametrize(
        ("argument", "value", "error"),
        [
            ("insecure", "false", TypeError),
            ("insecure_skip_verify", "false", TypeError),
            ("rpc_retries", -1, ValueError),
            ("rpc_retries", "3", TypeError),
            ("ca_cert_file_path", 3, TypeError),
            ("headless", 1, TypeError),
            ("command", "my-sso print-token", TypeError),
            ("scopes", "all", TypeError),
            ("project", 7, TypeError),
            ("token", "", ValueError),
            ("token", 7, TypeError),
            ("transport", "", ValueError),
            ("http_proxy_url", b"x", TypeError),
            ("timeout", 0, ValueError),
        ],
    )
    def test_of_arguments_name_them(self, argument: str, value: Any, error: type[Exception]) -> None:
        with pytest.raises(error, match=argument):
            flyte.init("https://h", **{argument: value})

    @pytest.mark.parametrize(
        ("one", "other"), [("network", "ca_cert_file_path"), ("credentials", "auth_type"), ("retry", "rpc_retries")]
    )
    def test_two_arguments_for_the_same(self, one: str, other: str) -> None:
        values = {
            "network": flyte_network(),
            "ca_cert_file_path": "/x",
            "credentials": BearerToken("t"),
            "auth_type": "Pkce",
            "retry": flyte.Client("http://h").settings.retry,
            "rpc_retries": 1,
        }
        with pytest.raises(TypeError, match=f"pass {one}= or {other}=, not both"):
            flyte.init("https://h", **{one: values[one], other: values[other]})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("options", "shown"),
        [
            ({"network": flyte.Network(), "insecure_skip_verify": True}, "pass network= or insecure_skip_verify="),
            ({"credentials": BearerToken("t"), "auth_type": "Pkce"}, "pass credentials= or auth_type="),
            ({"replace": True}, r"Client.from_config\(\) got an unexpected keyword argument 'replace'"),
        ],
    )
    def test_of_a_client_of_ones_own(self, options: dict[str, Any], shown: str) -> None:
        with pytest.raises(TypeError, match=shown):
            flyte.Client.from_config(endpoint="http://h:1", **options)

    @pytest.mark.parametrize(
        ("argument", "value", "error"),
        [
            ("network", 5, TypeError),
            ("network", {}, TypeError),
            ("metadata", None, TypeError),
            ("token", " ", ValueError),
        ],
    )
    def test_of_arguments_of_clients(self, argument: str, value: Any, error: type[Exception]) -> None:
        for create in (flyte.Client, flyte.init):
            with pytest.raises(error, match=argument):
                create("http://h:1", **{argument: value})

    async def test_a_function_that_makes_no_transport(self) -> None:
        client = flyte.Client("http://h:1", transport=lambda endpoint: None)  # type: ignore[arg-type,return-value]
        with pytest.raises(TypeError, match="returned NoneType, not a transport"):
            await unary(client, Echo.SAY, Note())

    @pytest.mark.parametrize(
        ("path", "error", "shown"),
        [(5, TypeError, "path takes a path"), ("~nobody-of-this-name/x", InitializationError, "does not exist")],
    )
    def test_of_paths(self, path: Any, error: type[Exception], shown: str) -> None:
        with pytest.raises(error, match=shown):
            flyte.init_from_config(path)

    def test_a_scheme_counts_more_than_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_U_INSECURE", "true")
        assert flyte.init_in_cluster(endpoint="https://h")["endpoint"] == "https://h:443"
        with pytest.raises(ValueError, match="insecure=True contradicts"):
            flyte.init_in_cluster(endpoint="https://h", insecure=True)


def flyte_network(**settings: Any) -> Any:
    from flyte_rpc.transports.network.settings import Network

    return Network(**settings)


def test_the_function_is_shown_and_pickled_like_one() -> None:
    assert repr(flyte.init) == "<function flyte.init>"
    assert pickle.loads(pickle.dumps(flyte.init)) is flyte.init


class TestEmptyText:
    def test_it_stands_for_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("ORG", "PROJECT", "DOMAIN"):
            monkeypatch.setenv(f"FLYTE_{name}", "of-the-environment")
        flyte.init("https://acme.union.ai", org="", project="", domain="")
        client = flyte.current_client()
        assert (client.org, client.project, client.domain) == ("", "", "")

    def test_as_a_path(self) -> None:
        with pytest.raises(InitializationError, match="There is no configuration file"):
            flyte.init_from_config("")


@pytest.mark.parametrize("name", ["007", "1.10", "12:30", "010", "0x1f", "1e3", "yes", "2026-01-01", "1_000"])
def test_names_keep_the_form_that_they_have_in_the_file(name: str, config: Config) -> None:
    config(f"admin:\n  endpoint: http://h:1\ntask:\n  project: {name}\n")
    flyte.init_from_config()
    assert flyte.current_project() == name


class TestASecondTime:
    @pytest.mark.parametrize(
        "settings",
        [
            {"network": flyte_network(server_name="other")},
            {"insecure_skip_verify": True},
            {"metadata": (("x-team", "a"),)},
            {"rpc_retries": 7},
            {"on_call": print},
            {"credentials": BearerToken("t")},
            {"token": "t"},
            {"auth_type": "DeviceFlow"},
            {"auth_type": "Pkce", "subject": "ada"},
        ],
        ids=lambda settings: "+".join(settings),
    )
    def test_other_settings_are_refused_unless_the_client_is_replaced(self, settings: dict[str, Any]) -> None:
        flyte.init("https://h")
        before = flyte.current_client()
        with pytest.raises(InitializationError, match=r"other settings: .*Pass replace=True"):
            flyte.init("https://h", **settings)
        assert flyte.current_client() is before and not before.closed
        flyte.init("https://h", **settings, replace=True)
        assert flyte.current_client() is not before and before.closed
        with pytest.raises(InitializationError, match="other settings"):
            flyte.init("https://h")

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"auth_type": "Pkce"},
            {"proxy_command": PROXY_COMMAND},
            {"insecure_skip_verify": True},
            {"token": "t", "metadata": (("x-team", "a"),)},
        ],
        ids=lambda settings: "+".join(settings) or "none",
    )
    def test_the_same_settings_keep_the_client(self, settings: dict[str, Any]) -> None:
        flyte.init("https://h", **settings)
        before = flyte.current_client()
        flyte.init("https://h", **settings)
        assert flyte.current_client() is before

    def test_functions_are_replaced(self) -> None:
        for _ in range(2):
            flyte.init("https://h", token=lambda: "t", on_call=lambda record: None)
            before = flyte.current_client()
        flyte.init("https://h", token=lambda: "t", on_call=lambda record: None)
        assert before.closed
