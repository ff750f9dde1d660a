"""The configuration file: where it is found, what it may contain, and what is said of mistakes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import flyte
from flyte.access.config_file import config_file
from flyte.access.settings import Settings
from flyte.errors import InitializationError

Config = Callable[..., Path]

MINIMAL = "admin:\n  endpoint: dns:///flyte.example.com\n"

AS_WRITTEN_BY_FLYTE_CREATE_CONFIG = """\
admin:
  endpoint: dns:///flyte.example.com
image:
  builder: remote
task:
  domain: development
  org: acme
  project: flytesnacks
"""

AS_WRITTEN_BY_FLYTECTL = """\
admin:
  # For GRPC endpoints you might want to use dns:///flyte.myexample.com
  endpoint: dns:///localhost:30080
  authType: Pkce
  insecure: true
  maxRetries: 5
  perRetryTimeout: 15s
  maxBackoffDelay: 8s
  pkceConfig:
    timeout: 15s
  useAuth: true
console:
  endpoint: http://localhost:30080
logger:
  show-source: true
  level: 0
storage:
  type: minio
  stow: {kind: s3, config: {auth_type: accesskey}}
images:
  default: ghcr.io/acme/image:1
local:
  persistence: true
files: [a, b]
"""


def client() -> flyte.Client:
    found = flyte.current_client()
    assert isinstance(found, flyte.Client)
    return found


class TestFiles:
    def test_as_the_official_sdk_writes_it(self, config: Config) -> None:
        config(AS_WRITTEN_BY_FLYTE_CREATE_CONFIG)
        flyte.init_from_config()
        assert client().endpoint == "https://flyte.example.com:443"
        assert (client().org, flyte.current_project(), flyte.current_domain()) == ("acme", "flytesnacks", "development")

    def test_with_sections_and_keys_of_other_tools(self, config: Config) -> None:
        config(AS_WRITTEN_BY_FLYTECTL)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            flyte.init_from_config()
        assert client().endpoint == "http://localhost:30080"
        assert client().retry.attempts == 6

    @pytest.mark.parametrize(
        "text",
        [
            b"\xef\xbb\xbfadmin:\r\n  endpoint: dns:///flyte.example.com\r\n  insecure: 'true'\r\n",
            b"admin: {endpoint: 'dns:///flyte.example.com', insecure: \"True\"}",
            b"admin:\n  endpoint: dns:///flyte.example.com\n  insecure: yes\n",
            "admin:\n  endpoint: dns:///flyte.example.com\n  insecure: 1\n".encode("utf-16"),
        ],
    )
    def test_as_editors_write_it(self, config: Config, text: bytes) -> None:
        config(text)
        flyte.init_from_config()
        assert client().endpoint == "http://flyte.example.com:80"

    @pytest.mark.parametrize(
        ("endpoint", "insecure", "expected"),
        [
            ("http://localhost:8090", "", "http://localhost:8090"),
            ("http://flyte.example.com", "", "http://flyte.example.com:80"),
            ("http://flyte.example.com", "insecure: false", "http://flyte.example.com:80"),
            ("https://flyte.example.com", "insecure: true", "https://flyte.example.com:443"),
            ("flyte.example.com:8443", "", "https://flyte.example.com:8443"),
            ("dns:///flyte.example.com", "insecure: 'false'", "https://flyte.example.com:443"),
            ("localhost:8090", "insecure: false", "https://localhost:8090"),
            ("unix:///run/flyte.sock", "", "unix:///run/flyte.sock"),
        ],
    )
    def test_the_endpoint_keeps_its_scheme(self, config: Config, endpoint: str, insecure: str, expected: str) -> None:
        config(f"admin:\n  endpoint: {endpoint}\n  {insecure}\n")
        flyte.init_from_config()
        assert client().endpoint == expected

    def test_entries_that_are_taken_from_another_mapping(self, config: Config) -> None:
        text = "base: &b {endpoint: 'http://h:1', insecure: true}\nmore: &m {<<: *b, maxRetries: 7}\nadmin:\n  <<: [*m, *b]\n  maxRetries: 9\n"
        settings = Settings({}, config_file(config(text)))
        assert (settings["endpoint"], settings["rpc_retries"], settings["insecure"]) == ("http://h:1", 9, True)

    def test_numbers_and_empty_values(self, config: Config) -> None:
        config("admin:\n  endpoint: h:1\n  insecure:\ntask:\n  project: 123\n  domain: ''\n")
        flyte.init_from_config()
        assert (client().endpoint, client().project, client().domain) == ("https://h:1", "123", "")

    def test_an_edit_is_seen(self, config: Config) -> None:
        config(MINIMAL)
        flyte.init_from_config()
        config("admin:\n  endpoint: other.example.com\n")
        flyte.init_from_config(replace=True)
        assert client().endpoint == "https://other.example.com:443"


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("admin:\n  endpoint: [h\n", r"config.yaml, line 3, is not valid YAML"),
            ("admin:\n\tendpoint: h\n", r"config.yaml, line 2, is not valid YAML"),
            ("admin: text\n", r"config.yaml, line 1: the section admin must consist of lines of the form `key: value`"),
            ("- admin\n", r"config.yaml, line 1: the file must consist of lines"),
            ("admin:\n  endpoint: h\n  endpoint: i\n", r"line 3: endpoint is set twice in the section admin"),
            (
                "admin:\n  endpoint: h\n  insecure: maybe\n",
                r"line 3: admin.insecure is 'maybe'; it must be true or false",
            ),
            (
                "admin:\n  endpoint: h\n  maxRetries: -1\n",
                r"line 3: admin.maxRetries is '-1'; it must be a whole number",
            ),
            ("admin:\n  endpoint: {a: 1}\n", r"line 2: admin.endpoint is a mapping; it must be text"),
            ("admin:\n  endpoint: h\n  scopes: '[1,'\n", r"line 3: admin.scopes is '\[1,'; it cannot be read"),
            (
                "admin:\n  endpoint: !!python/object:os.system {}\n",
                r"line 2: admin.endpoint is a mapping; it must be text",
            ),
            (b"admin:\n  endpoint: \xff\xfe\n", r"config.yaml is not valid YAML"),
            ("task:\n  project: p\n", r"The configuration file .*config.yaml has no admin.endpoint"),
            ("", r"has no admin.endpoint"),
        ],
    )
    def test_they_are_told_with_file_and_line(self, config: Config, text: str | bytes, shown: str) -> None:
        config(text)
        with pytest.raises(InitializationError, match=shown):
            flyte.init_from_config()

    @pytest.mark.parametrize(
        ("section", "key", "shown"),
        [
            ("admin", "insecur", "line 3: admin.insecur is not a setting and has no effect. Did you mean insecure?"),
            ("admin", "ca_cert_file_path", "Did you mean caCertFilePath?"),
            ("admin", "end-point", "Did you mean endpoint?"),
            ("admin", "zzz", "Known keys: audience,"),
            ("task", "projekt", "Did you mean project?"),
        ],
    )
    def test_unknown_keys_are_warned_of(self, config: Config, section: str, key: str, shown: str) -> None:
        lines = {"admin": "  endpoint: h:1\n", "task": "  domain: d\n"}
        lines[section] += f"  {key}: true\n"
        order = [section, *(name for name in lines if name != section)]
        config("".join(f"{name}:\n{lines[name]}" for name in order))
        with pytest.warns(UserWarning) as caught:
            flyte.init_from_config()
        assert [shown in str(warning.message) for warning in caught] == [True]

    def test_misspelt_sections_are_warned_of(self, config: Config) -> None:
        for section in ("admn", "Admin", "TASK"):
            path = config(f"admin:\n  endpoint: http://h:1\n{section}:\n  project: p\n")
            with pytest.warns(
                UserWarning, match=rf"line 3: the section {section} has no effect. Did you mean (admin|task)\?"
            ):
                config_file(path)

    def test_a_list_within_itself(self, config: Config) -> None:
        path = config("admin:\n  endpoint: http://h:1\n  scopes: &a [*a]\n")
        with pytest.raises(InitializationError, match=r"line 3: admin.scopes is a list; it must be text"):
            flyte.init_from_config(path)

    def test_aliases_that_multiply_take_no_time(self, config: Config) -> None:
        levels = "\n".join(f"  x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12))
        path = config(f"admin:\n  endpoint: http://h:1\n  x0: &x0 [a]\n{levels}\n  scopes: *x11\n")
        with pytest.warns(UserWarning), pytest.raises(InitializationError, match=r"admin\.scopes"):
            flyte.init_from_config(path)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InitializationError, match=r"There is no configuration file .*nowhere.yaml"):
            flyte.init_from_config("nowhere.yaml")
        with pytest.raises(InitializationError, match=r"There is no configuration file"):
            flyte.init_from_config(tmp_path)

    def test_secrets_are_not_shown(self, config: Config) -> None:
        config("admin:\n  endpoint: h\n  httpProxyURL: [http://ada:hunter2@p]\n")
        with pytest.raises(InitializationError) as raised:
            flyte.init_from_config()
        assert "hunter2" not in str(raised.value)


class TestPlaces:
    ORDER = (
        "work/config.yaml",
        "work/.flyte/config.yaml",
        "uctl.yaml",
        "flytectl.yaml",
        "home/.union/config.yaml",
        "home/.flyte/config.yaml",
    )

    @pytest.mark.parametrize("first", range(len(ORDER)))
    def test_the_first_that_exists(
        self, config: Config, tmp_path: Path, first: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number, path in enumerate(self.ORDER[first:], first):
            config(f"admin:\n  endpoint: h{number}:1\n", path)
            if path == "uctl.yaml":
                monkeypatch.setenv("UCTL_CONFIG", str(tmp_path / path))
            if path == "flytectl.yaml":
                monkeypatch.setenv("FLYTECTL_CONFIG", str(tmp_path / path))
        flyte.init_from_config()
        assert client().endpoint == f"https://h{first}:1"

    def test_the_root_of_the_repository(
        self, config: Config, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config(MINIMAL, "work/.flyte/config.yaml")
        below = repository / "src" / "deep"
        below.mkdir(parents=True)
        monkeypatch.chdir(below)
        flyte.init_from_config()
        assert client().endpoint == "https://flyte.example.com:443"

    @pytest.mark.parametrize("variable", ["UCTL_CONFIG", "FLYTECTL_CONFIG"])
    def test_a_variable_that_names_nothing(
        self, config: Config, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config(MINIMAL, "home/.flyte/config.yaml")
        monkeypatch.setenv(variable, "/nowhere.yaml")
        with pytest.raises(InitializationError, match=f"variable {variable} names /nowhere.yaml, which is not a file"):
            flyte.init_from_config()

    def test_a_path_starts_at_root_dir(self, config: Config, tmp_path: Path) -> None:
        config(MINIMAL, "elsewhere/my.yaml")
        flyte.init_from_config("my.yaml", root_dir=tmp_path / "elsewhere")
        assert client().endpoint == "https://flyte.example.com:443"
        flyte.init_from_config(path_or_config=str(tmp_path / "elsewhere" / "my.yaml"))
        with pytest.raises(TypeError, match="path or path_or_config, not both"):
            flyte.init_from_config("a", path_or_config="b")

    def test_no_file_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(InitializationError, match=r"No endpoint is set.*flyte.init_from_config\(\)"):
            flyte.init_from_config()
        monkeypatch.setenv("FLYTE_ADMIN_ENDPOINT", "h:1")
        flyte.init_from_config()
        assert client().endpoint == "https://h:1"


async def test_the_async_forms(config: Config) -> None:
    config(MINIMAL)
    await flyte.init_from_config.aio(project="p", domain="d")
    assert flyte.current_project() == "p"
    await flyte.init.aio("http://h:1", replace=True)
    assert client().endpoint == "http://h:1"
    assert "configuration file" in (flyte.init_from_config.__doc__ or "")


def test_a_client_of_ones_own(config: Config) -> None:
    path = config(AS_WRITTEN_BY_FLYTE_CREATE_CONFIG, "elsewhere/my.yaml")
    with flyte.Client.from_config(path, project="other", timeout=5) as made:
        assert (made.endpoint, made.org, made.project) == ("https://flyte.example.com:443", "acme", "other")
        assert made.timeout == 5
