"""Turn a task's declaration into a command to start, or refuse it with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import field, frozen

from flyte.devbox import clock
from flyte.devbox.data.blobs import BlobError, Blobs
from flyte.devbox.keys import ActionKey
from flyte.devbox.secrets.delivery import DeliveryError, deliver
from flyte.devbox.secrets.vault import Vault
from flyte.devbox.store.rows import ActionRow
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.tasks import Container, TaskTemplate
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionSpec
from flyte_rpc.codec.wire import DecodeError

from .failures import Failure
from .limits import memory_limit
from .processes.environment import AttemptContext, TemplateError, environment, render


@frozen
class Work:
    """The parts of an action that the executor needs."""

    key: ActionKey
    parent: ActionKey | None
    template: TaskTemplate
    spec: ActionSpec
    run_spec: RunSpec
    inputs_uri: str
    created_at: int

    @classmethod
    def of(cls, row: ActionRow, template: TaskTemplate) -> Work:
        """Read the work of a stored action."""
        return cls(
            key=row.key,
            parent=row.parent_key,
            template=template,
            spec=ActionSpec.parse(row.action_spec),
            run_spec=RunSpec.parse(row.run_spec),
            inputs_uri=row.inputs_uri,
            created_at=row.created_at,
        )

    @property
    def expects_outputs(self) -> bool:
        """Whether the task's interface has outputs."""
        interface = self.template.interface
        return interface is not None and interface.outputs is not None and bool(interface.outputs.variables)


@frozen
class Plan:
    """A command that is ready to start."""

    command: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    """The whole environment, with the values of secrets."""
    memory: int | None


@frozen
class SecretAccess:
    """The secrets, and the directory for those that a task gets as files."""

    vault: Vault
    directory: Path


class Refused(Exception):
    """The task cannot be started here."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def plan(work: Work, attempt: int, directory: str, blobs: Blobs, secrets: SecretAccess, own: Mapping[str, str]) -> Plan:
    """Prepare an attempt.

    Args:
        work: The action.
        attempt: Its number, from 1.
        directory: URI of the attempt's output directory, which is created.
        blobs: The storage of inputs and outputs.
        secrets: The secrets for the task.
        own: Environment variables with the address of the devbox.

    Raises:
        Refused: This executor can't start the task.
    """
    container = _container(work.template)
    try:
        blobs.path(directory).mkdir(parents=True, exist_ok=True)
        context = _context(work, attempt, directory, blobs)
        memory = memory_limit(container)
    except (BlobError, OSError) as error:
        raise Refused(Failure("StorageError", str(error))) from error
    except ValueError as error:
        raise Refused(Failure("BadTaskDefinition", f"the memory limit {error}")) from error
    overrides = work.run_spec.envs.values if work.run_spec.envs is not None else []
    env = environment(context, container.env, overrides, _secrets(work, secrets), own)
    try:
        command = render([*container.command, *container.args], context, lambda: _literals(work.inputs_uri, blobs))
    except (BlobError, TemplateError, DecodeError) as error:
        raise Refused(Failure("BadTaskDefinition", f"the command line cannot be filled in: {error}")) from error
    if not command:
        raise Refused(Failure("BadTaskDefinition", "the container has neither a command nor arguments"))
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        message = f"the program {command[0]!r} does not exist on this machine; the devbox runs commands here, not in the task's image"
        raise Refused(Failure("StartError", message))
    return Plan(command=[program, *command[1:]], env=env, memory=memory)


def _container(template: TaskTemplate) -> Container:
    """Return the container of a task. Raise `Refused` if it needs a feature that only clusters have."""
    container = template.container
    if container is None:
        kind = (
            "a pod" if template.k8s_pod is not None else "an SQL statement" if template.sql is not None else "nothing"
        )
        message = (
            f"the devbox can only run container commands; the task of type {template.type!r} declares {kind} to run"
        )
        raise Refused(Failure("UnsupportedTask", message))
    if container.data_config is not None and container.data_config.enabled:
        message = "the devbox does not copy inputs and outputs into files (data_config); read FLYTE_INPUT_PATH instead"
        raise Refused(Failure("UnsupportedTask", message))
    return container


def _secrets(work: Work, secrets: SecretAccess) -> dict[str, str]:
    """Deliver the secrets of a task. Return the environment variables."""
    declared = work.template.security_context.secrets if work.template.security_context is not None else []
    try:
        return deliver(declared, secrets.vault, work.key.project, work.key.domain, secrets.directory)
    except DeliveryError as error:
        raise Refused(Failure(error.code, error.message)) from error
    except OSError as error:
        raise Refused(Failure("StorageError", f"the secrets cannot be written to files: {error}")) from error


def _context(work: Work, attempt: int, directory: str, blobs: Blobs) -> AttemptContext:
    task = work.spec.task
    identifier = task.id if task is not None else None
    storage = work.run_spec.raw_data_storage
    started = work.run_spec.run_start_time
    micros = work.created_at if started is None else clock.from_timestamp(started)
    return AttemptContext(
        key=work.key,
        attempt=attempt,
        task_name=identifier.name if identifier is not None else "",
        task_version=identifier.version if identifier is not None else "",
        inputs_uri=work.inputs_uri,
        output_directory=directory,
        inputs_path=str(blobs.path(work.inputs_uri)) if work.inputs_uri else "",
        outputs_path=str(blobs.path(directory)),
        raw_data_prefix=(storage.raw_data_prefix if storage is not None else "") or directory,
        run_start_time=datetime.fromtimestamp(micros / 1e6, UTC).isoformat().replace("+00:00", "Z"),
    )


def _literals(uri: str, blobs: Blobs) -> dict[str, Literal]:
    inputs = Inputs.parse((blobs.read(uri) if uri else None) or b"")
    return {item.name: item.value for item in inputs.literals if item.value is not None}
