"""TranslatorService: forms and values."""

from __future__ import annotations

from typing import Any

from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_api.messages.flyteidl2.workflow.translator_service import (
    JsonValuesToLiteralsRequest,
    JsonValuesToLiteralsResponse,
    LaunchFormJsonToLiteralsRequest,
    LaunchFormJsonToLiteralsResponse,
    LiteralsToLaunchFormJsonRequest,
    LiteralsToLaunchFormJsonResponse,
    TaskSpecToLaunchFormJsonRequest,
    TaskSpecToLaunchFormJsonResponse,
)
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_api.services.flyteidl2.workflow.translator_service import TranslatorServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


def integer(name: str, value: float) -> NamedLiteral:
    """A whole number as a value of that name."""
    return NamedLiteral(name=name, value=Literal(scalar=Scalar(primitive=Primitive(integer=int(value)))))


class Translator(TranslatorServiceBase):
    """Knows whole numbers only."""

    async def task_spec_to_launch_form_json(
        self, request: TaskSpecToLaunchFormJsonRequest, call: ServerCall
    ) -> TaskSpecToLaunchFormJsonResponse:
        assert request.task_spec is not None and request.task_spec.task_template is not None
        interface = request.task_spec.task_template.interface
        assert interface is not None and interface.inputs is not None
        properties: dict[str, Any] = {entry.key: {"type": "integer"} for entry in interface.inputs.variables}
        return TaskSpecToLaunchFormJsonResponse(json=Struct.of({"type": "object", "properties": properties}))

    async def literals_to_launch_form_json(
        self, request: LiteralsToLaunchFormJsonRequest, call: ServerCall
    ) -> LiteralsToLaunchFormJsonResponse:
        assert request.variables is not None
        values = {item.name: _number(item) for item in request.literals}
        properties = {e.key: {"type": "integer", "default": values.get(e.key)} for e in request.variables.variables}
        return LiteralsToLaunchFormJsonResponse(json=Struct.of({"type": "object", "properties": properties}))

    async def launch_form_json_to_literals(
        self, request: LaunchFormJsonToLiteralsRequest, call: ServerCall
    ) -> LaunchFormJsonToLiteralsResponse:
        assert request.json is not None
        form = request.json.to_python()
        literals = [integer(name, shape["default"]) for name, shape in form["properties"].items()]
        return LaunchFormJsonToLiteralsResponse(literals=literals)

    async def json_values_to_literals(
        self, request: JsonValuesToLiteralsRequest, call: ServerCall
    ) -> JsonValuesToLiteralsResponse:
        assert request.variables is not None and request.values is not None
        known = {entry.key for entry in request.variables.variables}
        values = request.values.to_python()
        for name in values:
            if name not in known:
                abort(Status.INVALID_ARGUMENT, f"there is no input {name}")
        return JsonValuesToLiteralsResponse(literals=[integer(name, value) for name, value in values.items()])


def _number(item: NamedLiteral) -> int | None:
    assert item.value is not None and item.value.scalar is not None and item.value.scalar.primitive is not None
    return item.value.scalar.primitive.integer
