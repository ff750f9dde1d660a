"""For every setting: the argument overrides the environment, which overrides the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.access.config_file import config_file
from flyte.access.keys import KEYS, Key
from flyte.access.settings import Settings
from flyte.errors import InitializationError

Config = Callable[..., Path]

VALUES: dict[str, tuple[Any, str, str, Any, Any]] = {
    # name: argument, variable, file; what the variable and the file mean
    "endpoint": ("a:1", "b:1", "c:1", "b:1", "c:1"),
    "insecure": (True, "false", "true", False, True),
    "insecure_skip_verify": (True, "0", "yes", False, True),
    "ca_cert_file_path": ("/a", "/b", "/c", "/b", "/c"),
    "client_cert_file_path": ("/a", "/b", "/c", "/b", "/c"),
    "client_key_file_path": ("/a", "/b", "/c", "/b", "/c"),
    "http_proxy_url": ("http://a", "http://b", "http://c", "http://b", "http://c"),
    "auth_type": ("Pkce", "DeviceFlow", "ClientSecret", "DeviceFlow", "ClientSecret"),
    "command": (("a",), "b --x 'y z'", "[c, d]", ("b", "--x", "y z"), ("c", "d")),
    "proxy_command": (("a",), '["b", "y z"]', "c d", ("b", "y z"), ("c", "d")),
    "api_key": ("a", "", "", None, None),
    "client_credentials_secret": ("a", "", "", None, None),
    "auth_client_config": ({"client_id": "a"}, "", "", None, None),
    "subject": ("a", "", "", None, None),
    "headless": (True, "", "", None, None),
    "interactive": (False, "", "", None, None),
    "client_id": ("a", "b", "c", "b", "c"),
    "client_secret_location": ("/a", "/b", "/c", "/b", "/c"),
    "client_secret_env_var": ("A", "B", "C", "B", "C"),
    "scopes": (("a",), "b, c", "[d, e]", ("b", "c"), ("d", "e")),
    "audience": ("a", "b", "c", "b", "c"),
    "authorization_header": ("a", "b", "c", "b", "c"),
    "disable_keyring": (True, "false", "true", False, True),
    "rpc_retries": (0, "5", "7", 5, 7),
    "org": ("a", "b", "c", "b", "c"),
    "project": ("a", "b", "c", "b", "c"),
    "domain": ("a", "b", "c", "b", "c"),
    "token": ("a", "b", "", "b", None),
    "transport": ("grpc", "connect", "", "connect", None),
}


def file_for(key: Key, value: str, config: Config) -> Path:
    if not key.in_file:
        return config("admin:\n  endpoint: h:1\n")
    section, _, name = key.in_file.partition(".")
    return config(f"{section}:\n  {name}: {value}\n")


def test_every_setting_is_covered() -> None:
    assert set(VALUES) == {key.name for key in KEYS}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_each_place_wins_once(key: Key, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    argument, variable, in_file, of_variable, of_file = VALUES[key.name]
    file = config_file(file_for(key, in_file, config))
    assert Settings({}, None)[key.name] is None
    assert Settings({}, None).source(key.name) == ""
    assert Settings({}, file)[key.name] == of_file
    if key.in_file:
        assert re.search(r"config\.yaml, line 2$", Settings({}, file).source(key.name))
    for name in reversed(key.variables):
        monkeypatch.setenv(name, variable)
        settings = Settings({}, file)
        assert (settings[key.name], settings.source(key.name)) == (of_variable, name)
        assert Settings({}, None)[key.name] == of_variable
    settings = Settings({key.name: argument}, file)
    assert (settings[key.name], settings.source(key.name)) == (argument, "argument")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("endpoint", "FLYTE_ADMIN_ENDPOINT"),
        ("insecure", "FLYTE_ADMIN_INSECURE"),
        ("insecure_skip_verify", "FLYTE_ADMIN_INSECURESKIPVERIFY"),
        ("ca_cert_file_path", "FLYTE_ADMIN_CACERTFILEPATH"),
        ("http_proxy_url", "FLYTE_ADMIN_HTTPPROXYURL"),
        ("auth_type", "FLYTE_AUTH_TYPE"),
        ("command", "FLYTE_AUTH_COMMAND"),
        ("proxy_command", "FLYTE_AUTH_PROXY_COMMAND"),
        ("scopes", "FLYTE_ADMIN_SCOPES"),
        ("project", "FLYTE_TASK_PROJECT"),
    ],
)
def test_the_names_of_other_tools(name: str, variable: str) -> None:
    assert variable in next(key.variables for key in KEYS if key.name == name)


def test_the_environment_works_for_init_and_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_ADMIN_ENDPOINT", "dns:///flyte.example.com")
    monkeypatch.setenv("FLYTE_ADMIN_INSECURE", "false")
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "p")
    for initialize in (flyte.init, flyte.init_from_config):
        initialize(replace=True)
        assert (flyte.current_client().endpoint, flyte.current_project()) == ("https://flyte.example.com:443", "p")


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("FLYTE_ADMIN_INSECURE", "perhaps", "FLYTE_ADMIN_INSECURE is 'perhaps'; it must be true or false"),
        ("FLYTE_ADMIN_MAXRETRIES", "many", "FLYTE_ADMIN_MAXRETRIES is 'many'; it must be a whole number"),
        ("FLYTE_AUTH_COMMAND", "'unbalanced", 'FLYTE_AUTH_COMMAND is "\'unbalanced"; it cannot be read'),
        ("FLYTE_AUTH_COMMAND", "[]", "it must name a command"),
    ],
)
def test_variables_that_cannot_be_used(variable: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InitializationError, match=re.escape(shown)):
        flyte.init("http://h:1")


@pytest.mark.parametrize(
    ("endpoint", "org"),
    [
        ("dns:///acme.hosted.unionai.cloud", "acme"),
        ("https://acme.union.ai", "acme"),
        ("https://flyte.example.com", ""),
        ("https://10.1.2.3", ""),
        ("https://union.ai", ""),
        ("https://unionai.cloud", ""),
    ],
)
def test_the_organization_of_a_host_of_union(endpoint: str, org: str) -> None:
    flyte.init(endpoint)
    assert flyte.current_client().org == org
    flyte.init(endpoint, org="other", replace=True)
    assert flyte.current_client().org == "other"


def test_in_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_U_EP_OVERRIDE", "flyte.svc.cluster.local:8089")
    monkeypatch.setenv("_U_INSECURE", "true")
    monkeypatch.setenv("_U_ORG_NAME", "acme")
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_PROJECT", "p")
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_DOMAIN", "d")
    used = flyte.init_in_cluster()
    assert used == {"endpoint": "http://flyte.svc.cluster.local:8089", "org": "acme", "project": "p", "domain": "d"}
    assert (flyte.current_client().endpoint, flyte.current_project(), flyte.current_domain()) == (
        "http://flyte.svc.cluster.local:8089",
        "p",
        "d",
    )


class TestArgumentsOfTheOfficialSdk:
    @pytest.mark.parametrize(
        "arguments", [{"copy_style": "all"}, {"dry_run": True}, {"interactive_mode": True}, {"tracked": True}]
    )
    def test_arguments_for_code_on_this_machine_are_refused(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"cannot honor .* the official SDK \(the distribution `flyte`\)"):
            flyte.with_runcontext(**arguments)

    def test_their_defaults_are_accepted(self) -> None:
        flyte.with_runcontext(
            "remote",
            copy_style="loaded_modules",
            copy_bundle_to=None,
            dry_run=False,
            interactive_mode=None,
            reset_root_logger=False,
            tracked=False,
            preserve_original_types=False,
            disable_run_cache=True,
        )
        with pytest.raises(TypeError, match="unexpected keyword argument 'dry'"):
            flyte.with_runcontext(dry=True)
        with pytest.raises(ValueError, match="mode must be 'remote', not 'local'"):
            flyte.with_runcontext("local")  # type: ignore[arg-type]  # which is the point
        with pytest.raises(ValueError, match=r"run.outputs\(as_types"):
            flyte.with_runcontext(preserve_original_types=True)

    def test_authoring_arguments_are_noted_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flyte.access.authoring._noted", set())
        with pytest.warns(UserWarning, match=r"image_builder, root_dir of the official SDK have no effect") as caught:
            for _ in range(2):
                flyte.init("http://h:1", root_dir=tmp_path, image_builder="local", replace=True)
        assert len(caught) == 1
        assert caught[0].filename == __file__

    def test_names_that_nobody_has(self) -> None:
        with pytest.raises(TypeError, match=r"flyte.init\(\) got an unexpected keyword argument 'projekt'"):
            flyte.init("http://h:1", projekt="p")

    def test_the_project_of_a_client_without_one(self) -> None:
        flyte.init("http://h:1")
        with pytest.raises(InitializationError, match="No project is set"):
            flyte.current_project()
