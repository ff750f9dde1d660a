"""TranslatorService of the devbox, by stubs and by the public API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from devbox.calls import Calls, inputs, integer, interface, shell, simple, text
from flyte.errors import InvalidArgumentError
from flyte.remote import TaskDetails
from flyte.types.data.msgpack import pack
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.literals import (
    Binary,
    Blob,
    BlobMetadata,
    Literal,
    LiteralCollection,
    LiteralMap,
    LiteralOffloadedMetadata,
    Primitive,
    Scalar,
    Schema,
    StructuredDataset,
    Union,
    Void,
)
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    BlobTypeBlobDimensionality,
    EnumType,
    Error,
    LiteralType,
    SchemaType,
    SimpleType,
    StructuredDatasetType,
    TypeStructure,
    UnionType,
)
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDataURIsRequest
from flyte_api.messages.flyteidl2.workflow.translator_service import (
    JsonValuesToLiteralsRequest,
    LaunchFormJsonToLiteralsRequest,
    LiteralsToLaunchFormJsonRequest,
    TaskSpecToLaunchFormJsonRequest,
)
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_api.services.flyteidl2.workflow.translator_service import TranslatorService
from flyte_rpc.status import Status


def variables(**types: LiteralType) -> VariableMap:
    return VariableMap(variables=[VariableEntry(key=key, value=Variable(type=kind)) for key, kind in types.items()])


def tagged(kind: LiteralType, tag: str) -> LiteralType:
    kind.structure = TypeStructure(tag=tag)
    return kind


def union(*variants: LiteralType) -> LiteralType:
    return LiteralType(union_type=UnionType(variants=list(variants)))


def optional_int() -> LiteralType:
    return union(tagged(simple(SimpleType.INTEGER), "int"), tagged(simple(SimpleType.NONE), "none"))


def none_of_optional() -> Literal:
    kind = tagged(simple(SimpleType.NONE), "none")
    return scalar(union=Union(value=scalar(none_type=Void()), type=kind))


def scalar(**value: Any) -> Literal:
    return Literal(scalar=Scalar(**value))


MULTIPART = BlobTypeBlobDimensionality.MULTIPART
BLOB = LiteralType(blob=BlobType(format="csv", dimensionality=MULTIPART))
DATASET = LiteralType(structured_dataset_type=StructuredDatasetType(format="parquet"))
DATACLASS = LiteralType(
    simple=SimpleType.STRUCT,
    metadata=Struct.of(
        {
            "title": "Point",
            "type": "object",
            "additionalProperties": False,
            "properties": {"x": {"type": "integer"}, "in": {"type": "object", "properties": {"y": {"type": "string"}}}},
        }
    ),
)
POINT_SCHEMA = {
    "dataclass": "Point",
    "type": "object",
    "properties": {"x": {"type": "integer"}, "in": {"type": "object", "properties": {"y": {"type": "string"}}}},
}


def blob_schema(uri: str = "", form: str = "csv", size: str = "MULTIPART") -> dict[str, Any]:
    dimensionality = {"type": "string", "enum": ["SINGLE", "MULTIPART"], "default": size}
    properties = {
        "uri": {"type": "string", "default": uri},
        "format": {"type": "string", "default": form},
        "dimensionality": dimensionality,
    }
    return {"type": "object", "format": "blob", "properties": properties}


SCHEMAS: list[tuple[LiteralType, dict[str, Any]]] = [
    (simple(SimpleType.STRING), {"type": "string"}),
    (simple(SimpleType.INTEGER), {"type": "integer"}),
    (simple(SimpleType.FLOAT), {"type": "number", "format": "float"}),
    (simple(SimpleType.BOOLEAN), {"type": "boolean"}),
    (simple(SimpleType.DATETIME), {"type": "string", "format": "datetime"}),
    (simple(SimpleType.DURATION), {"type": "string", "format": "duration"}),
    (simple(SimpleType.NONE), {"type": "null"}),
    (simple(SimpleType.BINARY), {"type": "string", "format": "binary"}),
    (simple(SimpleType.ERROR), {"type": "string", "format": "error"}),
    (simple(SimpleType.STRUCT), {"type": "object", "additionalProperties": True}),
    (DATACLASS, POINT_SCHEMA),
    (BLOB, blob_schema()),
    (
        DATASET,
        {
            "type": "object",
            "format": "structured-dataset",
            "properties": {"uri": {"type": "string"}, "format": {"type": "string"}},
        },
    ),
    (
        LiteralType(collection_type=simple(SimpleType.STRING)),
        {"type": "array", "items": {"type": "string"}},
    ),
    (
        LiteralType(map_value_type=LiteralType(collection_type=simple(SimpleType.BOOLEAN))),
        {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "boolean"}}},
    ),
    (LiteralType(enum_type=EnumType(values=["a", "b"])), {"type": "string", "enum": ["a", "b"]}),
    (
        union(tagged(simple(SimpleType.FLOAT), "float"), DATACLASS),
        {
            "format": "union",
            "oneOf": [
                {"type": "number", "format": "float", "title": "number", "structure": "float"},
                {**POINT_SCHEMA, "title": "Point", "structure": ""},
            ],
        },
    ),
]


async def form_of(calls: Calls, variables: VariableMap) -> dict[str, Any]:
    spec = TaskSpec(task_template=TaskTemplate(interface=TypedInterface(inputs=variables)))
    request = TaskSpecToLaunchFormJsonRequest(task_spec=spec)
    reply = await calls.unary(TranslatorService.TASK_SPEC_TO_LAUNCH_FORM_JSON, request)
    assert reply.json is not None
    return reply.json.to_python()


async def filled(calls: Calls, variables: VariableMap, **values: Literal) -> dict[str, Any]:
    request = LiteralsToLaunchFormJsonRequest(variables=variables, literals=inputs(**values).literals)
    reply = await calls.unary(TranslatorService.LITERALS_TO_LAUNCH_FORM_JSON, request)
    assert reply.json is not None
    return reply.json.to_python()


async def read(calls: Calls, **properties: Any) -> list[NamedLiteral]:
    request = LaunchFormJsonToLiteralsRequest(json=Struct.of({"properties": properties}))
    return (await calls.unary(TranslatorService.LAUNCH_FORM_JSON_TO_LITERALS, request)).literals


async def converted(calls: Calls, kind: LiteralType, value: Any) -> Literal:
    request = JsonValuesToLiteralsRequest(variables=variables(x=kind), values=Struct.of({"x": value}))
    [found] = (await calls.unary(TranslatorService.JSON_VALUES_TO_LITERALS, request)).literals
    assert found.name == "x" and found.value is not None
    return found.value


@pytest.mark.parametrize(("kind", "schema"), SCHEMAS, ids=[str(i) for i in range(len(SCHEMAS))])
async def test_schemas_of_types(calls: Calls, kind: LiteralType, schema: dict[str, Any]) -> None:
    assert await form_of(calls, variables(x=kind)) == {
        "type": "object",
        "title": "Launch Form",
        "properties": {"x": schema},
        "required": ["x"],
    }


async def test_descriptions_and_optional_inputs(calls: Calls) -> None:
    known = variables(x=optional_int(), y=simple(SimpleType.STRING), z=simple(SimpleType.STRING))
    for entry in known.variables:
        assert entry.value is not None
        entry.value.description = "y"
    form = await form_of(calls, known)
    assert form["required"] == ["y", "z"]
    assert "description" not in form["properties"]["y"] and form["properties"]["z"]["description"] == "y"
    assert [variant["title"] for variant in form["properties"]["x"]["oneOf"]] == ["integer", "none"]
    assert await form_of(calls, VariableMap()) == {
        "type": "object", "title": "Launch Form", "properties": {}, "required": [],
    }  # fmt: skip


async def test_a_deprecated_type_has_no_form(calls: Calls) -> None:
    with pytest.raises(InvalidArgumentError, match="'x': the type Schema is deprecated"):
        await form_of(calls, variables(x=LiteralType(schema=SchemaType())))


VALUES: list[tuple[LiteralType, Literal, Any]] = [
    (simple(SimpleType.STRING), text(""), ""),
    (simple(SimpleType.INTEGER), integer(0), 0),
    (simple(SimpleType.BOOLEAN), scalar(primitive=Primitive(boolean=False)), False),
    (simple(SimpleType.FLOAT), scalar(primitive=Primitive(float_value=1.5)), 1.5),
    (
        simple(SimpleType.DATETIME),
        scalar(primitive=Primitive(datetime=Timestamp(seconds=1_700_000_000))),
        "2023-11-14T22:13:20Z",
    ),
    (simple(SimpleType.DURATION), scalar(primitive=Primitive(duration=Duration(seconds=3723))), "1h2m3s"),
    (simple(SimpleType.STRUCT), scalar(generic=Struct.of({"a": [1, None]})), {"a": [1, None]}),
    (LiteralType(enum_type=EnumType(values=["a"])), text("a"), "a"),
    (
        LiteralType(collection_type=simple(SimpleType.INTEGER)),
        Literal(collection=LiteralCollection(literals=[integer(1), integer(2)])),
        [1, 2],
    ),
    (
        LiteralType(map_value_type=simple(SimpleType.INTEGER)),
        Literal(map=LiteralMap(literals={"a": integer(1)})),
        {"a": 1},
    ),
    (
        DATASET,
        scalar(
            structured_dataset=StructuredDataset.from_dict(
                {"uri": "file:///x", "metadata": {"structuredDatasetType": {"format": "csv"}}}
            )
        ),
        {"uri": "file:///x", "format": "csv"},
    ),
    (
        optional_int(),
        scalar(union=Union(value=integer(7), type=tagged(simple(SimpleType.INTEGER), "int"))),
        7,
    ),
]


@pytest.mark.parametrize(("kind", "literal", "value"), VALUES, ids=[str(i) for i in range(len(VALUES))])
async def test_values_in_all_directions(calls: Calls, kind: LiteralType, literal: Literal, value: Any) -> None:
    form = await filled(calls, variables(x=kind), x=literal)
    assert form["properties"]["x"]["default"] == value
    assert await converted(calls, kind, value) == literal
    [again] = await read(calls, **form["properties"])
    assert again == NamedLiteral(name="x", value=literal)


async def test_blobs_carry_their_values_in_the_properties(calls: Calls) -> None:
    literal = scalar(blob=Blob(uri="file:///x", metadata=BlobMetadata(type=BlobType(format="txt"))))
    form = await filled(calls, variables(x=BLOB), x=literal)
    assert form["properties"]["x"] == blob_schema("file:///x", "txt", "SINGLE")
    assert await read(calls, **form["properties"]) == [NamedLiteral(name="x", value=literal)]
    value = {"uri": "file:///x", "format": "txt", "dimensionality": "SINGLE"}
    assert await converted(calls, BLOB, value) == literal
    for number in (0, "0"):
        assert await converted(calls, BLOB, {**value, "dimensionality": number}) == literal


async def test_binary_values(calls: Calls) -> None:
    known = variables(x=simple(SimpleType.STRUCT))
    data = pack({"a": [1, {2: b"x"}, True]})
    form = await filled(calls, known, x=scalar(binary=Binary(value=data, tag="msgpack")))
    assert form["properties"]["x"]["default"] == {"a": [1, {"2": "eA=="}, True]}
    form = await filled(calls, known, x=scalar(binary=Binary(value=b"\xc1\xff")))
    assert form["properties"]["x"]["default"] == "wf8="


async def test_none_is_optional(calls: Calls) -> None:
    form = await filled(calls, variables(x=optional_int()), x=none_of_optional(), other=integer(1))
    assert list(form["properties"]) == ["x"]
    assert form["properties"]["x"]["default"] == {"type": "null"} and form["required"] == []
    assert await read(calls, **form["properties"]) == [NamedLiteral(name="x", value=none_of_optional())]
    for null in (None, {"type": "null"}):
        assert await converted(calls, optional_int(), null) == none_of_optional()
    plain = await filled(calls, variables(x=simple(SimpleType.NONE)), x=scalar(none_type=Void()))
    assert plain["required"] == []


async def test_literals_without_a_json_form(calls: Calls) -> None:
    known = variables(x=simple(SimpleType.ERROR))
    for literal in (
        scalar(error=Error(message="no")),
        scalar(schema=Schema()),
        Literal(offloaded_metadata=LiteralOffloadedMetadata(uri="x")),
    ):
        request = LiteralsToLaunchFormJsonRequest(variables=known, literals=inputs(x=literal).literals)
        await calls.refused(Status.UNIMPLEMENTED, TranslatorService.LITERALS_TO_LAUNCH_FORM_JSON, request)
    request = LiteralsToLaunchFormJsonRequest(variables=known, literals=[NamedLiteral(name="x")])
    await calls.refused(Status.INVALID_ARGUMENT, TranslatorService.LITERALS_TO_LAUNCH_FORM_JSON, request)


async def test_forms_without_values(calls: Calls) -> None:
    nested = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string", "default": "x"}}}
    form = (await form_of(calls, variables(o=optional_int())))["properties"]
    found = await read(
        calls,
        missing={"type": "integer"},
        nested={"type": "object", "properties": {"in": nested, "c": {"type": "string"}}},
        open={"type": "object", "properties": {"a": {"type": "integer", "default": 1}}, "additionalProperties": True},
        **form,
    )
    assert found == [
        NamedLiteral(name="nested", value=scalar(generic=Struct.of({"in": {"b": "x"}}))),
        NamedLiteral(name="o", value=none_of_optional()),
    ]


@pytest.mark.parametrize(
    "property",
    [
        "text",
        {},
        {"oneOf": "x"},
        {"oneOf": [1]},
        {"type": "integer", "default": "x"},
        {"type": "integer", "default": 1.5},
    ],
)
async def test_broken_forms(calls: Calls, property: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="'x'"):
        await read(calls, x=property)
    request = LaunchFormJsonToLiteralsRequest(json=Struct.of({}))
    await calls.refused(Status.INVALID_ARGUMENT, TranslatorService.LAUNCH_FORM_JSON_TO_LITERALS, request)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (simple(SimpleType.STRING), 1),
        (simple(SimpleType.INTEGER), True),
        (simple(SimpleType.INTEGER), 2.0**63),
        (simple(SimpleType.INTEGER), None),
        (simple(SimpleType.FLOAT), "1"),
        (simple(SimpleType.BOOLEAN), 1),
        (simple(SimpleType.DATETIME), 1),
        (simple(SimpleType.DURATION), "soon"),
        (simple(SimpleType.DURATION), 1e300),
        (simple(SimpleType.STRUCT), []),
        (simple(SimpleType.BINARY), "eA=="),
        (LiteralType(enum_type=EnumType(values=["a"])), ["a"]),
        (LiteralType(collection_type=simple(SimpleType.STRING)), "x"),
        (LiteralType(collection_type=simple(SimpleType.STRING)), [None]),
        (LiteralType(map_value_type=simple(SimpleType.STRING)), []),
        (BLOB, {"uri": "x", "format": "y"}),
        (BLOB, {"uri": "x", "format": "y", "dimensionality": "BOTH"}),
        (DATASET, {"uri": "x"}),
        (optional_int(), "x"),
        (LiteralType(schema=SchemaType()), "x"),
    ],
)
async def test_values_that_do_not_fit(calls: Calls, kind: LiteralType, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="the input 'x'"):
        await converted(calls, kind, value)


async def test_values_of_several_inputs(calls: Calls) -> None:
    known = variables(a=simple(SimpleType.DURATION), b=optional_int())
    request = JsonValuesToLiteralsRequest(variables=known, values=Struct.of({"a": 90, "extra": 1}))
    reply = await calls.unary(TranslatorService.JSON_VALUES_TO_LITERALS, request)
    ninety = scalar(primitive=Primitive(duration=Duration(seconds=90)))
    assert reply.literals == [NamedLiteral(name="a", value=ninety), NamedLiteral(name="b", value=none_of_optional())]
    for bad in (
        JsonValuesToLiteralsRequest(variables=known),
        JsonValuesToLiteralsRequest(variables=known, values=Struct.of({"b": 1})),
    ):
        await calls.refused(Status.INVALID_ARGUMENT, TranslatorService.JSON_VALUES_TO_LITERALS, bad)
    nothing = JsonValuesToLiteralsRequest(values=Struct.of({"a": 1}))
    assert (await calls.unary(TranslatorService.JSON_VALUES_TO_LITERALS, nothing)).literals == []


async def test_stored_inputs_of_an_action(calls: Calls) -> None:
    known = variables(x=simple(SimpleType.INTEGER))
    spec = shell("true")
    assert spec.task_template is not None
    spec.task_template.interface = interface(known)
    details = await calls.run(spec, inputs=inputs(x=integer(3)))
    uris = await calls.unary(RunService.GET_ACTION_DATA_URIS, GetActionDataURIsRequest(action_id=details.id))
    request = LiteralsToLaunchFormJsonRequest(variables=known, literals_uri=uris.inputs_uri, action_id=details.id)
    reply = await calls.unary(TranslatorService.LITERALS_TO_LAUNCH_FORM_JSON, request)
    assert reply.json is not None and reply.json.to_python()["properties"]["x"]["default"] == 3
    rpc, invalid = TranslatorService.LITERALS_TO_LAUNCH_FORM_JSON, Status.INVALID_ARGUMENT
    request.literals_uri += "x"
    await calls.refused(invalid, rpc, request)
    await calls.refused(invalid, rpc, LiteralsToLaunchFormJsonRequest(literals_uri=uris.inputs_uri))
    trigger = LiteralsToLaunchFormJsonRequest(literals_uri="x", trigger_id=TriggerIdentifier())
    await calls.refused(Status.UNIMPLEMENTED, rpc, trigger)


@pytest.fixture
async def task(calls: Calls) -> AsyncGenerator[TaskDetails]:
    spec = TaskSpec(
        task_template=TaskTemplate(
            interface=TypedInterface(inputs=variables(n=simple(SimpleType.INTEGER), when=optional_int()))
        )
    )
    yield TaskDetails(TaskDetailsMessage(spec=spec), calls.client)


async def test_the_public_methods(task: TaskDetails) -> None:
    form = await task.launch_form.aio()
    assert form["required"] == ["n"]
    form = await task.launch_form.aio({"n": 3})
    assert form["properties"]["n"] == {"type": "integer", "default": 3}
    literals = await TaskDetails.literals_of_form.aio(form, client=task.client)
    assert literals == await task.literals_of.aio({"n": 3})
    assert {item.name: item.value for item in literals} == {"n": integer(3), "when": none_of_optional()}
