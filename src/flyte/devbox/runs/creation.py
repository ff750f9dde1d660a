"""CreateRun: from the request to a queued root action."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

from attrs import evolve

from flyte._hashing import cache_key
from flyte.devbox import clock
from flyte.devbox.data.blobs import BlobError, Blobs
from flyte.devbox.keys import RunKey, TriggerKey
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.rows import ActionRow, TriggerRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identifier import TriggerName
from flyte_api.messages.flyteidl2.core.identifier import Identifier
from flyte_api.messages.flyteidl2.core.interface import Parameter
from flyte_api.messages.flyteidl2.core.tasks import RuntimeMetadata, TaskMetadata, TaskTemplate
from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral, TriggerAutomationSpec
from flyte_api.messages.flyteidl2.task.run import RawDataStorage, RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import TaskAction
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest
from flyte_rpc.serving.server import Status, abort

from .recording import INPUTS, Origin, Place, Recorder
from .requests import require_project

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_RUN_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_MAX_RUN_NAME = 30
_SDK_VERSION = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)")
_KNOWS_START_TIME = (2, 3, 6)


class RunInputs(NamedTuple):
    """The location of a run's inputs, and the inputs themselves if the request contains them."""

    directory: str
    inline: Inputs | None
    offloaded_hash: str


def new_run_name() -> str:
    """Return a random name: `r` and 19 letters and digits that cannot form words."""
    return "r" + "".join(secrets.choice(_ALPHABET) for _ in range(19))


def create_run(request: CreateRunRequest, state: SharedState, recorder: Recorder, origin: Origin) -> ActionRow:
    """Create a run and queue its root action.

    Idempotent: if a run of that name exists, it is returned unchanged.

    Raises:
        Abort: The request is incomplete, or refers to something nonexistent.
    """
    store, blobs = state.store, state.blobs
    run = _run_key(request)
    require_project(store, run.project)
    trigger = None if request.trigger_name is None else find_trigger(request.trigger_name, store)
    task = _task(request, store, trigger)
    existing = store.actions.get(run.root)
    if existing is not None:
        return existing
    spec = task.spec or TaskSpec()
    template = spec.task_template or TaskTemplate()
    if trigger is not None:
        _apply_trigger(request, trigger, template)
    run_spec = _run_spec(request, template, blobs)
    base = blobs.run_base(run, run_spec.run_base_dir)
    inputs = _inputs(request, spec, f"{base}inputs")
    try:
        if inputs.inline is not None:
            blobs.write(f"{inputs.directory}/{INPUTS}", bytes(inputs.inline))
    except BlobError as error:
        abort(Status.INTERNAL, f"failed to write inputs: {error}")
    name = (task.id or TaskIdentifier()).name
    place = Place(
        key=run.root,
        parent=None,
        group="",
        inputs_uri=f"{inputs.directory}/{INPUTS}",
        run_output_base=base,
        run_spec=run_spec,
    )
    key = cache_key(template, name, inputs.inline, inputs.offloaded_hash)
    with store.database.transaction():
        recorder.task(place, task, execute=True, cache_key=key, origin=evolve(origin, trigger=trigger))
        if trigger is not None:
            store.triggers.set_triggered(trigger.key, state.clock.now())
    row = store.actions.get(run.root)
    if row is None:
        abort(Status.INTERNAL, f"run {run.run} was not stored")
    return row


def find_task(identifier: TaskIdentifier, store: Store) -> TaskSpec | None:
    """Return the spec of a deployed task."""
    row = store.tasks.get(identifier.project, identifier.domain, identifier.name, identifier.version)
    return None if row is None else TaskSpec.parse(store.tasks.spec(row.spec_digest) or b"")


def find_trigger(name: TriggerName, store: Store) -> TriggerRow:
    """Return the trigger of a request; NOT_FOUND if it does not exist or was deleted."""
    key = TriggerKey.of(name)
    row = store.triggers.get(key)
    if row is None:
        abort(Status.NOT_FOUND, f'trigger "{name.name}" not found: {key}')
    return row


def trigger_task(trigger: TriggerRow) -> TaskIdentifier:
    """Return the version of the task that a trigger's runs execute."""
    return TaskIdentifier(
        project=trigger.project, domain=trigger.domain, name=trigger.task_name, version=trigger.task_version
    )


def _run_key(request: CreateRunRequest) -> RunKey:
    if request.run_id is not None:
        name = request.run_id.name
        if len(name) > _MAX_RUN_NAME or not _RUN_NAME.fullmatch(name):
            abort(
                Status.INVALID_ARGUMENT,
                f'invalid run name "{name}": it must start with a letter, contain only lower-case letters, digits and "-", '
                f"not end with one, and have at most {_MAX_RUN_NAME} characters",
            )
        return RunKey.of(request.run_id)
    if request.project_id is None:
        abort(Status.INVALID_ARGUMENT, "invalid run ID type: run_id or project_id is required")
    return RunKey(request.project_id.name, request.project_id.domain, new_run_name())


def _task(request: CreateRunRequest, store: Store, trigger: TriggerRow | None) -> TaskAction:
    wanted = request.task_id if trigger is None else trigger_task(trigger)
    if wanted is not None:
        spec = find_task(wanted, store)
        if spec is None:
            key = f"{wanted.project} {wanted.domain} {wanted.name} {wanted.version}"
            abort(Status.UNKNOWN, f"task not found: {{{key}}}")
        found = TaskIdentifier(project=wanted.project, domain=wanted.domain, name=wanted.name, version=wanted.version)
        return TaskAction(id=found, spec=spec)
    if request.task_spec is None:
        abort(Status.INTERNAL, "failed to create run: task_id, task_spec or trigger_name is required")
    named = (request.task_spec.task_template or TaskTemplate()).id or Identifier()
    identifier = TaskIdentifier(project=named.project, domain=named.domain, name=named.name, version=named.version)
    return TaskAction(id=identifier, spec=request.task_spec)


def _apply_trigger(request: CreateRunRequest, trigger: TriggerRow, template: TaskTemplate) -> None:
    """Fill in what the request leaves to the trigger: the settings of the run, and its inputs as a whole."""
    spec = TriggerSpec.parse(trigger.spec)
    request.run_spec = request.run_spec or spec.run_spec or RunSpec()
    # Functions that `flyte.devbox.deploy` has deployed know it, although their version is not that of the official SDK.
    if request.run_spec.run_start_time is None:
        request.run_spec.run_start_time = request.run_start_time
    if request.inputs is not None or request.offloaded_input_data is not None:
        return
    if spec.inputs is not None:
        request.inputs = spec.inputs
    elif spec.offloaded_input_data is not None:
        offloaded = spec.offloaded_input_data
        schedule = TriggerAutomationSpec.parse(trigger.automation_spec).schedule
        kickoff = "" if schedule is None else schedule.kickoff_time_input_arg
        ignored = (template.metadata or TaskMetadata()).cache_ignore_input_vars
        if kickoff and kickoff not in ignored and request.run_start_time is not None:
            offloaded.inputs_hash += f"|runStartTime={clock.to_text(request.run_start_time)}"
        request.offloaded_input_data = offloaded


def _run_spec(request: CreateRunRequest, template: TaskTemplate, blobs: Blobs) -> RunSpec:
    run_spec = request.run_spec or RunSpec()
    runtime = (template.metadata or TaskMetadata()).runtime or RuntimeMetadata()
    version = _SDK_VERSION.search(runtime.version)
    if version and tuple(map(int, version.groups())) >= _KNOWS_START_TIME and run_spec.run_start_time is None:
        run_spec.run_start_time = request.run_start_time or clock.to_timestamp(clock.now())
    if run_spec.raw_data_storage is None or not run_spec.raw_data_storage.raw_data_prefix:
        run_spec.raw_data_storage = RawDataStorage(raw_data_prefix=blobs.base)
    return run_spec


def _inputs(request: CreateRunRequest, spec: TaskSpec, directory: str) -> RunInputs:
    if request.offloaded_input_data is not None:
        offloaded = request.offloaded_input_data
        return RunInputs(offloaded.uri.rstrip("/"), None, offloaded.inputs_hash)
    inputs = request.inputs or Inputs()
    given = {item.name for item in inputs.literals}
    for parameter in spec.default_inputs:
        default = (parameter.parameter or Parameter()).default
        if parameter.name not in given and default is not None:
            inputs.literals.append(NamedLiteral(name=parameter.name, value=default))
    return RunInputs(directory, inputs, "")
