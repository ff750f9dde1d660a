"""`flyte-codegen report`: every RPC has a method, an exclusion with a reason, or is not reachable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen import cli
from flyte_codegen.commands.report import report
from flyte_codegen.configuration import settings as config
from flyte_codegen.definitions.load import load
from flyte_codegen.diagnostics import CodegenError, Diagnostic
from support.fragments import Fragment, proto
from support.library import TOML, library

Report = Callable[..., tuple[int, str, str]]
Mistakes = Callable[[Fragment], list[Diagnostic]]
ROOT = Path(__file__).parents[3]
OTHERS = proto(
    """
message Item { string id = 1; }
service InternalService { rpc Sync(Item) returns (Item); rpc Feed(stream Item) returns (stream Item); }
service Zoo { rpc Send(stream Item) returns (Item); rpc Purge(Item) returns (Item); rpc Get(Item) returns (Item); }
service International { rpc Call(Item) returns (Item); }
""",
    package="other",
)
LINES = """\
library.LibraryService.DiscardBook -> Book.discard
library.LibraryService.GetBook -> Book.get, Copy.fetch
library.LibraryService.ListBooks -> Book.listall
library.LibraryService.WatchBook -> Book.watch
other.InternalService.Feed -> excluded: the client streams, which entity methods do not support
other.InternalService.Sync -> excluded: a service for calls between servers, judging by its name
other.International.Call -> only InternationalClient.call
other.Zoo.Get -> Item.get
other.Zoo.Purge -> excluded: for keepers
other.Zoo.Send -> excluded: the client streams, which entity methods do not support
"""
ENTITIES = """
[entities.Copy]
message = "library.Book"
service = "library.LibraryService"
identity = "id"
methods.GetBook = { name = "fetch" }

[entities.Item]
message = "other.Item"
service = "other.Zoo"
identity = "id"
methods.Get = {}

[exclude]
"other.Zoo.[GP]*" = "for keepers"
"""


def made(root: Path, toml: str = TOML + ENTITIES) -> Fragment:
    return library(root, toml, **{"other/zoo.proto": OTHERS})


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    def command(*arguments: str, toml: str = TOML + ENTITIES) -> tuple[int, str, str]:
        code = cli.main(["report", "--config", str(made(tmp_path, toml).config_path), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_line_for_each_rpc(run: Report) -> None:
    assert run() == (
        0,
        LINES,
        ("10 RPCs: 5 with entity methods, 0 called elsewhere, 4 excluded, 1 in client classes only, 0 not reachable\n"),
    )


def test_strict_fails_for_what_nobody_has_decided_about(run: Report) -> None:
    assert run("--strict")[:2] == (1, LINES)
    assert run("--strict")[2].splitlines()[1:] == [
        "codegen.toml: error: other.International.Call has no entity method, no call elsewhere and no reason in [exclude]",
        '    add a table [entities.NAME.methods.Call], or "other.International.Call" = "the reason" to [exclude]',
    ]
    assert len(run()[2].splitlines()) == 1
    code, out, _ = run("--strict", toml=TOML + ENTITIES + '"other.International.Call" = "too dear"\n')
    assert code == 0
    assert "other.International.Call -> excluded: too dear\n" in out


def test_json_says_the_same(run: Report) -> None:
    code, out, _ = run("--json")
    data = json.loads(out)
    assert code == 0
    assert [item["rpc"] for item in data] == [line.split(" -> ")[0] for line in LINES.splitlines()]
    assert data[1] == {
        "rpc": "library.LibraryService.GetBook",
        "methods": ["Book.get", "Copy.fetch"],
        "call": "LibraryServiceClient.get_book",
        "callers": [],
        "excluded": None,
        "long_running": False,
    }
    shared = {"methods": [], "callers": [], "long_running": False}
    call = {"rpc": "other.International.Call", "call": "InternationalClient.call", "excluded": None}
    purge = {"rpc": "other.Zoo.Purge", "call": "ZooClient.purge", "excluded": "for keepers"}
    assert (data[6], data[8]) == ({**call, **shared}, {**purge, **shared})
    assert data[9]["call"] is None  # the client streams


@pytest.mark.parametrize(
    ("line", "complaint", "remedy"),
    [
        ('"other.Zoo.Prge" = "x"', "other.Zoo.Prge matches no RPC", "did you mean other.Zoo.Purge?"),
        ('"another.*" = "x"', "the pattern another.* matches no RPC", "the most similar are other.Zoo."),
        ('"other.Zoo.Xyz*" = "x"', "the pattern other.Zoo.Xyz* matches no RPC", "the most similar are other.Zoo."),
        ('"library.*" = "x"', "library.* matches only RPCs that have entity methods", "remove the line"),
        ('"other.Zoo.Purge" = " "', "other.Zoo.Purge has no reason", "say why"),
    ],
)
def test_exclusions_that_are_wrong(tmp_path: Path, mistakes: Mistakes, line: str, complaint: str, remedy: str) -> None:
    (found,) = mistakes(made(tmp_path, f"{TOML}[exclude]\n{line}\n"))
    toml = (tmp_path / "codegen.toml").read_text("utf-8").splitlines()
    assert toml[int(found.place.removeprefix("codegen.toml:")) - 1] == line
    assert found.message == f"[exclude] {complaint}"
    assert remedy in found.remedy
    with pytest.raises(CodegenError, match=re.escape(complaint)):
        report(made(tmp_path, f"{TOML}[exclude]\n{line}\n").config)


def test_services_of_other_packages_are_their_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "site/other_api/messages/other/zoo.py"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    reaches = report(made(tmp_path, f'{TOML}[extern]\nother = "other_api"\n').config)
    assert {reach.rpc.split(".")[0] for reach in reaches} == {"library"}


def test_explain_repeats_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(made(tmp_path).config_path)
    for name, text in (("Zoo.Purge", "none: excluded: for keepers"), ("International.Call", "none: no entity in")):
        assert cli.main(["explain", "--config", path, name]) == 0
        assert f"method     {text}" in capsys.readouterr().out


def test_all_of_this_project_is_told_of() -> None:
    settings = config.read(ROOT / "codegen.toml")
    reaches = report(settings)
    rpcs = [f"{f.package}.{s.name}.{m.name}" for f in load(settings.protos).file for s in f.service for m in s.method]
    assert [reach.rpc for reach in reaches] == sorted(rpcs)
    assert "flyteidl2.workflow.RunService.ListRuns -> Run.listall, Run.of_trigger" in map(str, reaches)


def test_calls_of_the_overlay_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = tmp_path / "site" / "zoo_sdk"
    (overlay / "far").mkdir(parents=True)
    (overlay / "__init__.py").write_text("raise ImportError\n")
    (overlay / "far" / "away.py").write_text("await unary(client, International.CALL, item)\n")
    (overlay / "near.py").write_text("InternationalClient().call(item)\n")
    (overlay / "other.py").write_text("OtherClient().call(item); international.CALL; International.CALLS\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    toml = TOML + ENTITIES.replace("[exclude]", 'overlay = "zoo_sdk.item:Item"\n[exclude]')
    found = {reach.rpc: reach for reach in report(made(tmp_path, toml).config)}["other.International.Call"]
    assert found.decided and str(found) == "other.International.Call -> called in zoo_sdk.far.away, zoo_sdk.near"


def test_only_code_counts_as_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = tmp_path / "site" / "zoo_kit"
    overlay.mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "docs": '"""Use International.CALL or InternationalClient().call(item)."""\n# International.CALL\n',
        "alone": "other.call(item)  # InternationalClient\n",
        "broken": "International.CALL(\n",
        "code": "from somewhere import InternationalClient as Far\nFar().call(item)\n",
    }.items():
        (overlay / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    toml = TOML + ENTITIES.replace("[exclude]", 'overlay = "zoo_kit.item:Item"\n[exclude]')
    found = {reach.rpc: reach.callers for reach in report(made(tmp_path, toml).config)}
    assert found["other.International.Call"] == ("zoo_kit.code",)


def test_services_of_one_name_are_told_apart_by_their_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "message M { string id = 1; }\nservice Twin { rpc Call(M) returns (M); }"
    protos = {f"{package}/twin.proto": proto(body, package=package) for package in ("one", "two")}
    toml = '[entities.M]\nmessage = "one.M"\noverlay = "twin_sdk.m:M"\n'
    fragment = Fragment(tmp_path, protos, toml)
    overlay = tmp_path / "site" / "twin_sdk"
    overlay.mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "constant": f"from {fragment.package}.services.two.twin import Twin\nTwin.CALL\n",
        "module": f"from {fragment.package}.services.two import twin\ntwin.Twin.CALL\n",
        "client": f"from {fragment.package}.clients.one.twin import TwinClient\nTwinClient().call(1)\n",
        "either": "from elsewhere import Twin\nTwin.CALL\n",
    }.items():
        (overlay / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = {reach.rpc: reach.callers for reach in report(fragment.config)}
    assert found == {
        "one.Twin.Call": ("twin_sdk.client", "twin_sdk.either"),
        "two.Twin.Call": ("twin_sdk.constant", "twin_sdk.either", "twin_sdk.module"),
    }


def test_names_of_another_sdk_follow(tmp_path: Path, run: Report) -> None:
    table = tmp_path / "names.toml"
    table.write_text('[same]\n"sdk.Book" = ["get"]\n[lacking]\n"sdk.Shelf" = "use Book"\n')
    code, out, _ = run("--names", str(table))
    assert code == 0 and out.splitlines()[-3:] == [
        "sdk.Book -> the same",
        "sdk.Book.get -> the same",
        "sdk.Shelf -> lacking: use Book",
    ]
    _, out, _ = run("--names", str(table), "--json")
    assert json.loads(out)[-1] == {"name": "sdk.Shelf", "lacking": "use Book"}
    for wrong in ("[same", '[same]\n"a" = 1', '[lacking]\n"a" = ""'):
        table.write_text(wrong)
        code, out, shown = run("--names", str(table))
        assert code == 1 and out == "" and "write a table `same`" in shown
