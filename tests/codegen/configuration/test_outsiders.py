"""Valid definitions and settings of other teams that do not occur in ours."""

from __future__ import annotations

import ast
from collections.abc import AsyncGenerator, Callable
from inspect import getdoc, signature
from pathlib import Path
from typing import Any

import pytest

from flyte_codegen.diagnostics import CodegenError, Diagnostic
from flyte_codegen.text import docstring
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
Mistakes = Callable[[Fragment], list[Diagnostic]]
SERVICE = """
message Thing { string name = 1; int32 size = 2; }
service Things { rpc Get(Thing) returns (Thing); rpc Watch(Thing) returns (stream Thing); }
"""
THING = """
[entities.Thing]
message = "test.Thing"
service = "test.Things"
identity = "name"
"""
METHODS = f"{THING}[entities.Thing.methods]\n"


async def test_services_of_one_name(fragment: Make) -> None:
    """Also in packages that differ only in case."""
    body = "message M { string name = 1; }\nservice S { rpc Get(M) returns (M); }"
    protos = {f"{package}/x.proto": proto(body, package=package) for package in ("foo", "Foo", "bar")}
    toml = """
[entities.M]
message = "foo.M"
service = "foo.S"
identity = "name"
methods.Get = {}
methods."Foo.S.Get" = { name = "upper", kind = "call" }
methods."bar.S.Get" = { name = "other", kind = "call" }
"""
    made = fragment(protos, toml).generate()
    called: list[str] = []

    def server(package: str) -> Any:
        class Server(made.get(f"services.{package}.s:SBase")):  # type: ignore[misc]
            async def get(self, request: Any, call: ServerCall) -> Any:
                called.append(package)
                return request

        return Server()

    async with await serve([server(p) for p in ("foo", "Foo", "bar")]) as running, Client(running.endpoint) as client:
        entity = await made.get("entities.m:MBase").get.aio("n", client=client)
        await entity.upper.aio()
        await entity.other.aio()
    assert called == ["foo", "Foo", "bar"]


def test_a_service_that_another_package_has(fragment: Make) -> None:
    toml = """
[input]
protos = ["protos"]
include = ["@flyte"]
[extern]
"google.protobuf" = "flyte_api"
flyteidl2 = "flyte_api"
[entities.Project]
message = "flyteidl2.project.Project"
service = "flyteidl2.project.ProjectService"
identity = "id"
methods.GetProject = { items = "project" }
"""
    made = fragment(proto('import "flyteidl2/project/project_service.proto";\nmessage M {}'), toml).generate()
    from flyte_api.services.flyteidl2.project.project_service import ProjectService

    assert made.load("entities.project").ProjectService is ProjectService


def test_a_service_without_methods(fragment: Make) -> None:
    made = fragment(proto("service Nothing {}")).generate()
    assert made.get("services.test.nothing:NothingBase").RPCS == ()


WORDS = """
enum Kind { KIND_UNSPECIFIED = 0; KIND_BIG = 1; }
message Key { string self = 1; string def = 2; }
message Thing { Key class = 1; string list = 2; Kind kind = 3; }
message GetRequest { Key class = 1; string path = 2; string type = 3; string datetime = 4; Kind kind = 5; }
message DoRequest { Key class = 1; string type = 2; Kind kind = 3; }
message Page { int32 limit = 1; string token = 2; }
message ListRequest { Page import = 1; }
message ListResponse { Inner dict = 1; }
message Inner { repeated Thing values = 1; string token = 2; }
message DoResponse { Thing is = 1; }
service Words {
  rpc Get(GetRequest) returns (Thing);
  rpc List(ListRequest) returns (ListResponse);
  rpc Do(DoRequest) returns (DoResponse);
  rpc Watch(DoRequest) returns (stream Thing);
}
"""
WORDS_TOML = """
[scope."test.Key"]
[entities.Thing]
message = "test.Thing"
service = "test.Words"
identity = "class"
properties = { key = "class.def", the_list = "list" }
methods.Get = {}
methods.List = {}
methods.Do = { returns = "Thing", items = "is" }
methods.Watch = {}
"""


async def test_fields_that_are_words_of_python(fragment: Make) -> None:
    """Paths use the names of the definitions; parameters keep the name if nothing else needs it."""
    made = fragment(proto(WORDS), WORDS_TOML).generate()
    types = made.load("messages.test.test")
    asked: list[Any] = []

    class Words(made.get("services.test.words:WordsBase")):  # type: ignore[misc]
        async def get(self, request: Any, call: ServerCall) -> Any:
            asked.append(request)
            return types.Thing(class_=request.class_, list_="l")

        async def list_(self, request: Any, call: ServerCall) -> Any:
            at, size = int(request.import_.token or 0), request.import_.limit
            values = [types.Thing(list_=str(i)) for i in range(5)][at : at + size]
            return types.ListResponse(dict_=types.Inner(values=values, token=str(at + size) if at + size < 5 else ""))

        async def do(self, request: Any, call: ServerCall) -> Any:
            asked.append(request)
            return types.DoResponse(is_=types.Thing(class_=request.class_))

        async def watch(self, request: Any, call: ServerCall) -> AsyncGenerator[Any]:
            yield types.Thing(class_=request.class_)

    async with await serve([Words()]) as running, Client(running.endpoint, timeout=20) as client:
        base = made.get("entities.thing:ThingBase")
        thing = await base.get.aio("s", "d", path="p", type_="t", datetime="dt", client=client)
        assert (thing.key, thing.the_list, thing._key()) == ("d", "l", ("s", "d"))
        assert (asked[0].path, asked[0].type, asked[0].datetime) == ("p", "t", "dt")
        assert asked[0].kind == types.Kind.UNSPECIFIED
        assert [t.the_list async for t in base.listall(page_size=2, client=client)] == list("01234")
        assert (await thing.do.aio(kind=types.Kind.BIG)).key == "d"
        assert asked[1].kind == types.Kind.BIG
        async for seen in thing.watch(type_="t"):
            assert seen.key == "d"
            break


@pytest.mark.parametrize("head", ['edition = "2023";', 'syntax = "proto2";'])
async def test_names_that_may_be_unset(fragment: Make, head: str) -> None:
    """If every field has presence, the identifier field still identifies the resource, in all kinds of requests."""
    field = "optional string" if "proto2" in head else "string"
    text = f"""{head}
package test;
message Thing {{ {field} name = 1; }}
message DoRequest {{ {field} thing_name = 1; {field} why = 2; }}
service Things {{ rpc Get(Thing) returns (Thing); rpc Do(DoRequest) returns (Thing); }}
"""
    made = fragment(text, f"{METHODS}Get = {{}}\nDo = {{}}\n").generate()
    base, types = made.get("entities.thing:ThingBase"), made.load("messages.test.test")

    class Things(made.get("services.test.things:ThingsBase")):  # type: ignore[misc]
        async def get(self, request: Any, call: ServerCall) -> Any:
            return request

        async def do(self, request: Any, call: ServerCall) -> Any:
            return types.Thing(name=f"{request.thing_name}, {request.why}")

    async with await serve([Things()]) as running, Client(running.endpoint, timeout=20) as client:
        thing = await base.get.aio("a", client=client)
        assert (await thing.do.aio("b")).name == "a, b"
        with pytest.raises(ValueError, match="name"):
            await base.get.aio("", client=client)


def test_a_name_that_is_a_word_of_python(fragment: Make) -> None:
    body = """
message Thing { string class = 1; }
service Things { rpc Get(Thing) returns (Thing); rpc Do(Thing) returns (Thing); }
"""
    made = fragment(proto(body), METHODS.replace('"name"', '"class"') + "Get = {}\nDo = {}\n").generate()
    base = made.get("entities.thing:ThingBase")
    assert str(signature(base.get)).startswith("(class_: 'str', *, timeout")
    assert [*signature(base.do).parameters] == ["self", "timeout"]


def test_a_message_that_names_the_thing_has_to_be_given(fragment: Make) -> None:
    body = """
message Key { int64 id = 1; }
message Meta { Key key = 1; }
message Thing { Meta meta = 1; }
message GetRequest { Key key = 1; string why = 2; }
service Things { rpc Get(GetRequest) returns (Thing); }
"""
    made = fragment(proto(body), METHODS.replace('"name"', '"meta.key"') + "Get = {}\n").generate()
    assert str(signature(made.get("entities.thing:ThingBase").get)).startswith("(key: 'Key', *, why: ")


def test_a_reply_that_is_the_thing_is_no_page(fragment: Make) -> None:
    """Even though request and reply have fields like those of pages."""
    body = """
message Thing { string name = 1; repeated Thing parts = 2; string token = 3; }
message DoRequest { string name = 1; int32 limit = 2; string token = 3; }
service Things { rpc Do(DoRequest) returns (Thing); }
"""
    made = fragment(proto(body), f"{METHODS}Do = {{}}\n").generate()
    assert [*signature(made.get("entities.thing:ThingBase").do).parameters] == ["self", "limit", "token", "timeout"]


def test_comments_that_are_laid_out(fragment: Make) -> None:
    comment = "\n// Does it, which is\n// a sentence:\n//\n// - one\n// - two\n//\n//     code\n"
    made = fragment(proto(SERVICE.replace("rpc Get", f"{comment}rpc Get")), f"{METHODS}Get = {{}}\n").generate()
    told = getdoc(made.get("entities.thing:ThingBase").get)
    assert told and told.startswith("Does it, which is a sentence:\n\n- one\n- two\n\n    code\n")


@pytest.mark.parametrize("text", ["'''", '"' * 7, 'a "" b', 'ends in ""', '\\"', '""" and \\', '""\n"""'])
def test_docstrings_escape_no_more_than_they_must(text: str) -> None:
    rendered = docstring(text)
    assert ast.literal_eval(rendered).strip() == text
    assert '\\""' not in docstring('say "" for none')


def test_a_folder_that_is_called_like_definitions(fragment: Make) -> None:
    made = fragment(proto("message A {}"))
    (made.root / "protos" / "x.proto").mkdir()
    assert "messages/test/test.py" in made.outcome().files


@pytest.mark.parametrize(
    ("toml", "message", "remedy"),
    [
        (f"{METHODS}Get = {{ kind = 'watch' }}\n", "can't be a watch: the server sends a single reply", "list, get, create"),
        (f"{METHODS}Get = {{ kind = 'stream' }}\n", "can't be a stream: the server sends", "under [entities.Thing.methods.Get]"),
        (f"{METHODS}Watch = {{ kind = 'get' }}\n", "can't be a get: the server streams its replies", "watch, stream"),
        (f"{METHODS}Get = {{ name = '_of' }}\n", "_of is reserved by Python or by the entity base", "another name"),
        (f"{METHODS}Get = {{ name = '__init__' }}\n", "__init__ is reserved by Python or by the entity", "another name"),
        (THING.replace("test.Things", "test.Thinks"), "names test.Thinks, which is not a known service", "did you mean test.Things?"),
        (f"{THING}overlay = 'a:B'\n{THING.replace('s.Thing', 's.Other')}overlay = 'a:B'\n", "have the same overlay, a:B", "its own"),
        (f"{THING}[rules.'test.Thing.name']\nmin_len = 3\nmax_len = 2\n", "min_len greater than its max_len", "correct one"),
        (f"{THING}[rules.'test.Thing.size']\nmin_len = 1\n", "test.Thing.size is not a string", "required = true"),
        (f"[extern]\n'test' = 'json'\n{THING}", "json, which flyte-codegen did not generate", "[output] package"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing(fragment: Make, mistakes: Mistakes, toml: str, message: str, remedy: str) -> None:
    first, *_ = mistakes(fragment(proto(SERVICE), toml))
    assert message in first.message
    assert remedy in first.remedy
    assert first.place.partition(":")[2]


def test_an_identity_of_several(fragment: Make, mistakes: Mistakes) -> None:
    body = "message Thing { repeated string name = 1; }\nservice Things {}"
    (only,) = mistakes(fragment(proto(body), THING))
    assert "identity names name, which is a repeated field" in only.message


def test_a_message_without_an_id(fragment: Make, mistakes: Mistakes) -> None:
    toml = THING.replace('identity = "name"\n', "")
    (only,) = mistakes(fragment(proto(SERVICE), toml))
    assert only.message == "[entities.Thing] test.Thing has no field id, the default of identity"
    assert only.remedy.startswith('add identity = "PATH"')
    assert only.place == "codegen.toml:6"


def test_methods_without_a_service(fragment: Make, mistakes: Mistakes) -> None:
    """One error for all of them. A full name needs no service."""
    methods = f"{METHODS}Get = {{}}\nof = {{ rpc = 'Watch' }}\n'test.Things.Get' = {{ name = 'other' }}\n"
    made = fragment(proto(SERVICE), methods.replace('service = "test.Things"\n', ""))
    (only,) = mistakes(made)
    assert only.message == "[entities.Thing] service is missing, but the RPCs of Get, of are looked up in it"
    assert only.remedy.startswith('add service = "package.Service"')
    text = made.config_path.read_text("utf-8").replace("Get = {}\nof = { rpc = 'Watch' }\n", "")
    made.config_path.write_text(text, "utf-8")
    assert "entities/thing.py" in made.outcome().files


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("id.park", "a part of the scope"),
        ("page", "the token of the next page"),
    ],
)
def test_names_of_parameters_that_are_none(fragment: Make, mistakes: Mistakes, path: str, why: str) -> None:
    body = """
message ThingId { string park = 1; string name = 2; }
message Thing { ThingId id = 1; }
message ListRequest { ThingId id = 1; string page = 2; int32 size = 3; string why = 4; }
message ListReply { repeated Thing things = 1; string next = 2; }
service Things { rpc List(ListRequest) returns (ListReply); }
"""
    toml = """
[roles]
park = ["park"]
[scope."test.ThingId"]
[entities.Thing]
service = "test.Things"
[entities.Thing.methods.List]
pages = { token = "page", next = "next", size = "size" }
"""
    (only,) = mistakes(fragment(proto(body), f'{toml}params = {{ "{path}" = "x" }}'))
    assert f"params names {path}, which is no parameter: " in only.message, why
    assert only.remedy == "remove it from params"
    named = fragment(proto(body), f'{toml}params = {{ why = "x", "id.name" = "y" }}').outcome()
    assert "x: str = " in named.files["entities/thing.py"] and "y: str" in named.files["entities/thing.py"]


def test_a_runtime_that_is_not_there(fragment: Make, mistakes: Mistakes) -> None:
    (only,) = mistakes(fragment(proto(SERVICE), THING, output='runtime = "no_such.runtime"'))
    assert "no_such.runtime, which is not installed here" in only.message


@pytest.mark.parametrize("made_of", ["[filters.paged]\n", '[filters.x]\nparam = "paged"\n'])
def test_a_filter_that_hides_what_methods_use(fragment: Make, mistakes: Mistakes, made_of: str) -> None:
    body = 'import "flyteidl2/common/list.proto";' + SERVICE.replace(
        "rpc Get", "rpc List(Asked) returns (Found); rpc Get"
    )
    body += "message Asked { flyteidl2.common.ListRequest request = 1; }\n"
    body += "message Found { repeated Thing things = 1; string token = 2; }\n"
    listing = "[listing]\nrequest = 'flyteidl2.common.ListRequest'\nfilter = 'flyteidl2.common.Filter'\n"
    listing += "sort = 'flyteidl2.common.Sort'\nfilters_field = 'filters'\n"
    head = "[input]\nprotos = ['protos']\ninclude = ['@flyte']\n"
    filters = f"{made_of}field = 'a'\nkind = 'equal'\ndoc = 'A.'\n"
    name = "x" if "param" in made_of else "paged"
    methods = f"{METHODS}List = {{ filters = ['{name}'] }}\n"
    (one,) = mistakes(fragment(proto(body), f"{head}{listing}sort_field = 'sort_by_fields'\n{filters}{methods}"))
    assert "the parameter paged shadows a name that methods use" in one.message
    assert one.remedy == 'add param = "another_name"'
    (two,) = mistakes(fragment(proto(body), f"{head}{listing}sort_field = 'sort_by'\n"))
    assert "sort_field is sort_by, which is not a list of flyteidl2.common.Sort" in two.message
    assert two.remedy == "did you mean sort_by_fields?"


@pytest.mark.parametrize("comment", [b"// caf\xe9\n", b"\xff\xfe"])
def test_definitions_that_are_not_utf8(fragment: Make, mistakes: Mistakes, comment: bytes) -> None:
    made = fragment(proto(SERVICE))
    file: Path = made.root / "protos/test/test.proto"
    lines = len(file.read_bytes().splitlines())
    file.write_bytes(file.read_bytes() + comment)
    (only,) = mistakes(made)
    assert only.place == f"test/test.proto:{lines + 1}"
    assert "UTF-8" in only.message


@pytest.mark.parametrize("change", [lambda b: b"\xef\xbb\xbf" + b, lambda b: b.replace(b"\n", b"\r\n")])
def test_files_of_other_editors(fragment: Make, change: Callable[[bytes], bytes]) -> None:
    """With a byte order mark, or CRLF line endings."""
    made = fragment(proto(SERVICE.replace("rpc Get", "// One\n// two.\nrpc Get")), f"{METHODS}Get = {{}}\n")
    plain = made.outcome().files["entities/thing.py"]
    for file in (made.root / "protos/test/test.proto", made.config_path):
        file.write_bytes(change(file.read_bytes()))
    assert made.outcome().files["entities/thing.py"] == plain


def test_files_that_import_each_other(fragment: Make, mistakes: Mistakes) -> None:
    protos = {"a.proto": proto('import "b.proto";'), "b.proto": proto('import "a.proto";')}
    (only,) = mistakes(fragment(protos))
    assert "File recursively imports itself: a.proto -> b.proto -> a.proto" in only.message
    assert only.place == "a.proto:3:1"


def test_a_field_that_is_named_like_the_time_limit(fragment: Make) -> None:
    body = """
message Thing { string name = 1; }
message GetThingRequest { string name = 1; int32 timeout = 2; }
service Things { rpc GetThing(GetThingRequest) returns (Thing); }
"""
    with pytest.raises(CodegenError, match="the parameter timeout would occur twice") as raised:
        fragment(proto(body), f"{METHODS}GetThing = {{}}\n").generate()
    assert 'params = { "path.to.field" = "another_name" }' in str(raised.value)
    renamed = 'GetThing = { params = { "timeout" = "server_timeout" } }'
    made = fragment(proto(body), f"{METHODS}{renamed}\n").generate()
    assert [*signature(made.get("entities.thing:ThingBase").get).parameters] == [
        *("name", "server_timeout", "timeout", "client"),
    ]
