"""Comments of definitions in docstrings: wrapped at spaces only, with their lists, and without losing a character."""

from __future__ import annotations

import ast
import doctest
import inspect
from collections.abc import Callable

import pytest

from flyte_codegen import text
from support.fragments import Fragment, proto

URL = "https://docs.example.com/a-rather-long-name-with-hyphens/that-goes-on-and-on/" + "and-on-" * 6 + "end"
CODE = "`--filter-by-a-very-long-option-name=some-value-with-hyphens-in-it`"
BODY = f"""
message Item {{ string name = 1; }}
message ListItemsRequest {{
  // How to sort. The fields are:
  //
  // - `name`
  // - `size`, in bytes
  //
  // Others are errors.
  string order_by = 1;
  // See {URL} for the well-known syntax of such expressions, which has many words so that it must be wrapped somewhere.
  string query = 2;
}}
message ListItemsResponse {{ repeated Item items = 1; }}
service Items {{
  // List items, as {CODE} does; the documentation is at {URL}, and it tells state-of-the-art users more about it.
  rpc ListItems(ListItemsRequest) returns (ListItemsResponse);
}}
"""
TOML = """
[entities.Item]
message = "test.Item"
service = "test.Items"
identity = "name"
[entities.Item.methods]
ListItems = {}
"""


def test_docstrings_keep_urls_code_and_lists(fragment: Callable[..., Fragment]) -> None:
    made = fragment(proto(BODY), TOML).generate()
    source = inspect.getsource(made.load("entities.item"))
    assert f"{URL}," in source
    assert CODE in source
    assert "state-of-the-art" in source
    assert f"See {URL}" in " ".join(source.split())
    assert "The fields are: `name`; `size`, in bytes" in " ".join(source.split())
    assert max(len(line) for line in source.splitlines() if URL not in line) <= 120


@pytest.mark.parametrize(
    ("comment", "sentence"),
    [
        ("", ""),
        ("One.\n\nTwo.", "One."),
        ("Over two\nlines.", "Over two lines."),
        ("The fields are:\n- a;\n- b", "The fields are: a; b"),
        ("The fields are:\n\n1. a\n   and more\n\n2. b\n\nThat is all.", "The fields are: a and more; b"),
        ("A filter. For example:\n\n    a = 1", "A filter."),
        ("Example:\n\n    a = 1", "Example."),
    ],
)
def test_the_first_paragraph_is_one_line(comment: str, sentence: str) -> None:
    assert text.sentence(comment) == sentence


def test_the_examples_in_the_docstrings() -> None:
    tested = doctest.testmod(text)
    assert (tested.failed, tested.attempted > 0) == (0, True)


@pytest.mark.parametrize("value", ["\\'", "it's", 'it\'s "both"', "\\\\'\"", 'a"b\\'])
def test_quotes_and_backslashes_survive(value: str) -> None:
    assert ast.literal_eval(text.literal(value)) == value
