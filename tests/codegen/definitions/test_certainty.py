"""Definitions that fit more than one method: the generator picks the certain one, or refuses with the line to add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

Mistakes = Callable[[Fragment], list[Diagnostic]]
Make = Callable[..., Fragment]

TOML = """
[entities.Thing]
message = "test.Thing"
service = "test.Things"
"""


def things(body: str) -> str:
    return proto(f"message ThingId {{ string name = 1; }}\nmessage Thing {{ ThingId id = 1; string name = 2; }}\n{body}")


def refusal(fragment: Fragment, mistakes: Mistakes) -> str:
    (found,) = mistakes(fragment)
    return str(found)


@pytest.mark.parametrize("name", ["Getter", "Creates", "Getaway"])
def test_a_verb_is_a_whole_word(fragment: Make, name: str) -> None:
    body = f"message Request {{ string name = 1; }} service Things {{ rpc {name}(Request) returns (Thing); }}"
    made = fragment(things(body), f"{TOML}methods.{name} = {{}}\n").generate()
    base = made.get("entities.thing:ThingBase")
    method = getattr(base, name.lower())
    assert not hasattr(base, "get") and not hasattr(base, "create")
    assert "The reply of the server." in method.__doc__


@pytest.mark.parametrize("name", ["Listen", "Watchdog"])
def test_a_stream_is_named_by_a_whole_word(fragment: Make, mistakes: Mistakes, name: str) -> None:
    body = f"message Request {{}} service Things {{ rpc {name}(Request) returns (stream Thing); }}"
    told = refusal(fragment(things(body), f"{TOML}methods.{name} = {{}}\n"), mistakes)
    assert f"test.Things.{name} streams its replies, and nothing says whether it ends by itself" in told
    toml = f'{TOML}methods.{name} = {{ kind = "stream", on = "class" }}\n'
    assert hasattr(fragment(things(body), toml).generate().get("entities.thing:ThingBase"), name.lower())


@pytest.mark.parametrize("name", ["Get", "Get2", "GetThing", "Get_Thing"])
def test_a_verb_may_stand_alone(fragment: Make, name: str) -> None:
    body = f"message Request {{ string name = 1; }} service Things {{ rpc {name}(Request) returns (Thing); }}"
    made = fragment(things(body), f"{TOML}methods.{name} = {{}}\n").generate()
    assert hasattr(made.get("entities.thing:ThingBase"), "get")
