"""The environment variables and the command line of a task's process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import frozen

from flyte.devbox.keys import ActionKey
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair, Literal, Primitive, Scalar

_INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV")
_INHERITED_PREFIXES = ("PYTHON", "LC_")
_REFERENCE = re.compile(r"\{\{\s*[.$]([A-Za-z]+)(?:\.([^}\s]+))?\s*\}\}")


class TemplateError(Exception):
    """A command line refers to something without a value."""


@frozen
class AttemptContext:
    """The identity of an attempt, and the location of its files."""

    key: ActionKey
    attempt: int
    task_name: str
    task_version: str
    inputs_uri: str
    """The inputs.pb of the action; empty for an action that was enqueued without inputs."""
    output_directory: str
    """URI of the directory for outputs.pb, error.pb and report.html."""
    inputs_path: str
    outputs_path: str
    raw_data_prefix: str
    run_start_time: str


def inherited() -> dict[str, str]:
    """Return the variables that every process inherits from the devbox's environment."""
    found = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    # Unbuffered, because stdout is a pipe and output should be visible while the task runs.
    found["PYTHONUNBUFFERED"] = "1"
    return found


def environment(
    context: AttemptContext, declared: Iterable[KeyValuePair], overrides: Iterable[KeyValuePair], own: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of an attempt. Later sources win: the devbox, the task, the run, the context.

    Args:
        context: Identity and files of the attempt.
        declared: Variables of the task.
        overrides: Variables of the run.
        own: Variables with the address of the devbox.
    """
    found = inherited()
    found.update((pair.key, pair.value) for pair in declared)
    found.update((pair.key, pair.value) for pair in overrides)
    found.update(
        FLYTE_PROJECT=context.key.project,
        FLYTE_DOMAIN=context.key.domain,
        FLYTE_RUN_NAME=context.key.run,
        FLYTE_ACTION_NAME=context.key.name,
        FLYTE_ATTEMPT=str(context.attempt),
        FLYTE_TASK_NAME=context.task_name,
        FLYTE_TASK_VERSION=context.task_version,
        FLYTE_INPUT_PATH=context.inputs_path,
        FLYTE_OUTPUT_PATH=context.outputs_path,
        FLYTE_RAW_DATA_PREFIX=context.raw_data_prefix,
    )
    # What the entry point of the official SDK reads.
    found.update(
        RUN_NAME=context.key.run,
        ACTION_NAME=context.key.name,
        FLYTE_INTERNAL_EXECUTION_PROJECT=context.key.project,
        FLYTE_INTERNAL_EXECUTION_DOMAIN=context.key.domain,
        FLYTE_ATTEMPT_NUMBER=str(context.attempt),
        _U_ORG_NAME="flyte",
        _U_USE_ACTIONS="1",
        _U_RUN_BASE=context.output_directory.rstrip("/").rsplit("/", 2)[0],
        # It writes through fsspec as into a bucket, which needs no directories.
        FSSPEC_FILE='{"auto_mkdir": true}',
    )
    found.update(own)
    return found


def render(command: Sequence[str], context: AttemptContext, inputs: Callable[[], Mapping[str, Literal]]) -> list[str]:
    """Return the command line with its `{{.references}}` replaced.

    Args:
        command: Program and arguments as the task declares them.
        context: The source of their values.
        inputs: Reads the inputs. Called only if the command refers to an input.

    Raises:
        TemplateError: An input is missing, or has no textual form.
    """
    values = {
        "input": context.inputs_uri,
        "inputprefix": context.inputs_uri.rpartition("/")[0],
        "outputprefix": context.output_directory,
        "rawoutputdataprefix": context.raw_data_prefix,
        "checkpointoutputprefix": f"{context.output_directory}/checkpoint",
        "prevcheckpointprefix": '""',
        "perretryuniquekey": re.sub(r"\W+", "_", f"{context.key.run}_{context.key.name}_{context.attempt}"),
        "runname": context.key.run,
        "actionname": context.key.name,
        "runstarttime": context.run_start_time,
    }

    def value(match: re.Match[str]) -> str:
        name = match[1].lower()
        if name == "inputs" and match[2]:
            literals = inputs()
            if match[2] not in literals:
                raise TemplateError(f"{match[0]}: there is no input {match[2]!r}")
            return _text(match[0], literals[match[2]])
        return match[0] if match[2] or name not in values else values[name]

    return [_REFERENCE.sub(value, part) for part in command]


def _text(reference: str, literal: Literal) -> str:
    if literal.collection is not None:
        return f"[{','.join(_text(reference, item) for item in literal.collection.literals)}]"
    scalar = literal.scalar or Scalar()
    if scalar.union is not None and scalar.union.value is not None:
        return _text(reference, scalar.union.value)
    if scalar.blob is not None:
        return scalar.blob.uri
    if scalar.structured_dataset is not None:
        return scalar.structured_dataset.uri
    primitive = scalar.primitive or Primitive()
    if primitive.boolean is not None:
        return "true" if primitive.boolean else "false"
    if primitive.datetime is not None:
        return str(primitive.datetime.to_json()).strip('"')
    if primitive.duration is not None:
        return str(primitive.duration.to_json()).strip('"')
    for plain in (primitive.integer, primitive.float_value, primitive.string_value):
        if plain is not None:
            return str(plain)
    raise TemplateError(f"{reference}: a value of this type has no textual form")
