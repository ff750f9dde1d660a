"""Deprecated definitions warn at the line that uses them, and nowhere else."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import betterproto2
import pytest

from flyte_codegen.definitions.deprecations import instead, noted
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.deprecation import quietly
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, importable, proto

TOOLS = proto(
    """
enum Edge {
  EDGE_UNSPECIFIED = 0;
  EDGE_SHARP = 1;
  // Ground away. Use `EDGE_SHARP`.
  EDGE_BLUNT = 2 [deprecated = true];
}

message Maker { string name = 1; }

message Tool {
  string name = 1;
  // Deprecated: use `name` instead
  string label = 2 [deprecated = true];
  // Who made it. Set `makers`.
  Maker maker = 3 [deprecated = true];
  repeated Maker makers = 4;
  Edge edge = 5 [deprecated = true];
  repeated int32 sizes = 6 [deprecated = true];
  map<string, Maker> by_name = 7 [deprecated = true];
  optional int32 weight = 8 [deprecated = true];
  oneof price { string text = 9 [deprecated = true]; int64 cents = 10; }
}

message ToolRequest { string name = 1; }
message ListRequest { int32 page_size = 1; string page_token = 2; }
message ListReply { repeated Tool tools = 1; string next_page_token = 2; }
message Empty {}

service Tools {
  rpc GetTool(ToolRequest) returns (Tool);
  // Fetches a tool. Use `GetTool` instead.
  rpc GetOld(ToolRequest) returns (Tool) { option deprecated = true; }
  rpc ListOld(ListRequest) returns (ListReply) { option deprecated = true; }
  rpc WatchOld(ToolRequest) returns (stream Tool) { option deprecated = true; }
  rpc SharpenTool(ToolRequest) returns (Empty) { option deprecated = true; }
}
"""
)

TOML = """
[entities.Tool]
message = "test.Tool"
service = "test.Tools"
identity = "name"

[entities.Tool.properties]
name = "name"

[entities.Tool.methods]
GetTool = { name = "get" }
GetOld = { name = "get_old", kind = "get" }
ListOld = { name = "old", kind = "list", items = "tools" }
WatchOld = { name = "watch_old" }
SharpenTool = { name = "sharpen", kind = "call" }
"""

NAMES = ("label", "maker", "edge", "sizes", "by_name", "weight", "text")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragment]:
    root = tmp_path_factory.mktemp("tools")
    with importable(root):
        yield Fragment(root, {"test/test.proto": TOOLS}, TOML).generate()


@pytest.fixture(scope="module")
def pb(tools: Fragment) -> Any:
    return tools.load("messages.test.test")


@pytest.fixture
async def client(tools: Fragment, pb: Any) -> AsyncGenerator[Client, None]:
    class Server(tools.get("services.test.tools:ToolsBase")):  # type: ignore[misc]
        async def get_tool(self, request: Any, call: ServerCall) -> Any:
            return pb.Tool(name=request.name)

        async def get_old(self, request: Any, call: ServerCall) -> Any:
            return pb.Tool(name=request.name)

        async def list_old(self, request: Any, call: ServerCall) -> Any:
            return pb.ListReply(tools=[pb.Tool(name="a"), pb.Tool(name="b")])

        async def watch_old(self, request: Any, call: ServerCall) -> AsyncIterator[Any]:
            yield pb.Tool(name=request.name)
            await asyncio.Event().wait()

        async def sharpen_tool(self, request: Any, call: ServerCall) -> Any:
            return pb.Empty()

    async with await serve([Server()]) as running, Client(running.endpoint, timeout=20) as made:
        yield made


@pytest.fixture
def Tool(tools: Fragment) -> Any:
    return tools.get("entities.tool:ToolBase")


def full(pb: Any) -> Any:
    """Create a message with every deprecated field set, without a warning."""
    made = {"name": "saw", "label": "x", "maker": {"name": "m"}, "edge": 1, "sizes": [1], "weight": 0, "text": "t"}
    return pb.Tool.from_dict({**made, "by_name": {"k": {"name": "n"}}})


@contextmanager
def told() -> Iterator[Callable[[], list[str]]]:
    """Collect the warnings in the block. Each must come from a line of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def texts() -> list[str]:
            assert [w.filename for w in caught] == [__file__] * len(caught)
            lines = Path(__file__).read_text("utf-8").splitlines()
            assert all("# here" in lines[w.lineno - 1] for w in caught)
            found = [str(w.message) for w in caught if w.category is DeprecationWarning]
            caught.clear()
            return found

        yield texts


# --- RPCs --------------------------------------------------------------------------------------------------------------


async def test_awaiting_warns_where_the_method_is_called(Tool: Any, client: Client) -> None:
    with told() as texts:
        tool = await Tool.get_old.aio("saw", client=client)  # here
        assert texts() == ["get_old() calls Tools.GetOld, which is deprecated. Use `GetTool` instead."]
        task = asyncio.create_task(Tool.get_old.aio("saw", client=client))  # here
        assert len(texts()) == 1
        assert (await task, texts()) == (tool, [])
        saw = await Tool.get.aio("saw", client=client)
        await saw.sharpen.aio()  # here
        assert texts() == ["sharpen() calls Tools.SharpenTool, which is deprecated."]


async def test_blocking_warns_where_the_method_is_called(Tool: Any, client: Client) -> None:
    saw = await Tool.get.aio("saw", client=client)

    def use() -> None:
        Tool.get_old("saw", client=client)  # here
        saw.sharpen()  # here
        assert [t.name for t in Tool.old(client=client)] == ["a", "b"]  # here
        for tool in saw.watch_old():  # here
            assert tool.name == "saw"
            break
        Tool.get("saw", client=client)

    with told() as texts:
        await asyncio.to_thread(use)
        assert [text.partition("(")[0] for text in texts()] == ["get_old", "sharpen", "old", "watch_old"]


async def test_pagers_and_watches_warn_once_where_they_are_made(Tool: Any, client: Client) -> None:
    saw = await Tool.get.aio("saw", client=client)
    with told() as texts:
        listing, awaited = Tool.old(client=client), Tool.old.aio(client=client)  # here
        assert len(texts()) == 2
        assert [[t.name async for t in pager] for pager in (listing, awaited)] == [["a", "b"], ["a", "b"]]
        assert len(await listing.collect.aio()) == 2
        watch = saw.watch_old.aio()  # here
        assert len(texts()) == 1
        async with watch:
            assert (await anext(aiter(watch))).name == "saw"
        assert texts() == []


async def test_a_line_that_is_run_again_warns_once(Tool: Any, client: Client) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            await Tool.get_old.aio("saw", client=client)
        assert len(caught) == 1
        await Tool.get_old.aio("saw", client=client)
        assert len(caught) == 2


async def test_methods_made_of_it_are_to_be_mended_by_who_made_them(Tool: Any, client: Client) -> None:
    """The warning points to the subclass that calls a deprecated method, not to the caller of the subclass."""

    class Own(Tool):  # type: ignore[misc]
        async def again(self) -> Any:
            return await type(self).get_old.aio(self.name, client=client)  # here

    with told() as texts:
        await (await Own.get.aio("saw", client=client)).again()
        assert len(texts()) == 1


def test_what_an_rpc_says_of_itself(tools: Fragment, Tool: Any) -> None:
    rpcs = tools.get("services.test.tools:Tools")
    assert (rpcs.GET_TOOL.deprecated, rpcs.LIST_OLD.deprecated) == (None, "")
    assert rpcs.GET_OLD.deprecated == rpcs.GET_OLD.repeatable().deprecated == "Use `GetTool` instead."
    assert "Use `GetTool` instead" in Tool.get_old.__deprecated__
    assert not hasattr(Tool.get, "__deprecated__")
    assert Tool.get_old.__doc__.startswith("Deprecated. Fetches a tool. Use `GetTool` instead.")


def test_python_shows_the_line_of_the_script(tools: Fragment, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"from {tools.package}.entities.tool import ToolBase\n"
        f"from {tools.package}.messages.test.test import Tool\n"
        "import flyte\n"
        "try:\n"
        "    ToolBase.get_old('saw', client=flyte.Client('http://127.0.0.1:1', timeout=5))\n"
        "except flyte.errors.EndpointError:\n"
        "    pass\n"
        "Tool(label='x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(tools.path.parent)},
    )
    shown = [line.partition("script.py:")[2] for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert shown == [
        "5: DeprecationWarning: get_old() calls Tools.GetOld, which is deprecated. Use `GetTool` instead.",
        "8: DeprecationWarning: Tool.label is deprecated. Use `name` instead.",
    ]


# --- fields ------------------------------------------------------------------------------------------------------------


def test_constructing_assigning_and_reading_warn(pb: Any) -> None:
    with told() as texts:
        tool = pb.Tool(name="saw", label="x")  # here
        assert texts() == ["Tool.label is deprecated. Use `name` instead."]
        tool.maker = pb.Maker(name="m")  # here
        assert texts() == ["Tool.maker is deprecated. Set `makers`."]
        assert tool.maker.name == "m"  # here
        assert getattr(tool, "label") == "x"  # noqa: B009  # here
        assert len(texts()) == 2
        assert (tool.name, tool.makers, tool.cents) == ("saw", [], None)
        tool.name, tool.makers, tool.cents = "axe", [pb.Maker(name="m")], 5
        assert texts() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_deprecated_field_of_each_kind_works_as_before(pb: Any, name: str) -> None:
    parsed, made, empty = pb.Tool.parse(bytes(full(pb))), full(pb), pb.Tool()
    with told() as texts:
        value = getattr(parsed, name)  # here
        assert value == getattr(made, name) == getattr(copy.deepcopy(made), name)  # here
        assert getattr(parsed, name) is value  # here
        setattr(empty, name, value)  # here
        assert getattr(empty, name) == value  # here
        assert len(texts()) == 6
        setattr(empty, name, None)
        assert texts() == []
    assert empty == pb.Tool()
    with pytest.warns(DeprecationWarning, match=f"Tool.{name} "), pytest.raises(TypeError, match=f"Tool.{name} takes"):
        pb.Tool(**{name: object()})
    assert not empty.is_set(name) and full(pb).is_set(name)


def test_what_is_not_set_reads_as_before(pb: Any) -> None:
    assert [quietly(pb.Tool(), name) for name in NAMES] == ["", None, 0, [], {}, None, None]
    with pytest.raises(AttributeError):
        quietly(pb.Tool(), "colour")


def test_a_list_that_is_read_first_can_be_added_to(pb: Any) -> None:
    tool = pb.Tool()
    quietly(tool, "sizes").append(3)
    assert pb.Tool.parse(bytes(tool)).to_dict() == {"sizes": [3]}


def test_what_deals_with_whole_messages_is_silent(pb: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tool = full(pb)
        again = pb.Tool.parse(bytes(tool))
        assert again == tool == copy.copy(tool) == copy.deepcopy(tool) == pickle.loads(pickle.dumps(tool))
        assert repr(again) == repr(tool)
        assert all(f"{name}=" in repr(tool) for name in NAMES)
        assert pb.Tool.from_dict(again.to_dict(include_default_values=True)) == tool
        assert pb.Tool.from_json(again.to_json()) == tool
        assert dict(tool.set_fields())["label"] == "x"
        assert betterproto2.which_one_of(tool, "price") == ("text", "t")
        assert bool(tool) and tool.is_set("label") and dir(tool)
        assert (tool != pb.Tool(name="saw")) is True


def test_enum_values_say_it_in_their_docstrings(tools: Fragment) -> None:
    source = (tools.path / "messages/test/test.py").read_text("utf-8")
    assert 'BLUNT = 2\n    """Deprecated. Ground away. Use `EDGE_SHARP`."""' in source
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tools.get("messages.test.test:Edge").BLUNT == 2


@pytest.mark.parametrize(
    ("doc", "said"),
    [
        ("", ""),
        ("The old way.", ""),
        ("Fetches data. Use `Other.Get`.", "Use `Other.Get`."),
        ("Deprecated: use `name` instead", "Use `name` instead."),
        ("DEPRECATED. Replaced by `x`. Kept for\nold clients.", "Replaced by `x`."),
        ("A set of houses in use.", ""),
        ("Deprecated in 2.0; use `x`.", "In 2.0; use `x`."),
        ("Dropped in favor of `x`.", "Dropped in favor of `x`."),
        ("Deprecated, see `y`!", "See `y`."),
    ],
)
def test_advice_is_the_last_sentence_that_gives_any(doc: str, said: str) -> None:
    assert instead(doc) == said


def test_docstrings_say_it_once() -> None:
    assert noted("Fetch.", True) == "Deprecated. Fetch."
    assert noted("deprecated: use x", True) == "deprecated: use x"
    assert (noted("Fetch.", False), noted("", True)) == ("Fetch.", "Deprecated.")
