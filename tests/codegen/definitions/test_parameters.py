"""Fields of requests that become parameters: lists of well-known messages, and sizes that belong to no page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flyte_codegen.commands.explain import explain
from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

TOML = '[entities.Pen]\nmessage = "test.Pen"\nservice = "test.Pens"\nidentity = "name"\n[entities.Pen.methods]\n'


async def test_several_times(fragment: Callable[..., Fragment]) -> None:
    body = """
        import "google/protobuf/timestamp.proto";
        message Pen { string name = 1; }
        message FillPenRequest { string name = 1; repeated google.protobuf.Timestamp times = 2; }
        message FillPenResponse { Pen pen = 1; }
        service Pens { rpc FillPen(FillPenRequest) returns (FillPenResponse); }
    """
    made = fragment(proto(body), f"{TOML}FillPen = {{}}\n").generate()
    stamp, pen, reply = (
        made.get(f"messages.{path}")
        for path in ("google.protobuf.timestamp:Timestamp", "test.test:Pen", "test.test:FillPenResponse")
    )
    asked: list[Any] = []

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def fill_pen(self, request: Any, call: ServerCall) -> Any:
            asked.append(request)
            return reply(pen=pen(name=request.name))

    times = [stamp.of(datetime(2030, 1, day, tzinfo=UTC)) for day in (1, 2)]
    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        blue = made.get("entities.pen:PenBase")(pen(name="blue"), client)
        parameter = inspect.signature(blue.fill).parameters["times"]
        assert (parameter.annotation, parameter.default) == ("Collection[Timestamp]", ())
        await blue.fill.aio(times=tuple(times))
        await blue.fill.aio()
        with pytest.raises(TypeError, match=r"times takes several values; for one, write times=\(b"):
            await blue.fill.aio(times=b"2030-01-01")
    assert [request.times for request in asked] == [times, []]


def sized(size: str, answered: str = "") -> str:
    """A list whose request has a size and no token."""
    return proto(
        f"""
        message Pen {{ string name = 1; }}
        message ListPensRequest {{ int32 {size} = 1; }}
        message ListPensResponse {{ repeated Pen pens = 1; {answered} }}
        service Pens {{ rpc ListPens(ListPensRequest) returns (ListPensResponse); }}
        """
    )


async def test_a_size_without_a_token_is_sent_as_it_is_given(fragment: Callable[..., Fragment]) -> None:
    made = fragment(sized("max_results"), f"{TOML}ListPens = {{}}\n").generate()
    pen, reply = (made.get(f"messages.test.test:{name}") for name in ("Pen", "ListPensResponse"))
    asked: list[int] = []

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def list_pens(self, request: Any, call: ServerCall) -> Any:
            asked.append(request.max_results)
            return reply(pens=[pen(name=str(n)) for n in range(request.max_results or 9)])

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        entity = made.get("entities.pen:PenBase")
        assert "page_size" not in inspect.signature(entity.listall).parameters
        assert len(await entity.listall(max_results=3, client=client).collect.aio()) == 3
        assert len(await entity.listall(limit=2, client=client).collect.aio()) == 2
    assert asked == [3, 0], "one reply has all, so the limit of items is none of the request's"


@pytest.mark.parametrize(
    ("size", "answered", "told"),
    [
        ("page_size", "", "page_size in the request"),
        ("page_size", "string next_page_token = 2;", "page_size in the request and next_page_token in the reply"),
        ("limit", "string next_page_token = 2;", "next_page_token in the reply"),
    ],
)
def test_a_size_without_a_token_that_needs_an_answer(
    fragment: Callable[..., Fragment],
    mistakes: Callable[[Fragment], list[Diagnostic]],
    size: str,
    answered: str,
    told: str,
) -> None:
    found = mistakes(fragment(sized(size, answered), f"{TOML}ListPens = {{}}\n"))
    assert found[0].message == f"test.Pens.ListPens seems to have pages, of which only the first would be read: {told}"


def test_a_token_without_a_size_makes_no_list(fragment: Callable[..., Fragment]) -> None:
    """Only a name that says so, or a size, makes a list of an RPC."""
    body = """
        message Pen { string name = 1; }
        message Asked { string page_token = 1; }
        message SizedRequest { string page_token = 1; int32 page_size = 2; }
        message Reply { repeated Pen pens = 1; string next_page_token = 2; }
        service Pens {
          rpc LookAround(Asked) returns (Reply);
          rpc LookAhead(SizedRequest) returns (Reply);
        }
    """
    made = fragment(proto(body), f"{TOML}LookAround = {{}}\nLookAhead = {{}}\n")
    assert "  kind       call: " in explain(made.config, "LookAround")
    assert "  kind       list: page_size and page_token in the request" in explain(made.config, "LookAhead")


@pytest.mark.parametrize("size", ["", "uint32 limit = 4;"])
def test_a_listing_request_may_have_no_size(fragment: Callable[..., Fragment], size: str) -> None:
    body = f"""
        enum Direction {{ DESCENDING = 0; ASCENDING = 1; }}
        enum Function {{ EQUAL = 0; VALUE_IN = 1; }}
        message Sort {{ string key = 1; Direction direction = 2; }}
        message Filter {{ Function function = 1; string field = 2; repeated string values = 3; }}
        message ListRequest {{ repeated Sort sorts = 1; repeated Filter filters = 2; string token = 3; {size} }}
        message Pen {{ string name = 1; }}
        message CountPensRequest {{ ListRequest request = 1; }}
        message CountPensResponse {{ int64 count = 1; }}
        service Pens {{ rpc CountPens(CountPensRequest) returns (CountPensResponse); }}
    """
    listing = (
        '[listing]\nrequest = "test.ListRequest"\nfilter = "test.Filter"\nsort = "test.Sort"\n'
        'filters_field = "filters"\nsort_field = "sorts"\n[sort_keys]\nPenKey = ["name"]\n'
    )
    toml = f'{listing}{TOML}CountPens = {{ sort_keys = "PenKey" }}\n'
    made = fragment(proto(body), toml).generate()
    parameters = inspect.signature(made.get("entities.pen:PenBase").count).parameters
    assert ("limit" in parameters) is bool(size)
