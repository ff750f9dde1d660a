"""TranslatorService."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from flyte.devbox.data.blobs import BlobError
from flyte.devbox.keys import ActionKey
from flyte.devbox.services import data_uris
from flyte.devbox.shared_state import SharedState
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral, Outputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
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
from flyte_rpc.codec.wire import DecodeError, EncodeError
from flyte_rpc.serving.server import ServerCall, Status, abort

from . import forms
from .errors import TranslationError


class TranslatorService(TranslatorServiceBase):
    """Converts literals to JSON and back, for launch forms."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def task_spec_to_launch_form_json(
        self, request: TaskSpecToLaunchFormJsonRequest, call: ServerCall
    ) -> TaskSpecToLaunchFormJsonResponse:
        """Return the form for a task's inputs, without default values."""
        template = (request.task_spec or TaskSpec()).task_template or TaskTemplate()
        with _translating():
            form = Struct.of(forms.empty_form((template.interface or TypedInterface()).inputs))
        return TaskSpecToLaunchFormJsonResponse(json=form)

    async def literals_to_launch_form_json(
        self, request: LiteralsToLaunchFormJsonRequest, call: ServerCall
    ) -> LiteralsToLaunchFormJsonResponse:
        """Return the form with values: those of the request, or the stored ones of an action."""
        literals = self._stored(request) if request.literals_uri else request.literals
        with _translating():
            form = Struct.of(forms.filled_form(request.variables, literals))
        return LiteralsToLaunchFormJsonResponse(json=form)

    async def launch_form_json_to_literals(
        self, request: LaunchFormJsonToLiteralsRequest, call: ServerCall
    ) -> LaunchFormJsonToLiteralsResponse:
        """Return the values of a form."""
        with _translating():
            literals = forms.literals_of_form((request.json or Struct()).to_python())
        return LaunchFormJsonToLiteralsResponse(literals=literals)

    async def json_values_to_literals(
        self, request: JsonValuesToLiteralsRequest, call: ServerCall
    ) -> JsonValuesToLiteralsResponse:
        """Return JSON values as literals of the variables' types."""
        if request.values is None:
            abort(Status.INVALID_ARGUMENT, "values are required")
        with _translating():
            literals = forms.literals_of_values(request.variables, request.values.to_python())
        return JsonValuesToLiteralsResponse(literals=literals)

    def _stored(self, request: LiteralsToLaunchFormJsonRequest) -> list[NamedLiteral]:
        """Read the inputs or outputs of an action."""
        if request.trigger_id is not None:
            message = "the devbox does not read the inputs of triggers here; send them as literals"
            abort(Status.UNIMPLEMENTED, message)
        if request.action_id is None or request.action_id.run is None:
            abort(Status.INVALID_ARGUMENT, "literals_uri needs the action_id of the action that it belongs to")
        uris = data_uris.find(self._state.store, ActionKey.of(request.action_id))
        if request.literals_uri not in uris:
            message = f"{request.literals_uri} holds neither inputs nor outputs of action {request.action_id.name}"
            abort(Status.INVALID_ARGUMENT, message)
        kind = Inputs if request.literals_uri == uris.inputs else Outputs
        try:
            data = self._state.blobs.read(request.literals_uri)
            return kind.parse(data or b"").literals
        except (BlobError, DecodeError) as error:
            abort(Status.INTERNAL, f"{request.literals_uri} is not readable: {error}")


@contextmanager
def _translating() -> Generator[None, None, None]:
    """End the call with the status of a failed translation."""
    try:
        yield
    except TranslationError as error:
        abort(error.status, error.message)
    except EncodeError as error:
        abort(Status.INVALID_ARGUMENT, f"the value has no JSON form: {error}")
