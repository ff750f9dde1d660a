"""Which way to log in counts: the one of the strongest source. Those of weaker sources have no effect."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.errors import InitializationError
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.credentials import BearerToken
from flyte_rpc.serving.server import RunningServer
from support.echo import Echo, Note
from support.oauth_server import SECRET, OAuthServer

Config = Callable[..., Path]

ENDPOINT = "https://flyte.example.com"
API_KEY = b64encode(b"key.example.com:svc:hush:acme").decode()
FILE_SECRET = "clientId: robot\n  clientSecretEnvVar: FILE_SECRET"

pytestmark = pytest.mark.usefixtures("browser")


def of(client: flyte.Client) -> str:
    """The way to log in of a client."""
    return str(getattr(client.settings.credentials, "auth_type", type(client.settings.credentials).__name__))


@pytest.mark.parametrize(
    ("lines", "environment", "arguments", "expected"),
    [
        # An argument, against the file.
        (FILE_SECRET, {}, {"auth_type": "Pkce"}, "Pkce"),
        (FILE_SECRET, {}, {"auth_type": "ClientSecret"}, "ClientSecret"),
        (FILE_SECRET, {}, {"command": ["x"]}, "ExternalCommand"),
        (FILE_SECRET, {}, {"client_credentials_secret": "x"}, "ClientSecret"),
        (FILE_SECRET, {}, {"client_secret_location": "/x"}, "ClientSecret"),
        (FILE_SECRET, {}, {"api_key": API_KEY}, "ClientSecret"),
        (FILE_SECRET, {}, {"token": "t"}, "BearerToken"),
        ("authType: Pkce", {}, {"command": ["x"]}, "ExternalCommand"),
        ("authType: ExternalCommand\n  command: [x]", {}, {"auth_type": "DeviceFlow"}, "DeviceFlow"),
        ("command: [x]", {}, {"auth_type": "ExternalCommand"}, "ExternalCommand"),
        ("clientId: other", {}, {"api_key": API_KEY}, "ClientSecret"),
        # An argument, against the environment.
        ("", {"FLYTE_ADMIN_CLIENTSECRETENVVAR": "S"}, {"auth_type": "DeviceFlow"}, "DeviceFlow"),
        ("", {"FLYTE_ADMIN_CLIENTSECRETLOCATION": "/s"}, {"auth_type": "Passthrough"}, "Passthrough"),
        ("", {"FLYTE_AUTH_COMMAND": "x y"}, {"auth_type": "Pkce"}, "Pkce"),
        ("", {"FLYTE_AUTH_COMMAND": "x y"}, {"auth_type": "externalcommand"}, "ExternalCommand"),
        ("", {"FLYTE_AUTH_TYPE": "Pkce"}, {"command": ["x"]}, "ExternalCommand"),
        ("", {"FLYTE_AUTH_TYPE": "Nonsense"}, {"auth_type": "Pkce"}, "Pkce"),
        ("", {"FLYTE_ADMIN_CLIENTID": "other"}, {"api_key": API_KEY}, "ClientSecret"),
        ("", {"FLYTE_TOKEN": "t"}, {"command": ["x"]}, "ExternalCommand"),
        ("", {"FLYTE_AUTH_TYPE": "ClientSecret"}, {"token": "t"}, "BearerToken"),
        # The environment, against the file.
        (FILE_SECRET, {"FLYTE_AUTH_TYPE": "Pkce"}, {}, "Pkce"),
        (FILE_SECRET, {"FLYTE_AUTH_TYPE": "ClientSecret"}, {}, "ClientSecret"),
        (FILE_SECRET, {"FLYTE_AUTH_COMMAND": "x"}, {}, "ExternalCommand"),
        (FILE_SECRET, {"FLYTE_TOKEN": "t"}, {}, "BearerToken"),
        ("authType: Pkce", {"FLYTE_ADMIN_CLIENTSECRETLOCATION": "/s", "FLYTE_ADMIN_CLIENTID": "x"}, {}, "ClientSecret"),
        # One source.
        (f"authType: Pkce\n  {FILE_SECRET}", {}, {}, "ClientSecret"),
        (f"authType: DeviceFlow\n  {FILE_SECRET}", {}, {}, "ClientSecret"),
        ("", {"FLYTE_TOKEN": "t", "FLYTE_AUTH_TYPE": "Pkce"}, {}, "BearerToken"),
        # All three.
        (FILE_SECRET, {"FLYTE_AUTH_COMMAND": "x"}, {"auth_type": "Pkce"}, "Pkce"),
        (FILE_SECRET, {"FLYTE_AUTH_COMMAND": "x"}, {"auth_type": "ClientSecret"}, "ClientSecret"),
    ],
)
def test_the_strongest_source(
    lines: str,
    environment: dict[str, str],
    arguments: dict[str, Any],
    expected: str,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config(f"admin:\n  endpoint: {ENDPOINT}\n  {lines}\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert of(flyte.Client.from_config(**arguments)) == expected
    if not lines and "client_secret_location" not in arguments:
        flyte.init(ENDPOINT, **arguments)
        assert of(flyte.current_client()) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("authType: Passthrough\n  clientSecretEnvVar: S", "omit client_secret_env_var"),
        ("authType: Pkce\n  command: [x]", "omit command"),
        ("clientSecretEnvVar: S\n  clientSecretLocation: /s", "keep one of them"),
    ],
)
def test_contradictions_in_one_source_are_errors(lines: str, message: str, config: Config) -> None:
    config(f"admin:\n  endpoint: {ENDPOINT}\n  {lines}\n")
    with pytest.raises(InitializationError, match=message):
        flyte.init_from_config()


async def test_a_secret_with_the_client_id_of_the_file(
    plane: RunningServer, oauth: OAuthServer, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILE_SECRET", "not this one")
    config(f"admin:\n  endpoint: {plane.endpoint}\n  {FILE_SECRET}\n  scopes: [all]\n")
    async with flyte.Client.from_config(client_credentials_secret=SECRET, timeout=20) as client:
        assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
    assert oauth.grants == {"client_credentials": 1}


async def test_an_api_key_with_the_client_id_of_a_file(
    plane: RunningServer, oauth: OAuthServer, config: Config
) -> None:
    config("admin:\n  clientId: people\n  scopes: [all]\n")
    oauth.secret = "plain-secret"
    key = b64encode(f"{plane.endpoint}:robot:plain-secret:acme".encode()).decode()
    async with flyte.Client.from_config(api_key=key, timeout=20) as client:
        assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
    assert oauth.grants == {"client_credentials": 1}


ELSEWHERE = [
    {"FLYTE_AUTH_COMMAND": "x"},
    {"FLYTE_AUTH_TYPE": "ExternalCommand"},
    {"FLYTE_ADMIN_CLIENTSECRETENVVAR": "S"},
    {"FLYTE_ADMIN_CLIENTID": "other"},
    {"FLYTE_TOKEN": "t"},
]


@pytest.mark.parametrize("environment", ELSEWHERE, ids=str)
class TestFunctionsThatNameTheWay:
    @pytest.fixture(autouse=True)
    def variables(self, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    def test_init_from_api_key(self) -> None:
        flyte.init_from_api_key(API_KEY)
        client = flyte.current_client()
        assert (client.endpoint, of(client)) == ("https://key.example.com:443", "ClientSecret")  # type: ignore[arg-type]

    def test_init_passthrough(self) -> None:
        flyte.init_passthrough(ENDPOINT)
        assert of(flyte.current_client()) == "Passthrough"  # type: ignore[arg-type]

    def test_the_key_of_a_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EAGER_API_KEY", API_KEY)
        flyte.init_in_cluster()
        assert of(flyte.current_client()) == "ClientSecret"  # type: ignore[arg-type]


class TestCredentials:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("FLYTE_TOKEN", "\xe9"),
            ("FLYTE_AUTH_TYPE", "ClientSecret"),
            ("FLYTE_AUTH_TYPE", "Nonsense"),
            ("FLYTE_AUTH_COMMAND", "'unbalanced"),
            ("FLYTE_AUTH_PROXY_COMMAND", "'unbalanced"),
            ("FLYTE_ADMIN_DISABLEKEYRING", "perhaps"),
            ("FLYTE_ADMIN_AUTHORIZATIONHEADER", "a b"),
        ],
    )
    def test_no_other_setting_of_a_log_in_is_read(
        self, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, value)
        mine = BearerToken("mine")
        flyte.init(ENDPOINT, credentials=mine)
        assert flyte.current_client().settings.credentials is mine
        assert flyte.Client.from_config(endpoint=ENDPOINT, credentials=mine).settings.credentials is mine

    @pytest.mark.parametrize(
        "other", [{"token": "t"}, {"auth_type": "Pkce"}, {"scopes": ["all"]}, {"proxy_command": ["x"]}], ids=str
    )
    def test_beside_arguments_of_a_log_in(self, other: dict[str, Any]) -> None:
        [name] = other
        for place in (flyte.init, flyte.Client.from_config):
            with pytest.raises(TypeError, match=f"pass credentials= or {name}=, not both"):
                place(endpoint=ENDPOINT, credentials=BearerToken("mine"), **other)  # type: ignore[operator]


class TestTheEndpointOfAnApiKey:
    @pytest.mark.parametrize(
        ("environment", "arguments", "expected"),
        [
            ({"EAGER_API_KEY": API_KEY}, {}, "key"),
            ({"EAGER_API_KEY": API_KEY, "FLYTE_ENDPOINT": "env.example.com"}, {}, "key"),
            ({"EAGER_API_KEY": API_KEY, "_U_EP_OVERRIDE": "cluster.example.com"}, {}, "cluster"),
            ({"EAGER_API_KEY": API_KEY, "_U_EP_OVERRIDE": "c.example.com"}, {"endpoint": "arg.example.com"}, "arg"),
            ({"_U_EP_OVERRIDE": "cluster.example.com"}, {"api_key": API_KEY}, "key"),
            ({"_U_EP_OVERRIDE": "c.example.com"}, {"api_key": API_KEY, "endpoint": "arg.example.com"}, "arg"),
        ],
    )
    def test_in_a_cluster(
        self,
        environment: dict[str, str],
        arguments: dict[str, str],
        expected: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        used = flyte.init_in_cluster(**arguments)  # type: ignore[arg-type]
        assert (used["endpoint"], used["org"]) == (f"https://{expected}.example.com:443", "acme")


def test_a_command_of_an_argument_runs_in_place_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_AUTH_COMMAND", "does-not-exist")
    flyte.init(ENDPOINT, command=[sys.executable, "-c", "print('printed')"])
    credentials = flyte.current_client().settings.credentials
    assert credentials is not None
    assert asyncio.run(credentials.headers()) == (("authorization", "Bearer printed"),)  # type: ignore[arg-type]
