"""The examples of README and docs/, run in order against a devbox, and the commands they name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import export

import flyte
from flyte.devbox import Devbox
from flyte_api.registry import registry
from flyte_rpc.auth import notices
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import Authenticate, ServiceBase, serve
from flyte_rpc.sync import bridge
from remote import tasks
from remote.planes.app import AppLogs, Apps
from remote.planes.artifact import Registry
from remote.planes.org import Domains
from remote.planes.project import ThreeProjects
from remote.planes.secret import Vault
from remote.planes.tracked import Tracker
from remote.span_provider import own_provider
from rpc.auth.conftest import Browser
from support.certificates import Authority
from support.control_plane import Access, TokenGuard
from support.oauth_server import oauth_server

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Examples for a cluster run on the devbox here.
INIT = re.compile(r'^flyte\.init\("https://flyte\.example\.com".*\)$', re.MULTILINE)


def apps() -> list[ServiceBase]:
    """Apps that have written as many lines as the page reads."""
    logs = AppLogs()
    logs.open = False
    for number in range(10):
        logs.write("dashboard-1", f"request {number}")
    return [Apps(), logs]


# Fake services for pages about services that a devbox lacks.
ELSEWHERE: dict[str, Callable[[], list[ServiceBase]]] = {
    "administration.md": lambda: [Vault(), Domains("development", "production")],
    "apps.md": apps,
    "artifacts.md": lambda: [Registry()],
    "tracked-runs.md": lambda: [Tracker()],
}


class Elsewhere:
    """A control plane in the place of the devbox."""

    def __init__(self, services: list[ServiceBase], authenticate: Authenticate | None = None) -> None:
        self._server = bridge.run(serve(services, authenticate=authenticate))
        self.endpoint = self._server.endpoint
        self._client = Client(
            self._server.endpoint, org="acme", project="flytesnacks", domain="development", timeout=20
        )

    def connect(self, **_: str) -> None:
        registry.set_default(self._client)

    def close(self) -> None:
        self._client.close()
        bridge.run(self._server.close())


def model(epochs: int, rate: float = 0.1) -> float:
    """Train a model."""
    print(f"training for {epochs} epochs", flush=True)
    return epochs * rate


@pytest.fixture
def namespace(flyte_devbox: Devbox) -> dict[str, Any]:
    """The names that the pages assume."""
    for version in ("v1", "v2"):
        flyte.devbox.deploy(model, name="train.model", version=version)
    return {"flyte": flyte, "box": flyte_devbox, "my_function": tasks.multiply, "__name__": "docs"}


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """A control plane that wants a log-in, and a browser in which somebody logs in."""
    browser = Browser()
    monkeypatch.setattr(notices, "open_browser", browser)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with oauth_server() as oauth:
        plane = Elsewhere([Access(oauth.metadata()), ThreeProjects()], TokenGuard(oauth))
        yield plane
        browser.join()
        plane.close()
        assert oauth.grants == {"authorization_code": 1}


@pytest.fixture
def printed_spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the exporter of the page prints."""
    printed = StringIO()
    monkeypatch.setattr(export, "ConsoleSpanExporter", partial(export.ConsoleSpanExporter, out=printed))
    with own_provider():
        yield printed


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_run(
    page: Path,
    namespace: dict[str, Any],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # for the pages that write files
    text = page.read_text(encoding="utf-8")
    if page.name in ("connecting.md", "tls-and-proxies.md"):
        box: Devbox = namespace["box"]
        task = "task: {project: flytesnacks, domain: development}"
        (tmp_path / "config.yaml").write_text(f"admin: {{endpoint: '{box.endpoint}'}}\n{task}\n")
        monkeypatch.setenv("FLYTE_TOKEN", box.token)
        certificates = Authority(tmp_path)
        shutil.copy(certificates.certificate, "ca.pem")
        certificates.issue("me")  # writes me.pem
        request.addfinalizer(lambda before=registry.default: registry.set_default(before))
        registry.set_default(None)
    if page.name == "login.md":
        text = text.replace("https://flyte.example.com", request.getfixturevalue("secured").endpoint)
        request.addfinalizer(lambda before=registry.default: registry.set_default(before))
        registry.set_default(None)
        monkeypatch.setenv("FLYTE_API_KEY", "")  # which the page sets
    if page.name == "tracing.md":
        spans = request.getfixturevalue("printed_spans")
    if page.name in ELSEWHERE:
        namespace["box"] = elsewhere = Elsewhere(ELSEWHERE[page.name]())
        request.addfinalizer(elsewhere.close)
    for match in BLOCK.finditer(text):
        line = text[: match.start()].count("\n") + 1
        code = INIT.sub('box.connect(project="flytesnacks", domain="development")', match[1])
        exec(compile("\n" * line + code, str(page), "exec"), namespace)
    if page.name == "tracing.md":
        names = re.findall(r'^    "name": "(.*)"', spans.getvalue(), re.MULTILINE)
        assert names == ["flyteidl2.workflow.RunService/ListRuns", "report"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_commands_run(flyte_devbox: Devbox) -> None:
    environment = {**os.environ, "FLYTE_ENDPOINT": flyte_devbox.endpoint, "FLYTE_TOKEN": flyte_devbox.token}
    commands = [command for page in PAGES for command in SHELL.findall(page.read_text("utf-8"))]
    assert len(commands) >= 3
    for command in commands:
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "flytesnacks" in done.stdout or done.stdout == "ok\n"


def test_the_first_example_of_the_readme_runs_as_a_file(tmp_path: Path) -> None:
    match = BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert match is not None and match[1].startswith("# hello.py")
    (tmp_path / "hello.py").write_text(match[1], "utf-8")
    done = subprocess.run([sys.executable, "hello.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "o0=42" in done.stdout and "succeeded" in done.stdout


@pytest.mark.parametrize("title", ["tasks.py", "reports.py"])
def test_the_scripts_about_the_devbox_run_as_files(title: str, tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "devbox.md").read_text(encoding="utf-8"))
    (block,) = [block for block in blocks if block.startswith(f"# {title}\n")]
    (tmp_path / title).write_text(block, "utf-8")
    done = subprocess.run([sys.executable, title], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "o0=" in done.stdout


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, *(ROOT / "docs").rglob("*.md")]:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", prose):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"^make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)) <= targets
