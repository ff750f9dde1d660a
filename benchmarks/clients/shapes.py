"""The messages that are measured, built and read by the same code with the classes of any implementation.

Imported by each interpreter that takes part, so it names no SDK and no protobuf library: `load` is told where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

WORKFLOW, COMMON, CORE, TASK = "flyteidl2.workflow", "flyteidl2.common", "flyteidl2.core", "flyteidl2.task"
CLASSES = {
    f"{WORKFLOW}.run_service": ("ListRunsResponse", "GetRunDetailsResponse", "WatchActionDetailsResponse"),
    f"{WORKFLOW}.run_definition": (
        *("Run", "RunDetails", "Action", "ActionDetails", "ActionMetadata", "ActionStatus", "ActionAttempt"),
        *("TaskActionMetadata", "PhaseTransition"),
    ),
    f"{COMMON}.identifier": ("ActionIdentifier", "RunIdentifier", "UserIdentifier"),
    f"{COMMON}.identity": ("EnrichedIdentity", "User", "UserSpec"),
    f"{CORE}.identifier": ("Identifier",),
    f"{CORE}.interface": ("TypedInterface", "Variable", "VariableEntry", "VariableMap"),
    f"{CORE}.literals": ("KeyValuePair", "RetryStrategy"),
    f"{CORE}.tasks": ("Container", "Resources", "Resources.ResourceEntry", "TaskMetadata", "TaskTemplate"),
    f"{CORE}.types": ("LiteralType",),
    f"{TASK}.common": (),
    f"{TASK}.environment": ("Environment",),
    f"{TASK}.run": ("RunSpec",),
    f"{TASK}.task_definition": ("DocumentationEntity", "TaskIdentifier", "TaskSpec"),
}
FIRST_SECOND = 1_790_000_000
SUCCEEDED, RUNNING = 5, 4
PHASES = (5, 5, 6, 4)
"""Numbers of phases, as they take turns: succeeded, failed and running."""


def load(module_of: Callable[[str], str], *, flat: bool, enum: Callable[[str], Any], moment: Any) -> SimpleNamespace:
    """All the classes of one implementation.

    Args:
        module_of: Name of the Python module for a .proto file, given with dots.
        flat: Whether nested messages are called `OuterInner`, rather than being attributes.
        enum: What makes the value of an enum, by the enum's name, of a number.
        moment: What makes a time of whole seconds and nanoseconds.
    """
    found = SimpleNamespace(moment=moment, ActionPhase=enum("ActionPhase"))
    for proto, names in CLASSES.items():
        module = import_module(module_of(proto)) if names else None
        for name in names:
            value: Any = module
            for part in (name.replace(".", ""),) if flat else name.split("."):
                value = getattr(value, part)
            setattr(found, name.rpartition(".")[2], value)
    found.ResourceName = enum("ResourceName")
    found.SimpleType = enum("SimpleType")
    return found


def run(of: Any, number: int) -> Any:
    """A run as a listing shows it."""
    return of.Run(action=action(of, number, PHASES[number % len(PHASES)]))


def action(of: Any, number: int, phase: int) -> Any:
    return of.Action(id=identifier(of, number), metadata=metadata(of, number), status=status(of, number, phase))


def identifier(of: Any, number: int) -> Any:
    scope = {"org": "acme", "project": "flytesnacks", "domain": "development"}
    return of.ActionIdentifier(run=of.RunIdentifier(**scope, name=f"r{number:019d}"), name="a0")


def metadata(of: Any, number: int) -> Any:
    name = f"train.task_{number % 100}"
    task = of.TaskIdentifier(
        org="acme", project="flytesnacks", domain="development", name=name, version=f"{number:08x}"
    )
    person = of.User(
        id=of.UserIdentifier(subject=f"00u{number % 50:017d}"),
        spec=of.UserSpec(first_name="Ada", last_name="Byron", email=f"ada.{number % 50}@example.com"),
    )
    return of.ActionMetadata(
        executed_by=of.EnrichedIdentity(user=person),
        task=of.TaskActionMetadata(id=task, task_type="python-task", short_name=f"task_{number % 100}"),
        environment_name="train",
        funtion_name=name,
    )


def status(of: Any, number: int, phase: int) -> Any:
    begun = FIRST_SECOND + number
    return of.ActionStatus(
        phase=of.ActionPhase(phase),
        start_time=of.moment(begun, 123_456_000),
        end_time=None if phase == RUNNING else of.moment(begun + 60 + number % 600, 654_321_000),
        attempts=1 + number % 3,
        duration_ms=None if phase == RUNNING else 60_000 + number % 600 * 1000 + 530,
    )


def task_spec(of: Any, number: int) -> Any:
    """A task as it is deployed."""
    name = f"train.task_{number}"
    variables = [
        of.VariableEntry(
            key=f"parameter_{place}",
            value=of.Variable(
                type=of.LiteralType(simple=of.SimpleType(1 + place % 4)), description=f"what number {place} is for"
            ),
        )
        for place in range(6)
    ]
    amounts = [
        of.ResourceEntry(name=of.ResourceName(1), value="2"),
        of.ResourceEntry(name=of.ResourceName(3), value="4Gi"),
    ]
    container = of.Container(
        image="registry.example.com/team/train:2026.11.1",
        args=["a0", "--inputs", "{{.input}}", "--outputs-path", "{{.outputPrefix}}", "--version", f"{number:08x}"],
        resources=of.Resources(requests=amounts, limits=amounts),
        env=[of.KeyValuePair(key=f"VARIABLE_{place}", value=f"value {place}") for place in range(4)],
    )
    template = of.TaskTemplate(
        id=of.Identifier(project="flytesnacks", domain="development", name=name, version=f"{number:08x}", org="acme"),
        type="python-task",
        metadata=of.TaskMetadata(
            discoverable=True,
            discovery_version="1",
            retries=of.RetryStrategy(retries=number % 4),
            tags={"team": "training", "cost-center": f"{number % 10}"},
        ),
        interface=of.TypedInterface(
            inputs=of.VariableMap(variables=variables[:5]), outputs=of.VariableMap(variables=variables[5:])
        ),
        container=container,
        config={"mode": "batch"},
    )
    return of.TaskSpec(
        task_template=template,
        short_name=f"task_{number}",
        environment=of.Environment(name="train", description="models and their data"),
        documentation=of.DocumentationEntity(short_description="Train one model on one partition of the data."),
    )


def details(of: Any, number: int, update: int, updates: int) -> Any:
    """An action as it is watched: the update-th of so many, the last of which is final."""
    phase = SUCCEEDED if update == updates - 1 else RUNNING
    begun = FIRST_SECOND + number
    passed = [of.PhaseTransition(phase=of.ActionPhase(at), start_time=of.moment(begun + at, 0)) for at in (1, 2, 3, 4)]
    attempt = of.ActionAttempt(
        phase=of.ActionPhase(phase),
        start_time=of.moment(begun, 0),
        attempt=1,
        logs_available=True,
        phase_transitions=passed,
        cluster=f"cluster-{update}",
    )
    return of.ActionDetails(
        id=identifier(of, number),
        metadata=metadata(of, number),
        status=status(of, number, phase),
        task=task_spec(of, number),
        attempts=[attempt],
    )


def read_run(run: Any, moment: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Every field that `run` sets."""
    action = run.action
    name, meta, state = action.id, action.metadata, action.status
    of, task, user = name.run, meta.task, meta.executed_by.user
    ident, spec = task.id, user.spec
    return (
        *(of.org, of.project, of.domain, of.name, name.name),
        *(ident.org, ident.project, ident.domain, ident.name, ident.version, task.task_type, task.short_name),
        *(user.id.subject, spec.first_name, spec.last_name, spec.email, meta.environment_name, meta.funtion_name),
        *(state.phase, moment(state.start_time), moment(state.end_time), state.attempts, state.duration_ms),
    )


def read_task_spec(spec: Any, moment: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Every field that `task_spec` sets."""
    template = spec.task_template
    ident, meta, container, resources = template.id, template.metadata, template.container, template.container.resources
    return (
        *(ident.project, ident.domain, ident.name, ident.version, ident.org, template.type),
        *(meta.discoverable, meta.discovery_version, meta.retries.retries, *sorted(meta.tags.items())),
        *((v.key, v.value.type.simple, v.value.description) for v in template.interface.inputs.variables),
        *((v.key, v.value.type.simple, v.value.description) for v in template.interface.outputs.variables),
        *(container.image, *container.args, *((pair.key, pair.value) for pair in container.env)),
        *((e.name, e.value) for e in resources.requests),
        *((e.name, e.value) for e in resources.limits),
        *(*template.config.items(), spec.short_name, spec.environment.name, spec.environment.description),
        spec.documentation.short_description,
    )
