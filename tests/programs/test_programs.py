"""Run small programs as users of the official SDK write them, and compare what they print."""

from __future__ import annotations

import ast
import doctest
import os
import re
import runpy
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import deployed
import pytest

import flyte
from flyte.devbox import Devbox
from flyte.remote import App, Project
from flyte_api.registry import registry
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServiceBase, serve
from flyte_rpc.sync import bridge
from remote.planes.app import AppLogs, Apps, message
from remote.planes.artifact import Registry
from remote.planes.auth import Identity
from remote.planes.run import Runs
from remote.planes.secret import Vault
from remote.planes.settings import Book
from remote.planes.task import Tasks

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "examples.md"
PROGRAMS = sorted(HERE.glob("*/*.py"))
FIRST = re.compile(r"^ *(await )?flyte\.init_from_config(\.aio)?\(", re.MULTILINE)
PRINTS = re.compile(r"^# Prints:\n((?:#.*\n)+)\Z", re.MULTILINE)
CALLS = {"weather.week": "weather.fahrenheit", "weather.careful": "weather.measure"}
"""The task that a task calls."""
COMPARED = doctest.ELLIPSIS | doctest.REPORT_NDIFF


def artifacts() -> list[ServiceBase]:
    """Artifacts, a task that takes one, and a service that accepts each run without executing it."""
    tasks = Tasks()
    tasks.put(deployed.lines, "weather.lines", "v1")
    return [Registry(), tasks, Runs()]


def apps() -> list[ServiceBase]:
    """Apps whose logs have ended."""
    logs = AppLogs()
    logs.open = False
    logs.write("forecast-1", "started", "answered GET /today")
    return [Apps(), logs]


# Fake services for programs that use what a devbox lacks, by a pattern of the program's text.
ELSEWHERE: dict[str, Callable[[], list[ServiceBase]]] = {
    r"\bApp\.": apps,
    r"\bArtifact\.": artifacts,
    r"\bSecret\.": lambda: [Vault()],
    r"\bSettings\.": lambda: [Book()],
    r"\bUser\.": lambda: [Identity()],
}


def services_of(text: str) -> list[ServiceBase]:
    """Return the fake services that a program needs; an empty list for the devbox."""
    return [service for use, made in ELSEWHERE.items() if re.search(use, text) for service in made()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a new working directory, and close the client of the program afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("FLYTE_", "FLYTECTL_", "UCTL_"))]:
        monkeypatch.delenv(name)
    before = registry.default
    registry.set_default(None)
    yield tmp_path
    made = registry.default
    registry.set_default(before)
    if made is not None:
        made.close()


def configure(place: Path, endpoint: str, project: str, org: str = "") -> None:
    """Write the file that `flyte.init_from_config` finds."""
    where = f"{{org: '{org}', project: {project}, domain: development}}"
    (place / "config.yaml").write_text(f"admin: {{endpoint: '{endpoint}'}}\ntask: {where}\n", "utf-8")


@pytest.fixture
def devbox(place: Path, flyte_devbox_session: Devbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that creates a project for a program and deploys the tasks that it names."""
    box = flyte_devbox_session

    def prepare(text: str) -> None:
        project = f"p{uuid.uuid4().hex[:12]}"
        with Client(box.endpoint, token=box.token, project=project, domain="development", timeout=20) as client:
            Project.create(project, "Weather", client=client)
            for name, function in deployed.TASKS.items():
                if name in text or any(name == called and caller in text for caller, called in CALLS.items()):
                    flyte.devbox.deploy(function, name=name, version="v1", environment="weather", client=client)
        configure(place, box.endpoint, project)
        monkeypatch.setenv("FLYTE_TOKEN", box.token)

    return prepare


@pytest.fixture
def elsewhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[ServiceBase], bool], None]]:
    """Return a function that starts a control plane of fake services."""
    servers = []

    def prepare(services: list[ServiceBase], reads_logs: bool) -> None:
        server = bridge.run(serve(services))
        servers.append(server)
        configure(place, server.endpoint, "weather", "acme")
        monkeypatch.setenv("FLYTE_TOKEN", "ada")
        if any(isinstance(service, Apps) for service in services):
            with Client(server.endpoint, org="acme", project="weather", domain="development", timeout=20) as client:
                app = App.create(message("forecast", team="vision"), client=client)
                if any(isinstance(service, AppLogs) and reads_logs for service in services):
                    app.deactivate(wait=True)  # its logs have an end

    yield prepare
    for server in servers:
        bridge.run(server.close())


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_program(
    program: Path,
    devbox: Callable[[str], None],
    elsewhere: Callable[[list[ServiceBase], bool], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = program.read_text("utf-8")
    services = services_of(text)
    if services:
        elsewhere(services, "_logs(" in text)
    else:
        devbox(text)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "flyte.init_from_config.*no effect", UserWarning)
        runpy.run_path(str(program), run_name="__main__")
    printed = capsys.readouterr().out
    checker, expected = doctest.OutputChecker(), doctest.Example("", expectation(text))
    assert checker.check_output(expected.want, printed, COMPARED), checker.output_difference(
        expected, printed, COMPARED
    )


def expectation(text: str) -> str:
    """Return the lines that a program should print, from the comment at its end."""
    match = PRINTS.search(text)
    assert match is not None, "a program ends with the lines that it prints"
    return "".join(line[2:] or "\n" for line in match[1].splitlines(keepends=True))


def test_the_page_lists_all_programs() -> None:
    page = PAGE.read_text("utf-8")
    rows = dict(re.findall(r"^\| \[[^\]]+\]\(\.\./tests/programs/([^)]+)\) \| (.+) \|$", page, re.MULTILINE))
    assert rows == {program.relative_to(HERE).as_posix(): summary(program).removesuffix(".") for program in PROGRAMS}


def test_the_programs_on_the_page_are_those_that_run() -> None:
    shown = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    texts = [PRINTS.sub("", program.read_text("utf-8")) for program in PROGRAMS]
    assert len(shown) >= 2
    for block in shown:
        assert f"{block}\n" in texts, f"no program is\n{block}"


def summary(program: Path) -> str:
    """Return the sentence at the top of a program."""
    text = ast.get_docstring(ast.parse(program.read_text("utf-8")))
    assert text, f"{program.name} says what it does"
    return text


def test_programs_are_those_of_users() -> None:
    assert len(PROGRAMS) >= 30
    for program in PROGRAMS:
        text = program.read_text("utf-8")
        assert FIRST.search(text), f"{program.name} connects with init_from_config"
        assert len(text.splitlines()) <= 62, f"{program.name} is short"
        assert expectation(text).replace("...", "").strip(), f"{program.name} prints something"
