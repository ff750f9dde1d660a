"""Errors in codegen.toml: each has its table, and all are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_codegen import cli
from flyte_codegen.configuration import settings as config
from flyte_codegen.diagnostics import CodegenError, Diagnostic
from support.fragments import Fragment, proto
from support.library import TOML, library

Mistakes = Callable[[Fragment], list[Diagnostic]]
ENTITY = '[entities.Book]\nmessage = "library.Book"\nidentity = "id"\n'


def told(path: Path, toml: str) -> list[str]:
    file = path / "codegen.toml"
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(CodegenError) as caught:
        config.read(file)
    return [str(d) for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("toml", "complaint", "remedy"),
    [
        ("[entites]\n", "entites is not a known key", "did you mean entities?"),
        ("zzz = 1\n", "zzz is not a known key", "known: effects, entities, exclude, extern, filters, input, listing, output, roles, rules"),
        ('[input]\nproto = ["x"]\n', "[input] proto is not a known key", "did you mean protos?"),
        ('[output]\npath = "x"\ntemplate = ["x"]\n', "[output] template is not a known key", "did you mean templates?"),
        ('[effects]\nraed = ["x"]\n', "[effects] raed is not a known key", "did you mean read?"),
        ('[filters.a]\nfield = "a"\nkind = "equal"\ndoc = ""\nenmu = "x"\n', "[filters.a] enmu is not a known key", ""),
        (f"{ENTITY}overley = 'x:Y'\n", "[entities.Book] overley is not a known key", "did you mean overlay?"),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ itms = 'x' }}\n",
         "[entities.Book.methods.Get] itms is not a known key", "did you mean items?"),
        (f"{ENTITY}[[entities.Book.methods.Get]]\nnam = 'x'\n",
         "[entities.Book.methods.Get] nam is not a known key", "did you mean name?"),
        ('[rules."a.B.c"]\nmax_length = 3\n', '[rules."a.B.c"] max_length is not a known key', "did you mean max_len?"),
        ('[entities.Book]\nidentity = "id"\n', "[entities.Book] message is missing", 'add message = "..."'),
        ('[filters.a]\nfield = "a"\n', "[filters.a] doc is missing", ""),
        ("[entities.Book]\nproperties = ['id.name', 'name']\nservice = 'a.B'\n", "[entities.Book] properties has name twice", "rename one with { another_name = \"name\" }"),
        ("[entities.Book]\nproperties = [5]\nservice = 'a.B'\n", "[entities.Book] properties has 5, which is not a path", "write"),
        ("[entities.Book]\nlike = 'Boot'\nservice = 'a.B'\n", "[entities.Book] like is 'Boot', which is not another entity", ""),
        ("[entities.A]\nservice='a.B'\n[entities.B]\nlike='A'\nservice='a.B'\n[entities.C]\nlike='B'\nservice='a.B'\n", "[entities.C] like is B, which is itself like another entity", 'name that one: like = "A"'),
        ("[entities.A]\nlike='B'\n[entities.B]\nlike='A'\nservice='a.B'\n", "[entities.A] like is B, which is itself like another entity", "remove like from one of A, B"),
        ("[entities.A]\nlike='B'\n[entities.B]\nlike='C'\nservice='a.B'\n", "[entities.A] like is B, which is itself like another entity", "remove like from B, or correct it first"),
        ("[entities.Pet]\nlike='Pet'\n[entities.Shop]\nservice='a.B'\n", "[entities.Pet] like is 'Pet', which is not another entity", "known: Shop"),
        ("[entities.Pet]\nlike='Pet'\n", "[entities.Pet] like is 'Pet', which is not another entity", "known: none"),
        ("[roles]\norg = ['org', 'tenant']\ntenant = ['tenant']\n", "[roles] org has the field tenant, which is listed twice", ""),
        ("[roles]\ntenant = ['tenant']\n[scope.'a.B']\nname = 'project'\n", "name is 'project', which is not a known value", "known: tenant, tenant?"),
        ('[listing]\nrequest = "a.B"\n', "[listing] filter is missing", ""),
        ('[filters.a]\nfield = "a"\nkind = "enum"\ndoc = ""\n', "[filters.a] enum is missing", ""),
        ('[filters.a]\nfield = "a"\nkind = "equals"\ndoc = ""\n', "[filters.a] kind is 'equals', which is not a known value",
         "did you mean equal?"),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ kind = 'zzz' }}\n",
         "[entities.Book.methods.Get] kind is 'zzz', which is not a known value", "known: call, create, get, list, stream, watch"),
        ('[scope."a.B"]\nname = "user"\n', "[scope.\"a.B\"] name is 'user', which is not a known value", "known: domain, domain?, org, project, project?"),
        ("[input]\nprotos = 'x'\n", "[input] protos is not a list of strings", ""),
        ("[input]\nprotos = [1]\n", "[input] protos is not a list of strings", ""),
        ("input = 5\n", "input is not a table", ""),
        ("[output]\npackage = 5\n", "[output] package is not a string", ""),
        (f"{ENTITY}properties = ['key.class']\n", "[entities.Book] properties has 'key.class', but class is a Python keyword", 'write { class_ = "key.class" }'),
        (f"{ENTITY}methods.Get = {{ omit = ['a', 'b'], params = {{ b = 'c' }} }}\n", "[entities.Book.methods.Get] omit names b, which params also names", "remove it from one of them"),
        (f"{ENTITY}methods.Get = {{ omit = ['a', 'b', 'a'] }}\n", "[entities.Book.methods.Get] omit names a twice", "name it once"),
        (f"{ENTITY}methods.Get = {{ positional = ['a', 'a'] }}\n", "[entities.Book.methods.Get] positional names a twice", "name it once"),
        (f"{ENTITY}methods.Get = {{ filters = ['a', 'a'] }}\n", "[entities.Book.methods.Get] filters names a twice", "name it once"),
        ("[filters.a]\ndoc = ''\nenum = 'a.B'\n", "[filters.a] enum has no effect on a filter of the kind equal", "set kind to one of enum, enum_name"),
        ("[filters.a]\nkind = 'bool'\ndoc = ''\naccepts = 'a:B'\n", "[filters.a] accepts has no effect on a filter of the kind bool", "remove accepts"),
        ("[filters.a]\nkind = 'time'\ndoc = ''\nvalue = '3'\n", "[filters.a] value has no effect on a filter of the kind time", "set kind to one of fixed"),
        ("[output]\npackage = ''\n", "[output] package is empty", "set a value, or remove the line"),
        ("[output]\npath = ''\n", "[output] path is empty", "remove the line"),
        ("[output]\nruntime = ''\n", "[output] runtime is empty", "remove the line"),
        (f"{ENTITY}like = ''\n", "[entities.Book] like is empty", "remove the line"),
        (f"{ENTITY}service = ''\n", "[entities.Book] service is empty", "remove the line"),
        ("[entities.Book]\nmessage = ''\n", "[entities.Book] message is empty", "remove the line"),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ rpc = '' }}\n", "[entities.Book.methods.Get] rpc is empty", ""),
        ("[listing]\nrequest = ''\n", "[listing] request is empty", ""),
        ("[output]\npackage = 'my-api'\n", "[output] package is 'my-api', which is not a valid module name", ""),
        ("[output]\nruntime = 'import os'\n", "[output] runtime is 'import os', which is not a valid module name", ""),
        (f"{ENTITY}overlay = 'os; import sys'\n", "overlay is 'os; import sys', which is not module:Class", ""),
        (f"{ENTITY}properties = 'x'\n", "[entities.Book] properties is not a table of strings", ""),
        (f"{ENTITY}properties = {{ 'a b' = 'x' }}\n", "[entities.Book.properties] a b is not a valid Python name", ""),
        (f"{ENTITY}[entities.Book.methods]\nGet = 5\n", "[entities.Book.methods.Get] is not a table", ""),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ name = 'a b' }}\n", "name is 'a b', which is not a valid Python name", ""),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ params = {{ x = 'a b' }} }}\n", "[entities.Book.methods.Get.params] x is 'a b', which is not a valid Python name", ""),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ missing_ok = 'yes' }}\n", "missing_ok is not true or false", ""),
        ('[rules."a.B.c"]\nmax_len = -1\n', "max_len is not an integer of at least 0", ""),
        ("[entities.'Bo ok']\nmessage='a'\nidentity='b'\n", "[entities] Bo ok is not a valid Python name", ""),
        ("[extern]\n'a.b' = 5\n", "extern is not a table of strings", ""),
        ("[input]\nprotos = []\n", "[input] protos is empty", "list the folders"),
        ("[output]\npackage = 'a.class'\n", "[output] package is 'a.class', which is not a valid module name", ""),
        ("[output]\npath = 'protos'\n", "[output] path is 'protos', which contains inputs of the generator", "a separate folder"),
        ("[output]\npath = '..'\n", "[output] path is '..', which contains", "a separate folder"),
        ("[entities.class]\nmessage='a'\nidentity='b'\n", "[entities] class is not a valid Python name", ""),
        (f"{ENTITY}properties = {{ class = 'x' }}\n", "[entities.Book.properties] class is not a valid Python name", ""),
        (f"{ENTITY}[entities.Book.methods]\nGet = {{ name = 'def' }}\n", "name is 'def', which is not a valid Python name", ""),
        (f"{ENTITY}[entities.Book.methods]\na-b = {{ rpc = 'Get' }}\n", "[entities.Book.methods.\"a-b\"] is not a valid Python name", "add name"),
        ("[filters.'a b']\nfield = 'a'\nkind = 'equal'\ndoc = ''\n", "[filters.\"a b\"] is not a valid Python name", "add param"),
        ("[sort_keys]\nK = []\n", "[sort_keys] K is empty", "list the keys that the server sorts by"),
        ("[sort_keys]\nK = ['a', '-b']\n", "[sort_keys] K contains '-b', which is not a valid key or is a duplicate", "without `-`"),
        ("[sort_keys]\nK = ['a', 'a']\n", "[sort_keys] K contains 'a', which is not a valid key or is a duplicate", "once"),
        ("[effects]\nread = ['a.B.C']\nidempotent = ['a.B.C']\n", "[effects] idempotent names a.B.C, which is also listed under read", "remove it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_table(tmp_path: Path, toml: str, complaint: str, remedy: str) -> None:
    (first, *_) = told(tmp_path, toml)
    assert re.match(r"codegen\.toml:\d+: error: ", first)
    assert complaint in first
    assert remedy in first


LINES = """\
# Comment.
zzz = 1

[input]
protos = [
    "protos",  # [entities.No]
]
protoz = 1

[filters.a]
field = "a"
doc = \'\'\'
[entities.Nor]
this = 1
\'\'\'
kind = "equals"

[entities.Book]
message = "library.Book"
service = "library.LibraryService"
identity = 5
methods.Get = { name = "get", itms = "x" }

[entities.Book.methods."a.B.List"]
sortt = "x"

[[entities.Book.methods.Two]]
name = "a b"

[rules]
"a.B.c" = { max_length = 3 }
"""


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    found = [line.split(": error: ")[0] for line in told(tmp_path, LINES)]
    lines = LINES.splitlines()
    assert [lines[int(place.removeprefix("codegen.toml:")) - 1].split(" =")[0] for place in found] == [
        "protoz", "kind", '"a.B.c"', "methods.Get", "sortt", "name", "identity", "zzz",
    ]  # fmt: skip


def test_a_mistake_in_inherited_settings_is_told_once(tmp_path: Path) -> None:
    """At the place where it stands, and not again for the entity that takes the settings."""
    toml = """\
[entities.Pet]
service = "zoo.Pets"
identity = 5
properties = ["key.class"]
methods.Get = { kind = "gt", params = { x = "a b" }, omit = ["y", "y"], itms = "z" }
[entities.Cat]
like = "Pet"
service = "zoo.Cats"
methods.Get = { sort = 5 }
"""
    places = [line.split(": error: ")[0] for line in told(tmp_path, toml)]
    assert sorted(places) == [
        "codegen.toml:3", "codegen.toml:4", *["codegen.toml:5"] * 4, "codegen.toml:9",
    ]  # fmt: skip


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = told(tmp_path, '[output]\npackage = 5\n[entities.A]\nx = 1\n[filters.f]\nkind = "no"\n')
    assert len(found) == 5, "\n".join(found)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[a", "codegen.toml:1: error: not valid TOML: Expected ']'"),
        (b"a = 1\n\xff\xfe", "codegen.toml:2: error: not valid TOML: it is not UTF-8"),
        (b"a = 1\na = 2\n", "codegen.toml:2: error: not valid TOML: Cannot overwrite a value"),
        (b"a = 1\n\nb = x\nc = 2\n", "codegen.toml:3: error: not valid TOML: "),
    ],
)
def test_files_that_are_not_toml(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "codegen.toml").write_bytes(content)
    with pytest.raises(CodegenError, match=re.escape(complaint)):
        config.read(tmp_path / "codegen.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CodegenError, match=r"no such file\n.*--config"):
        config.read(tmp_path / "codegen.toml")
    with pytest.raises(CodegenError, match="can't be read"):
        config.read(tmp_path)


def test_defaults(tmp_path: Path) -> None:
    (tmp_path / "codegen.toml").write_text("")
    found = config.read(tmp_path / "codegen.toml")
    assert found.protos == (tmp_path / "protos",)
    assert found.include == ()
    assert found.output == tmp_path / "generated" / "generated_api"
    assert found.runtime == "flyte_rpc.v1"
    assert found.entities == ()


@pytest.mark.parametrize(
    ("toml", "complaint", "remedy"),
    [
        ('[effects]\nread = ["library.LibraryService.ListBoks"]', "names library.LibraryService.ListBoks, which is not a known RPC",
         "did you mean library.LibraryService.ListBooks?"),
        ('[effects]\nread = ["library.LibraryService.Lst*"]', "[effects] has the pattern library.LibraryService.Lst*, which matches no RPC",
         "the most similar are library.LibraryService.ListBooks, "),
        ('[scope."library.*Idd"]\norg = "org"', "[scope] has the pattern library.*Idd, which matches no message", "the most similar are library.Book"),
        ('[scope."library.BokId"]\norg = "org"', "names library.BokId, which is not a known message", "library.BookId"),
        ('[scope."library.BookId"]\norgg = "org"', "names library.BookId.orgg, which is not a known field", "library.BookId.org"),
        ('[rules."library.Book.titel"]\nmin_len = 1', "names library.Book.titel, which is not a known field", "library.Book.title"),
        ('[filters.x]\nfield = "a"\nkind = "enum"\ndoc = ""\nenum = "library.State"', "[filters.x] names library.State", ""),
        ('[listing]\nrequest = "library.common.ListRequest"\nfilter = "library.common.Fitler"\nsort = "library.common.Sort"\n'
         'filters_field = "filters"\nsort_field = "sort"', "names library.common.Fitler, which is not a known message", "Filter"),
    ],
)  # fmt: skip
def test_names_that_the_definitions_do_not_have(
    tmp_path: Path, mistakes: Mistakes, toml: str, complaint: str, remedy: str
) -> None:
    found = mistakes(library(tmp_path, toml))
    assert re.fullmatch(r"codegen\.toml:\d+", found[0].place)
    assert complaint in found[0].message
    assert remedy in found[0].remedy


def test_a_filter_that_is_not_defined(tmp_path: Path, mistakes: Mistakes) -> None:
    found = mistakes(library(tmp_path, TOML.replace('"on_shelf", "printed_at"]', '"on_shelff"]')))
    assert [d.message for d in found] == [
        "[entities.Book.methods.ListBooks] filters names on_shelff, which is not defined"
    ]
    assert "did you mean on_shelf?" in found[0].remedy


@pytest.mark.parametrize(
    ("content", "line", "complaint"),
    [
        ("[fields", 1, "not valid TOML"),
        ("fields = 5", 1, "fields is not a table"),
        ("[fields]\n'test.A.b' = 5", 2, '[fields."test.A.b"] is not a table'),
        ("[fields.'test.A.b']\n\nmin_len = 'x'", 3, "min_len is not an integer of at least 0"),
        ("[fields.'test.A.b']\nrequired = 1", 2, "required is not true or false"),
    ],
)
def test_rules_beside_the_definitions_that_cannot_be_used(
    fragment: Callable[..., Fragment], mistakes: Mistakes, content: str, line: int, complaint: str
) -> None:
    made = fragment(proto("message A { string b = 1; }"))
    (made.root / "protos" / "rules.toml").write_text(content, encoding="utf-8")
    (found,) = mistakes(made)
    assert found.place.endswith(f"protos/rules.toml:{line}")
    assert complaint in found.message
    assert found.remedy == "restore it, or run `flyte-codegen import`"


def test_names_that_are_not_there_stop_all_that_would_look_them_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = library(tmp_path, TOML.replace("library.common.Sort", "library.common.Srot").replace("BookState", "State"))
    for arguments in (["generate"], ["check"], ["report"], ["explain", "ListBooks"]):
        assert cli.main([arguments[0], "--config", str(made.config_path), *arguments[1:]]) == 1
        err = capsys.readouterr().err
        assert "[listing] names library.common.Srot, which is not a known message" in err
        assert "[filters.in_state] names library.State, which is not a known enum" in err
    # A comparison ignores this, because one version may lack something that the other has.
    protos = str(tmp_path / "protos")
    assert cli.main(["diff", "--config", str(made.config_path), protos, protos]) == 0
