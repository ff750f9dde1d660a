from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codec import everything as definition
from codec.oracle import Pair, pairs
from flyte_codegen.definitions.load import load
from support.fragments import Fragment, importable


@pytest.fixture(scope="session")
def everything_types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    """The message types of `everything.proto`, by name."""
    root = tmp_path_factory.mktemp("everything")
    fragment = Fragment(root, {"test/everything.proto": definition.source()}).generate()
    with importable(root):
        found = pairs(load(fragment.config.protos), fragment.package)
        yield {pair.full_name.rpartition(".")[2]: pair for pair in found}


@pytest.fixture(scope="session")
def everything(everything_types: dict[str, Pair]) -> Pair:
    """The message with every kind of field."""
    return everything_types["Everything"]


@pytest.fixture(scope="session")
def Everything(everything: Pair) -> Any:
    """Our class of the message with every kind of field."""
    return everything.ours


@pytest.fixture(scope="session")
def Leaf(everything_types: dict[str, Pair]) -> Any:
    return everything_types["Leaf"].ours


@pytest.fixture(scope="session")
def Colour(Everything: Any) -> Any:
    return Everything.one_colour.target
