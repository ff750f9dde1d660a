from __future__ import annotations

from collections.abc import Iterator

import pytest

from flyte import current_client, init
from flyte.errors import InitializationError
from flyte_api.registry import registry


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("ENDPOINT", "PROJECT", "DOMAIN", "ORG", "TOKEN", "INSECURE", "TRANSPORT"):
        for prefix in ("FLYTE_", "FLYTE_ADMIN_", "FLYTE_TASK_"):
            monkeypatch.delenv(prefix + name, raising=False)
    previous = registry.default
    registry.set_default(None)
    yield
    registry.set_default(previous)


def test_sets_the_current_client() -> None:
    init("http://h:1", project="p", domain="d", org="o", timeout=5, page_size=7)
    client = current_client()
    assert (client.endpoint, client.org, client.project, client.domain) == ("http://h:1", "o", "p", "d")
    assert (client.timeout, client.page_size) == (5.0, 7)


def test_without_an_endpoint_it_says_what_to_do() -> None:
    with pytest.raises(InitializationError, match=r"set FLYTE_ENDPOINT, .* flyte\.devbox\.start\(\)"):
        init()


def test_a_bad_endpoint_changes_nothing() -> None:
    init("http://h:1")
    before = current_client()
    with pytest.raises(ValueError, match="is not an endpoint"):
        init("ftp://h", replace=True)
    assert current_client() is before and not before.closed


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"FLYTE_ENDPOINT": "h:1", "FLYTE_PROJECT": "p", "FLYTE_DOMAIN": "d", "FLYTE_ORG": "o"},
            ("https://h:1", "o", "p", "d"),
        ),
        ({"FLYTE_ADMIN_ENDPOINT": "dns:///h:1", "FLYTE_TASK_PROJECT": "p"}, ("https://h:1", "", "p", "")),
        ({"FLYTE_ENDPOINT": "a:1", "FLYTE_ADMIN_ENDPOINT": "b:1"}, ("https://a:1", "", "", "")),
        ({"FLYTE_ENDPOINT": "h:1", "FLYTE_ADMIN_INSECURE": "true"}, ("http://h:1", "", "", "")),
        ({"FLYTE_ENDPOINT": "dns:///localhost:1", "FLYTE_INSECURE": "False"}, ("https://localhost:1", "", "", "")),
        ({"FLYTE_ENDPOINT": "http://h:1", "FLYTE_INSECURE": "false"}, ("http://h:1", "", "", "")),
    ],
)
def test_the_environment_fills_in(
    environment: dict[str, str], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    init()
    client = current_client()
    assert (client.endpoint, client.org, client.project, client.domain) == expected


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_ENDPOINT", "http://environment:1")
    monkeypatch.setenv("FLYTE_PROJECT", "environment")
    monkeypatch.setenv("FLYTE_TOKEN", "environment")
    init("http://argument:1", project="argument", token="argument")
    assert (current_client().endpoint, current_client().project) == ("http://argument:1", "argument")
    assert current_client().settings.token == "argument"


def test_a_truth_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_INSECURE", "maybe")
    with pytest.raises(InitializationError, match="'maybe'; it must be true or false"):
        init("h:1")


def test_the_transport_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    init("http://h:1")
    assert current_client().settings.transport == "auto"
    monkeypatch.setenv("FLYTE_TRANSPORT", "connect")
    with pytest.raises(InitializationError, match="transport 'auto', now 'connect'"):
        init("http://h:1")
    init("http://h:1", replace=True)
    assert current_client().settings.transport == "connect"
    init("http://h:1", transport="grpc", replace=True)
    assert current_client().settings.transport == "grpc"


def test_a_transport_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_TRANSPORT", "carrier pigeon")
    with pytest.raises(InitializationError, match=r'FLYTE_TRANSPORT.*carrier pigeon.*choose one of "auto", "grpc"'):
        init("http://h:1")
    with pytest.raises(ValueError, match=r"carrier pigeon"):
        init("http://h:1", transport="carrier pigeon")  # type: ignore[arg-type]


def test_the_same_again_does_nothing() -> None:
    init("http://h:1", project="p", token="t")
    before = current_client()
    init("http://h:1", project="p", token="t")
    assert current_client() is before and not before.closed


def test_something_else_is_refused_and_the_differences_are_told() -> None:
    init("http://h:1", project="p", token="hunter2")
    before = current_client()
    with pytest.raises(InitializationError) as refused:
        init("http://h:1", project="q", token="hunter3")
    text = str(refused.value)
    assert "project 'p', now 'q'" in text and "token (not shown)" in text and "replace=True" in text
    assert "endpoint" not in text and "hunter" not in text
    assert current_client() is before and not before.closed


def test_replace_swaps_and_then_closes() -> None:
    init("http://h:1")
    before = current_client()
    init("http://h:2", replace=True)
    assert current_client().endpoint == "http://h:2"
    assert before.closed


def test_after_the_client_was_closed_a_new_one_may_be_set() -> None:
    init("http://h:1")
    current_client().close()
    init("http://h:2")
    assert current_client().endpoint == "http://h:2"


def test_a_notebook_cell_with_a_token_function_runs_twice() -> None:
    for number in range(2):
        init("http://h:1", project="p", token=lambda number=number: f"token-{number}")
    token = current_client().settings.token
    assert callable(token) and token() == "token-1"


def test_other_settings_beside_a_token_function_are_still_refused() -> None:
    init("http://h:1", project="p", token=lambda: "t")
    with pytest.raises(InitializationError, match="project 'p', now 'q'"):
        init("http://h:1", project="q", token=lambda: "t")
    with pytest.raises(InitializationError, match=r"token \(not shown\)"):
        init("http://h:1", project="p", token="text")
