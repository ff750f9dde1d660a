"""`python -m flyte doctor` against a devbox, a proxy, TLS servers and nothing at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte.__main__ import main
from flyte.devbox import Devbox, start
from rpc.network.test_trust import blocking_server, server_context
from support.certificates import Authority
from support.proxies.http_proxy import http_proxy

Config = Callable[..., Path]


@pytest.fixture(scope="module")
def box() -> Iterator[Devbox]:
    with start(memory=True) as running:
        yield running


@pytest.fixture
def checks(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, dict[str, Any]]]:
    """Runs the doctor, and gives its checks by name."""

    def run(*arguments: str, code: int) -> dict[str, dict[str, Any]]:
        assert main(["doctor", "--json", *arguments]) == code
        found = json.loads(capsys.readouterr().out)
        return {"settings shown": found["settings"], **{check["check"]: check for check in found["checks"]}}

    return run


Checks = Callable[..., dict[str, Any]]


def test_everything_works(checks: Checks, box: Devbox, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    config(f"admin:\n  endpoint: {box.endpoint}\ntask:\n  project: flytesnacks\n  domain: staging\n")
    monkeypatch.setenv("FLYTE_TOKEN", box.token)
    monkeypatch.setenv("FLYTE_TASK_DOMAIN", "development")
    found = checks(code=0)
    sources = {row["setting"]: row for row in found["settings shown"]}
    assert sources["project"]["source"].endswith("config.yaml, line 4")
    assert sources["domain"] == {"setting": "domain", "value": "development", "source": "FLYTE_TASK_DOMAIN"}
    assert sources["token"]["value"] == "***"
    assert found["calls"]["detail"] == "gRPC over HTTP/2, chosen automatically"
    assert found["project"]["detail"] == "flytesnacks/development exists"
    assert found["listing"]["detail"] == "no runs"
    assert found["upload link"]["outcome"] == "passed"
    assert {check["outcome"] for name, check in found.items() if name != "settings shown"} <= {"passed", "skipped"}


def test_as_text(box: Devbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FLYTE_TOKEN", box.token)
    assert main(["doctor", "--endpoint", box.endpoint, "--project", "nope", "--domain", "development"]) == 1
    text = capsys.readouterr().out
    assert "token     ***" in text
    assert "FAILED  project: there is no project 'nope'\n        Check project, or list" in text
    assert box.token not in text


@pytest.mark.parametrize(
    ("arguments", "token", "check", "detail", "remedy"),
    [
        (["--endpoint", "{tls}"], True, "TLS", "the TLS handshake", "The server seems to speak cleartext: use http://"),
        (["--endpoint", "{endpoint}"], False, "log-in", "UNAUTHENTICATED", "valid token="),
        (["--endpoint", "http://127.0.0.1:1"], True, "connection", "nothing is listening", "Start the server"),
        (["--endpoint", "https://no-such-host.invalid"], True, "name", "cannot be resolved", "Check the host name"),
        (
            ["--endpoint", "http://x", "--http-proxy-url", "http://127.0.0.1:1"],
            True,
            "connection",
            "the proxy",
            "NO_PROXY",
        ),
        (
            ["--endpoint", "{endpoint}", "--project", "flytesnacks", "--domain", "x"],
            True,
            "project",
            "no domain 'x'",
            "Its",
        ),
        (["--endpoint", "ftp://x"], True, "settings", "is not an endpoint", ""),
        (["--endpoint", "http://x", "--transport", "pigeon"], True, "settings", "choose one of", ""),
        ([], True, "settings", "No endpoint is set", ""),
    ],
)
def test_mistakes_and_their_remedies(
    checks: Checks,
    box: Devbox,
    arguments: list[str],
    token: bool,
    check: str,
    detail: str,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if token:
        monkeypatch.setenv("FLYTE_TOKEN", box.token)
    names = {"endpoint": box.endpoint, "tls": box.endpoint.replace("http:", "https:")}
    found = checks(*(argument.format(**names) for argument in arguments), code=1)
    assert found[check]["outcome"] == "failed"
    assert detail in found[check]["detail"]
    assert remedy in found[check]["remedy"]
    later = list(found)[list(found).index(check) + 1 :]
    if check != "project":
        assert {found[name]["outcome"] for name in later} <= {"skipped"}


def test_through_a_proxy(checks: Checks, box: Devbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_TOKEN", box.token)
    with http_proxy(tmp_path, credentials="ada:hunter2") as port:
        proxy = f"http://ada:hunter2@127.0.0.1:{port}"
        found = checks("--endpoint", box.endpoint, "--http-proxy-url", proxy, code=0)
    assert found["proxy"]["detail"] == f"127.0.0.1:{port} with credentials"
    assert f"through the proxy 127.0.0.1:{port}" in found["connection"]["detail"]
    assert "hunter2" not in json.dumps(found)


def test_certificates(checks: Checks, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with blocking_server(server_context(authority.issue("server", "DNS:localhost", "IP:127.0.0.1"))) as endpoint:
        found = checks("--endpoint", endpoint, code=1)
        assert "is not trusted" in found["TLS"]["detail"]
        found = checks("--endpoint", endpoint, "--ca-cert-file-path", str(authority.certificate), code=1)
        assert "HTTP/2 chosen, certificate for localhost, 127.0.0.1 by tests" in found["TLS"]["detail"]
        assert "only" in found["TLS"]["detail"], "it is valid for two days"


def test_a_file_with_a_mistake(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config("admin: [")
    assert main(["doctor"]) == 1
    assert "FAILED  settings: " in (text := capsys.readouterr().out)
    assert "config.yaml, line" in text


def test_a_file_that_does_not_exist_as_json(checks: Checks) -> None:
    assert "There is no configuration file" in checks("--config", "/nope", code=1)["settings"]["detail"]


def test_a_proxy_of_the_environment_that_cannot_be_used(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://ada:hunter2@p:1")
    found = checks("--endpoint", "https://flyte.example.com", code=1)
    assert [name for name, check in found.items() if name != "settings shown" and check["outcome"] == "failed"] == [
        "proxy"
    ]
    assert "hunter2" not in json.dumps(found)


def test_the_proxy_of_https_is_not_that_of_http(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    found = checks("--endpoint", "https://flyte.example.com", code=1)
    assert found["proxy"]["detail"] == "127.0.0.1:1"
    assert "the proxy 127.0.0.1:1 cannot be reached" in found["connection"]["detail"]


@pytest.mark.parametrize("endpoint", ["https://ada:hunter2@h", "ftp://ada:hunter2@h", "ada:hunter2@h"])
def test_passwords_in_endpoints_are_not_shown(
    endpoint: str, checks: Checks, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_ENDPOINT", endpoint)
    assert "hunter2" not in json.dumps(checks(code=1))
    main(["doctor"])
    assert "hunter2" not in "".join(capsys.readouterr())


def test_commands() -> None:
    done = subprocess.run([sys.executable, "-m", "flyte"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "doctor" in done.stdout) == (2, True)
    assert main(["--help"]) == 0
    assert main(["docter"]) == 2
