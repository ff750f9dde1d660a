"""Every method that makes a call takes `timeout=`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import flyte
import flyte.remote
from flyte.remote import Run
from flyte_api import exports
from flyte_rpc.calls.client import Client
from flyte_rpc.sync.decorators import Blocking, Streaming

_EXCEPT = {
    # Their keyword arguments are inputs of the task. with_runcontext(timeout=...).run and call_options limit the calls.
    "run",
    "Run.rerun",
    "Runner.run",
    "Runner.rerun",
    "rerun",
    # Its keyword `timeout` is the setting of the task. Call fetch(timeout=...) first.
    "LazyEntity.override",
    # They read what was fetched, and make no call.
    "Artifact.to_python",
    "Artifact.coerce_to_literal",
}
_BAD: list[tuple[Any, type[Exception]]] = [
    (0, ValueError),
    (-1.5, ValueError),
    (float("nan"), ValueError),
    (float("inf"), ValueError),
    (timedelta(seconds=-1), ValueError),
    (True, TypeError),
    ("5", TypeError),
]


def _owners() -> Iterator[type]:
    for name in flyte.remote.__all__:
        found = getattr(flyte.remote, name)
        if isinstance(found, type):
            yield found
    yield type(flyte.with_runcontext())
    # Listings fetch with first() and collect(); their limit is that of the method that made them.


def _methods() -> dict[str, Any]:
    """All public methods with a blocking and an async form, and functions, by name."""
    found: dict[str, Any] = {}
    for owner in _owners():
        for name in dir(owner):
            member = getattr(owner, name, None)
            if not name.startswith("_") and isinstance(member, (Blocking, Streaming)):
                found[f"{owner.__name__}.{name}"] = member
    for module in (flyte, flyte.remote):
        for name in module.__all__:
            member = getattr(module, name)
            if isinstance(member, (Blocking, Streaming)):
                found[name] = member
    return found


METHODS = _methods()
TIMED = sorted(METHODS.keys() - _EXCEPT)


def test_the_walk_finds_the_methods() -> None:
    assert {"Run.get", "Run.listall", "Run.watch", "Action.abort", "LazyEntity.fetch", "upload_file"} <= METHODS.keys()
    assert METHODS.keys() >= _EXCEPT, "an exception that no longer exists"
    public = {path.partition(":")[2] for path in exports.EXPORTS.values()}
    assert public <= {owner.__name__ for owner in _owners()}


@pytest.mark.parametrize("name", TIMED)
def test_both_forms_take_a_timeout(name: str) -> None:
    for form in (METHODS[name], METHODS[name].aio):
        parameter = inspect.signature(form).parameters["timeout"]
        assert parameter.default is None or name.startswith("upload_")
        documented = inspect.getdoc(METHODS[name]) or ""
        assert "timeout:" in documented, "is not documented"


_PLAIN = {"str": "x", "str | None": "x", "int": 1, "bool": True, "Mapping[str, object]": {}, "Mapping[str, Any]": {}}


_WITH_TWO_NAMES = ("id", "path", "for_run_name")


def _call(name: str, client: Client, timeout: object) -> Any:
    """Call the blocking form of a method, with arguments that are just good enough."""
    owner, _, method = name.partition(".")
    kind: Any = getattr(flyte.remote, owner, None)
    bound = METHODS[name]
    given: dict[str, Any] = {"timeout": timeout}
    parameters = inspect.signature(bound).parameters
    if "self" in parameters:
        entity = flyte.remote.Task.get("t", version="1") if owner == "LazyEntity" else kind._of(None, client)
        bound = getattr(entity, method)
        parameters = inspect.signature(bound).parameters
    elif "client" in parameters:
        given["client"] = client
    # An argument with two names has a default under each.
    plain = [
        p
        for p in parameters.values()
        if (p.default is p.empty or p.name in _WITH_TWO_NAMES) and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    values = {p.name: _PLAIN.get(str(p.annotation)) for p in plain}
    positional = [values.pop(p.name) for p in plain if p.kind is p.POSITIONAL_ONLY]
    return bound(*positional, **values, **given)


_NAMED = {"Trigger.revisions", "TriggerDetails.revisions"}
"""Methods that refuse an entity without a name first."""


@pytest.mark.parametrize("name", [name for name in TIMED if not name.startswith("upload_") and name not in _NAMED])
def test_zero_is_refused_before_the_call(name: str) -> None:
    records: list[object] = []
    client = Client("http://127.0.0.1:1", project="p", domain="d", on_call=records.append)
    with client, flyte.use_client(client), pytest.raises(ValueError, match=r"^timeout is 0; it must be a positive"):
        _call(name, client, 0)
    assert records == []


@pytest.mark.parametrize(("value", "error"), _BAD, ids=[repr(value) for value, _ in _BAD])
async def test_an_unusable_timeout_is_refused_before_the_call(value: Any, error: type[Exception]) -> None:
    records: list[object] = []
    async with Client("http://127.0.0.1:1", project="p", domain="d", on_call=records.append) as client:
        with flyte.use_client(client):
            with pytest.raises(error, match=r"^timeout (is|takes)"):
                await Run.get.aio("r1", timeout=value)
            with pytest.raises(error, match=r"^timeout (is|takes)"):
                Run.listall(timeout=value)
            with pytest.raises(error, match=r"^timeout (is|takes)"):
                Run.watchall(timeout=value)
            with pytest.raises(error, match=r"^timeout (is|takes)"):
                flyte.with_runcontext(timeout=value)
            with pytest.raises(error, match=r"^timeout (is|takes)"):
                flyte.call_options(timeout=value)
    assert records == []
