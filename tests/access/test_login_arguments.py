"""Arguments of a log-in that are empty, of the wrong type, or not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.access.login import credentials_for, log_out
from flyte.errors import InitializationError

Config = Callable[..., Path]

ENDPOINT = "https://flyte.example.com"


def initialize(**arguments: Any) -> None:
    flyte.init(ENDPOINT, **arguments)


def from_config(**arguments: Any) -> None:
    flyte.Client.from_config(endpoint=ENDPOINT, **arguments)


def credentials(**arguments: Any) -> None:
    credentials_for(endpoint=ENDPOINT, **arguments)


def forget(**arguments: Any) -> None:
    log_out(endpoint=ENDPOINT, **arguments)


PLACES = [initialize, from_config, credentials, forget]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_credentials_secret", ""),
        ("client_credentials_secret", " "),
        ("client_secret_location", ""),
        ("client_secret_env_var", ""),
        ("client_id", ""),
        ("command", []),
        ("command", [""]),
        ("proxy_command", []),
        ("proxy_command", [" "]),
    ],
)
def test_empty_ones_are_not_taken_as_omitted(place: Callable[..., None], name: str, value: Any) -> None:
    if place is initialize and name in ("client_secret_location", "client_secret_env_var"):
        pytest.skip("flyte.init does not take it")
    with pytest.raises(InitializationError, match=rf"\b{name} (is empty|takes a list of texts)"):
        place(**{name: value})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("api_key", ["", " "])
def test_an_empty_api_key(place: Callable[..., None], api_key: str) -> None:
    with pytest.raises(InitializationError, match="The API key is not valid"):
        place(api_key=api_key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth_type", 5),
        ("insecure", "no"),
        ("network", 5),
        ("api_key", b"x"),
        ("client_id", 5),
        ("client_credentials_secret", b"x"),
        ("client_secret_location", 5),
        ("client_secret_env_var", 5),
        ("scopes", "all"),
        ("scopes", ["all", 5]),
        ("audience", 5),
        ("redirect_uri", 5),
        ("authorization_header", 5),
        ("subject", 5),
        ("disable_keyring", "no"),
        ("headless", 1),
        ("interactive", "yes"),
    ],
)
@pytest.mark.parametrize("function", [credentials, forget])
def test_types(function: Callable[..., None], name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}\b"):
        function(**{name: value})


def test_the_type_of_the_endpoint() -> None:
    with pytest.raises(TypeError, match=r"^endpoint takes text"):
        credentials_for("Pkce", endpoint=5)  # type: ignore[arg-type]  # which is the point


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", [{}, {"auth_type": "Pkce"}], ids=["nothing", "Pkce"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (5, "none of the attributes"),
        ("x", "none of the attributes"),
        ({"x": 1}, "none of the attributes"),
        ({}, "none of the attributes"),
        ({"scopes": 5}, "a value of scopes that is not text"),
        ({"scopes": [5]}, "a value of scopes that is not text"),
        ({"client_id": ["x"]}, "a value of client_id that is not text"),
        ({"header_key": "a b"}, "the header 'a b'"),
    ],
)
def test_auth_client_config(place: Callable[..., None], way: dict[str, str], value: object, problem: str) -> None:
    with pytest.raises(InitializationError, match=problem):
        place(auth_client_config=value, **way)


def test_of_init_in_cleartext_without_a_way_to_log_in() -> None:
    with pytest.raises(InitializationError, match="none of the attributes"):
        flyte.init("http://localhost:1", auth_client_config={"x": 1})


def test_secrets_of_the_wrong_type_are_not_repeated() -> None:
    with pytest.raises(TypeError) as raised:
        credentials_for(endpoint=ENDPOINT, client_id="x", client_credentials_secret=b"hush")  # type: ignore[arg-type]
    assert "hush" not in str(raised.value)
