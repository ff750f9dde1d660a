"""Text of the definitions in generated code: it stays text."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_codegen import text
from flyte_codegen.definitions.load import load
from flyte_codegen.pipeline import generate
from support.fragments import Fragment, proto

TEXT = st.text(
    st.one_of(st.sampled_from("\"\\\n'{}%$#\t\r\x00\x1b\u2028\U000e0001 abc"), st.characters(exclude_categories=["Cs"]))
)
HOSTILE = [
    'ends with a quote"',
    'ends with quotes"""',
    '"""; import os; """',
    "ends with a backslash\\",
    'backslash and quote\\"',
    "\\\\\\",
    "{{ 1 + 1 }} {% raw %} {# hidden #}",
    "line\rbreaks\x0band\x0cothers\x85and\u2028too",
    "\\N{BULLET} \\x41 \\u0041 %s {braces}",
    "\U0001f680 \u00e9 \u202eabc \U000e0001",
    '"',
    "'",
    "#!",
]


def words(value: str) -> list[str]:
    return value.split()


@given(TEXT, st.sampled_from([0, 4]))
@example('"', 0)
@example('a"""', 0)
@example('\\"', 0)
@example('\\"""', 0)
@example('a"""\\', 4)
@example("\\", 4)
def test_docstrings_evaluate_to_the_text(value: str, indent: int) -> None:
    pad = " " * indent
    tree = ast.parse(f"class A:\n{pad or ' '}{text.docstring(value, indent)}")
    body: Any = tree.body[0]
    assert len(body.body) == 1
    evaluated = ast.literal_eval(body.body[0].value)
    assert words(evaluated) == words(value.strip())


@given(TEXT)
def test_literals_evaluate_to_the_text(value: str) -> None:
    assert ast.literal_eval(text.literal(value)) == value
    assert text.literal([value, 1]) == repr([value, 1])


@given(TEXT)
def test_comments_stay_on_their_line(value: str) -> None:
    assert ast.parse(text.comment(value) + "\n").body == []
    assert len(text.comment(value).splitlines()) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_comments_of_definitions_become_docstrings(fragment: Callable[..., Fragment], hostile: str) -> None:
    body = proto(
        """
enum Kind { NONE = 0; }
message Thing { string name = 1; }
service Things { rpc GetThing(Thing) returns (Thing); }
"""
    )
    made = fragment(body, '[entities.Thing]\nmessage = "test.Thing"\nidentity = "name"\nservice = "test.Things"\n'
        "properties = { name = \"name\" }\n[entities.Thing.methods]\nGetThing = {}\n")  # fmt: skip
    descriptors = load(made.config.protos)
    comment_everything(descriptors, hostile)
    files = generate(made.config, descriptors).files
    seen = 0
    for content in files.values():
        for value in docstrings(content) if content.startswith("#") else ():
            seen += words(value)[: len(words(hostile))] == words(hostile)
    # The file, enum, member, message, field, service, RPC, entity, property and method.
    assert seen >= 9


def comment_everything(descriptors: FileDescriptorSet, comment: str) -> None:
    for file in descriptors.file:
        for location in file.source_code_info.location:
            location.leading_comments = comment


def docstrings(content: str) -> list[str]:
    return [
        node.value.value
        for node in ast.walk(ast.parse(content))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]


def test_names_that_protoc_would_refuse_are_refused(fragment: Callable[..., Fragment]) -> None:
    made = fragment(proto("message Thing { string name = 1; }"))
    for spoil in (
        lambda f: setattr(f.message_type[0], "name", "A: pass\nimport os\nclass B"),
        lambda f: setattr(f.message_type[0].field[0], "name", 'x"]'),
    ):
        descriptors = load(made.config.protos)
        spoil(descriptors.file[0])
        with pytest.raises(Exception, match="is not a valid identifier"):
            generate(made.config, descriptors)


def test_json_names_and_file_names_are_text(fragment: Callable[..., Fragment]) -> None:
    made = fragment(
        {"odd na-me's/2 x.proto": proto('message Thing { string a = 1 [json_name = "\\"] ; \\\\ {{ x }}"]; }')}
    ).generate()
    thing = made.get("messages.odd_na_me_s.n2_x:Thing")
    assert thing(a="1").to_dict() == {'"] ; \\ {{ x }}': "1"}
    assert thing.from_dict({'"] ; \\ {{ x }}': "1"}) == thing(a="1")
