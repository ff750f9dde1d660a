"""The parts of a client's scope that an SDK adds: mistakes in the argument, and parts that calls miss."""

from __future__ import annotations

from typing import Any

import pytest

from flyte_rpc.calls.client import Client
from flyte_rpc.errors import InitializationError


@pytest.mark.parametrize(
    ("scope", "kind"), [(["tenant"], "list"), ("tenant", "str"), (("tenant", "a"), "tuple"), (5, "int")]
)
def test_a_scope_that_is_no_mapping(scope: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=rf"^scope takes a mapping of text to text, .*, not {kind}$"):
        Client("http://localhost:1", scope=scope)
    with Client("http://localhost:1") as client, pytest.raises(TypeError, match=f"not {kind}$"):
        client.with_options(scope=scope)


def test_a_missing_part_names_similar_ones() -> None:
    with Client("http://localhost:1", scope={"tennant": "a", "region": "b"}) as client:
        assert client.scope_of({"region": None}, demand=("region",)).region == "b"
        with pytest.raises(InitializationError) as raised:
            client.scope_of({"tenant": None}, demand=("tenant",))
        assert str(raised.value).startswith("No tenant is set. Pass tenant=... to this call, or once to ")
        assert str(raised.value).endswith(" The client's scope has 'tennant' (did you mean 'tenant'?).")
        with pytest.raises(InitializationError) as raised:
            client.scope_of({"shelf": None}, demand=("shelf",))
        assert "The client's scope has" not in str(raised.value)
