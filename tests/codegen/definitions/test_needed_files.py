"""Which imported files are generated: those that something uses, and nothing that only options use."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest

from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
INPUT = '[input]\nprotos = ["protos"]\ninclude = ["theirs"]\n'

# Like the options of an OpenAPI generator: proto3, in two files, and more types than any option refers to directly.
OPENAPI = {
    "openapi/annotations.proto": proto(
        """
import "google/protobuf/descriptor.proto";
import "openapi/openapi.proto";
extend google.protobuf.MethodOptions { Operation operation = 1042; }
extend google.protobuf.FileOptions { Swagger swagger = 1042; }
""",
        package="openapi",
    ),
    "openapi/openapi.proto": proto(
        """
message Swagger { Info info = 1; map<string, Header> headers = 2; enum Scheme { NONE = 0; } repeated Scheme schemes = 3; }
message Operation { string summary = 1; }
message Info { string title = 1; }
message Header { string name = 1; }
message Unused { Info info = 1; }
""",
        package="openapi",
    ),
}
THEIRS = OPENAPI | {
    "theirs/used.proto": proto('import "theirs/deep.proto";\nmessage Used { Deep deep = 1; }', package="theirs"),
    "theirs/deep.proto": proto('import "theirs/unused.proto";\nmessage Deep { string a = 1; }', package="theirs"),
    "theirs/unused.proto": proto("message Unused { string a = 1; }", package="theirs"),
    "theirs/details.proto": proto("message Details { string why = 1; }", package="theirs"),
    "theirs/service.proto": proto(
        'import "theirs/request.proto";\nservice Theirs { rpc Get(GetRequest) returns (GetRequest); }', package="theirs"
    ),
    "theirs/request.proto": proto(
        'import "theirs/unused.proto";\nmessage GetRequest { string name = 1; }', package="theirs"
    ),
    "theirs/through.proto": proto('import "theirs/service.proto";\nmessage Through {}', package="theirs"),
}
MINE = proto(
    """
import "google/protobuf/any.proto";
import "openapi/annotations.proto";
import "theirs/details.proto";
import "theirs/through.proto";
import "theirs/used.proto";
message Thing { theirs.Used used = 1; string name = 2; google.protobuf.Any details = 3; }
service Things { rpc GetThing(Thing) returns (Thing) { option (openapi.operation) = { summary: "x" }; } }
"""
)


@pytest.fixture
def make(fragment: Make) -> Callable[[str], Fragment]:
    def with_theirs(toml: str) -> Fragment:
        made = fragment({"test/test.proto": MINE}, INPUT + toml)
        for name, text in THEIRS.items():
            path = made.root / "theirs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return made.generate()

    return with_theirs


def modules(made: Fragment, folder: str) -> set[str]:
    found = (made.path / folder).rglob("*.py")
    return {path.relative_to(made.path / folder).as_posix() for path in found if path.name != "__init__.py"}


async def test_imported_files_are_generated_if_something_uses_them(make: Callable[[str], Fragment]) -> None:
    made = make("")
    assert modules(made, "messages") == {
        "test/test.py",
        "google/protobuf/any.py",
        "theirs/used.py",
        "theirs/deep.py",
        # Imported without a field of its type: such messages are sent in an Any.
        "theirs/details.py",
        "theirs/through.py",
    }
    assert modules(made, "services") == {"test/things.py"}
    thing, service = made.get("messages.test.test:Thing"), made.load("services.test.things")
    used, deep = made.get("messages.theirs.used:Used"), made.get("messages.theirs.deep:Deep")
    unary = importlib.import_module("flyte_rpc.calls.call_path").unary

    class Served(service.ThingsBase):  # type: ignore[misc,name-defined]
        async def get_thing(self, request: object, call: object) -> object:
            return request

    async with await serve([Served()]) as running, Client(running.endpoint, timeout=20) as client:
        sent = thing(used=used(deep=deep(a="x")))
        assert await unary(client, service.Things.GET_THING, sent) == sent


@pytest.mark.parametrize(
    "toml",
    [
        '[entities.Theirs]\nmessage = "theirs.GetRequest"\nservice = "theirs.Theirs"\nidentity = "name"\n'
        '[entities.Theirs.methods]\nGet = { name = "get" }\n',
        '[effects]\nread = ["theirs.Theirs.Get"]\n',
        '[exclude]\n"theirs.Theirs.*" = "not ours"\n',
    ],
)
def test_what_codegen_toml_names_is_generated(make: Callable[[str], Fragment], toml: str) -> None:
    made = make(toml)
    assert modules(made, "services") == {"test/things.py", "theirs/theirs.py"}
    assert {"theirs/request.py", "theirs/used.py"} <= modules(made, "messages")
    assert "theirs/unused.py" not in modules(made, "messages")


def test_types_of_options_are_generated_once_messages_use_them(fragment: Make) -> None:
    body = proto('import "openapi/openapi.proto";\nmessage A { openapi.Header header = 1; }')
    made = fragment({**OPENAPI, "test/test.proto": body}).generate()
    assert modules(made, "messages") == {"openapi/openapi.py", "test/test.py"}
    assert made.get("messages.openapi.openapi:Unused")().info is None


def test_own_files_are_complete(fragment: Make) -> None:
    """Every file of the user is generated, used or not, except files with nothing but options."""
    events = proto(
        """
import "google/protobuf/descriptor.proto";
import "rules.proto";
extend google.protobuf.MessageOptions { Topic topic = 50000; rules.Rule rule = 50001; }
message Topic { string name = 1; }
message Created { option (topic) = { name: "created" }; string name = 1; }
"""
    )
    rules = proto("message Rule { string a = 1; }", package="rules")
    lonely = proto("message Lonely { string a = 1; }", package="lonely")
    made = fragment({**OPENAPI, "events.proto": events, "rules.proto": rules, "lonely.proto": lonely}).generate()
    # `events` defines options, but messages too.
    assert modules(made, "messages") == {"events.py", "lonely.py"}
