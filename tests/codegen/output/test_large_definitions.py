"""Messages with many fields, and files with many messages: checked by type checkers, imported in parts, and served."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory

from flyte_codegen.definitions.load import load
from flyte_codegen.python.codec import WIDE
from flyte_codegen.python.messages import LARGE
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.serving.server import serve
from support.fragments import Fragment, importable, proto

REPO = Path(__file__).parents[3]
MANY = "messages.test.many"

SINGLE = [
    *("string", "bytes", "bool", "double", "float", "Part", "Kind"),
    *("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64"),
]
KINDS = [*SINGLE, *(f"repeated {kind}" for kind in SINGLE), *(f"optional {kind}" for kind in SINGLE)]
KINDS += ["map<string, Part>", "map<int32, Kind>"]


def fields(count: int, kinds: list[str], *, name: str = "f", start: int = 1) -> str:
    return " ".join(f"{kinds[i % len(kinds)]} {name}{i} = {i + start};" for i in range(count))


GROUPS = [f"oneof group{i} {{ {fields(5, SINGLE[i:], name=f'g{i}_', start=1 + i * 5)} }}" for i in range(12)]
WIDE_MESSAGES = {
    "History": f"oneof event {{ {fields(75, ['Part'])} }} string id = 900;",
    "Mixed": f"oneof event {{ {fields(90, SINGLE)} }} repeated Part parts = 900;",
    "Plain": fields(400, KINDS),
    "Groups": " ".join(GROUPS),
    "Alike": fields(200, ["string"]),
}
MESSAGES = """
message Part { int32 a = 1; string b = 2; repeated Part parts = 3; }
enum Kind { NONE = 0; SOME = 1; OTHER = 2; }
message Named { Part Part = 1; Kind Kind = 2; }
"""
MESSAGES += "\n".join(f"message {name} {{ {body} }}" for name, body in WIDE_MESSAGES.items())
ITEMS = "\n".join(
    f"message Item{i} {{ message Inner {{ Kind kind = 1; enum Kind {{ NONE = 0; }} }} Inner inner = 1; Item{i} Item{i} = 2; }}"
    for i in range(LARGE)
)
FILES = {
    "test/wide.proto": proto(MESSAGES),
    "test/many.proto": proto(
        f"""
import "test/wide.proto";
{ITEMS}
message item0 {{ int32 number = 1; }}
message GetRequest {{ string id = 1; }}
message GetResponse {{ History history = 1; Item1 item = 2; }}
service Many {{ rpc Get(GetRequest) returns (GetResponse); }}
"""
    ),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragment]:
    root = tmp_path_factory.mktemp("large")
    with importable(root):
        yield Fragment(root, FILES).generate()


@pytest.fixture(scope="module")
def oracle(large: Fragment) -> Callable[[str], Any]:
    """Find the message classes of google's protobuf."""
    pool = descriptor_pool.DescriptorPool()
    for file in load(large.config.protos).file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"test.{name}"))


def mypy(root: Path) -> str:
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--config-file", str(REPO / "pyproject.toml"), "."]
    environment = os.environ | {"MYPYPATH": os.pathsep.join((".", str(REPO / "src")))}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def pyright(root: Path) -> str:
    settings: dict[str, Any] = {
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": True,
        "enableTypeIgnoreComments": False,
        "pythonVersion": "3.11",
        "extraPaths": [str(REPO / "src")],
    }
    (root / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", "."]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("check", [mypy, pyright])
def test_strict_type_checkers_accept_everything(large: Fragment, check: Callable[[Path], str]) -> None:
    use = f"""
from typing import assert_type

from {large.package} import exports
from {large.package}.messages.test import many
from {large.package}.messages.test.many import GetResponse, Item7, Item7Inner
from {large.package}.messages.test.wide import History, Kind, Named, Part

many.Item99  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
assert_type(exports.EXPORTS, dict[str, str])
assert_type(Item7().inner, Item7Inner | None)
assert_type(Item7().Item7, Item7 | None)
assert_type(GetResponse().history, History | None)
assert_type(Named().Part, Part | None)
assert_type(Named().Kind, Kind)
"""
    (large.root / "out" / "use.py").write_text(use, encoding="utf-8")
    assert check(large.root / "out") == ""


def filled(message: Any, chance: float, rng: random.Random, depth: int = 0) -> Any:
    """Set some fields of a message of google's protobuf."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() > chance:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            key = rng.choice("abc") if field.message_type.fields_by_name["key"].type == field.TYPE_STRING else 7
            if field.message_type.fields_by_name["value"].message_type:
                getattr(message, field.name)[key].a = 3
            else:
                getattr(message, field.name)[key] = 1
        elif field.message_type and field.is_repeated:
            if depth < 2:
                filled(getattr(message, field.name).add(), chance, rng, depth + 1)
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            filled(getattr(message, field.name), 0.5, rng, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(value(field, rng) for _ in range(rng.randrange(1, 4)))
        else:
            setattr(message, field.name, value(field, rng))
    return message


def value(field: Any, rng: random.Random) -> Any:
    match field.cpp_type:
        case field.CPPTYPE_STRING:
            text = rng.choice(["", "a", "größer"])
            return text.encode() if field.type == field.TYPE_BYTES else text
        case field.CPPTYPE_BOOL:
            return rng.random() < 0.5
        case field.CPPTYPE_DOUBLE | field.CPPTYPE_FLOAT:
            return rng.choice([0.0, 1.5, -2.25])
        case field.CPPTYPE_ENUM:
            return rng.randrange(3)
        case field.CPPTYPE_UINT32 | field.CPPTYPE_UINT64:
            return rng.choice([0, 1, 2**32 - 1])
        case _:
            return rng.choice([0, 1, -1, -(2**31), 2**31 - 1])


@pytest.mark.parametrize("name", WIDE_MESSAGES)
def test_wide_messages_are_read_and_written_as_protobuf_does(
    large: Fragment, oracle: Callable[[str], Any], name: str
) -> None:
    ours, theirs = large.get(f"messages.test.wide:{name}"), oracle(name)
    assert len(ours.FIELDS) > WIDE
    rng = random.Random(name)
    for chance in [0.02, 0.1, 0.5, 1.0] * 10:
        # Concatenation merges messages: members of a oneof replace each other, in every order.
        data = b"".join(
            filled(theirs(), chance, rng).SerializeToString(deterministic=True) for _ in range(rng.randrange(1, 4))
        )
        expected, message = theirs.FromString(data), ours.parse(data)
        assert theirs.FromString(bytes(message)) == expected
        assert {name for name, _ in message.set_fields()} == {field.name for field, _ in expected.ListFields()}
        assert theirs.FromString(bytes(message)) == expected  # also after every field was decoded
        for cut in rng.sample(range(len(data)), min(len(data), 20)):
            try:
                theirs.FromString(data[:cut])
            except Exception:
                with pytest.raises(ValueError, match=r"\w"):
                    _ = [*ours.parse(data[:cut]).set_fields()]


def test_members_of_a_wide_oneof_replace_each_other(large: Fragment) -> None:
    history, part = (large.get(f"messages.test.wide:{name}") for name in ("History", "Part"))
    first, second = bytes(history(f3=part(a=1))), bytes(history(f4=part(b="x")))
    assert which_one_of(history.parse(first + second), "event") == ("f4", part(b="x"))
    assert which_one_of(history.parse(first + second + first), "event") == ("f3", part(a=1))
    merged = history.parse(first + bytes(history(f3=part(b="y"))))
    assert which_one_of(merged, "event") == ("f3", part(a=1, b="y"))


def test_only_the_messages_in_use_of_a_large_file_are_loaded(large: Fragment) -> None:
    code = f"""
import json, sys
sys.path.insert(0, {str(large.root / "out")!r})
from {large.package}.messages.test.many import Item3, Item5
assert Item5.parse(bytes(Item5(Item5=Item5()))).Item5 == Item5()
assert Item3().inner is None
print(json.dumps([m for m in sys.modules if m.startswith({large.package!r})]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    package = large.package
    many = f"{package}.messages.test.many"
    assert sorted(json.loads(done.stdout)) == [
        package,
        f"{package}.messages",
        f"{package}.messages.test",
        many,
        f"{many}._item3",
        f"{many}._item5",
    ]


def test_a_large_module_has_all_its_names(large: Fragment) -> None:
    module = large.load(MANY)
    assert len(module.__all__) == len(set(module.__all__)) == 3 * LARGE + 3
    for name in module.__all__:
        assert getattr(module, name).__name__ == name
        assert name in dir(module)
    assert module.item0 is not module.Item0
    assert (
        module.Item4.parse(bytes(module.Item4(Item4=module.Item4(inner=module.Item4Inner())))).Item4.inner is not None
    )
    with pytest.raises(AttributeError, match="no attribute 'Item99'"):
        _ = module.Item99


async def test_messages_of_large_definitions_are_served(large: Fragment) -> None:
    wide, many = large.load("messages.test.wide"), large.load(MANY)
    service = large.load("services.test.many")

    class Served(service.ManyBase):  # type: ignore[misc,name-defined]
        async def get(self, request: Any, call: Any) -> Any:
            history = wide.History(f70=wide.Part(b=request.id))
            return many.GetResponse(history=history, item=many.Item1(inner=many.Item1Inner()))

    async with await serve([Served()]) as running, Client(running.endpoint, timeout=20) as client:
        reply = await unary(client, service.Many.GET, many.GetRequest(id="x"))
    assert which_one_of(reply.history, "event") == ("f70", wide.Part(b="x"))
    assert reply.item.inner.kind is many.Item1InnerKind.NONE


def test_a_file_may_grow_large_and_shrink_again(fragment: Callable[..., Fragment]) -> None:
    def body(count: int) -> str:
        return proto("".join(f"message Item{i} {{ string name = 1; }}\n" for i in range(count)))

    def written() -> set[str]:
        return {path.relative_to(made.path).as_posix() for path in (made.path / "messages/test").rglob("*.py")}

    made = fragment(body(LARGE - 1)).generate()
    small = {"messages/test/__init__.py", "messages/test/test.py"}
    assert written() == small
    source = made.root / "protos/test/test.proto"
    source.write_text(body(LARGE), encoding="utf-8")
    made.generate()
    assert written() - {f"messages/test/test/_item{i}.py" for i in range(LARGE)} == {
        "messages/test/__init__.py",
        "messages/test/test/__init__.py",
    }
    source.write_text(body(LARGE - 1), encoding="utf-8")
    made.generate()
    assert written() == small
    assert not (made.path / "messages/test/test").exists()


def test_messages_of_a_large_file_can_be_pickled_and_copied(large: Fragment) -> None:
    many = large.load(MANY)
    item = many.Item9(inner=many.Item9Inner(), Item9=many.Item9())
    assert pickle.loads(pickle.dumps(item)) == item
    assert copy.deepcopy(item) == item
    assert {field.name for field in dataclasses.fields(many.Item9)} == {"inner", "Item9"}


def test_a_large_file_may_come_from_another_package(large: Fragment, fragment: Callable[..., Fragment]) -> None:
    mine = proto('import "test/many.proto";\nmessage Box { test.Item2 item = 1; }', package="box")
    files = {"box/box.proto": mine}
    made = fragment(files, f'[input]\nprotos = ["protos"]\ninclude = ["theirs"]\n[extern]\ntest = "{large.package}"\n')
    for name, text in FILES.items():
        path = made.root / "theirs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    box = made.generate().get("messages.box.box:Box")
    assert isinstance(box(item=large.get(f"{MANY}:Item2")()).item, large.get(f"{MANY}:Item2"))
    assert not (made.path / "messages/test").exists()
