"""The identity of an entity: the fields that tell resources apart, and the ones that a repr shows."""

from __future__ import annotations

from collections import Counter

import attrs

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Api, Field, Message


@attrs.frozen
class Identity:
    """The identifier of an entity within its message."""

    path: str
    key: tuple[str, ...]
    """Paths of all parts but the organization."""
    repr: tuple[str, ...]
    """What a repr shows by default, as `LABEL=PATH`; an overlay can override it."""


def lay_out(api: Api, config: Config, path: str, field: Field, label: str) -> Identity:
    """Return the identity at `path`, which ends in `field`. A repr shows a scalar as `label`."""
    message = api.messages.get(field.type_name)
    if message is None:
        return Identity(path, (path,), (f"{label}=pb2.{path}",))
    leaves = _leaves(api, config, message, path)
    parts = [leaf.removeprefix(f"{path}.") for leaf, _ in leaves]
    ends = Counter(part.rpartition(".")[2] for part in parts)
    labels = [end if ends[end := part.rpartition(".")[2]] == 1 else part.replace(".", "_") for part in parts]
    shown = tuple(f"{name}=pb2.{leaf}" for name, (leaf, _) in zip(labels, leaves, strict=True))
    return Identity(path, tuple(leaf for leaf, is_org in leaves if not is_org), shown)


def _leaves(api: Api, config: Config, message: Message, path: str) -> list[tuple[str, bool]]:
    """Yield the paths of all scalar fields below a message, and whether each holds the organization."""
    roles = config.scope.get(message.full_name, {})
    found: list[tuple[str, bool]] = []
    for field in message.fields:
        here = f"{path}.{field.py_name}"
        if field.kind == "message":
            found += _leaves(api, config, api.messages[field.type_name], here)
        else:
            found.append((here, roles.get(field.name) == "org"))
    return found
