"""The identity of an entity: the fields that identify a resource, and the fields that a repr shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from flyte_codegen.configuration.settings import ORG
from flyte_codegen.definitions.field_paths import FieldPath
from flyte_codegen.definitions.model import Api


@attrs.frozen
class Identity:
    """The identifier of an entity within its message."""

    path: str
    key: tuple[str, ...]
    """Paths of all parts but the organization."""
    repr: tuple[str, ...]
    """The fields that a repr shows by default, as `LABEL=PATH`; an overlay can override them."""


def lay_out(api: Api, scope: Mapping[str, Mapping[str, str]], path: FieldPath, label: str) -> Identity:
    """Return the identity at `path`. A repr shows a scalar as `label`."""
    if path.last.type_name not in api.messages:
        return Identity(path.python, (path.python,), (f"{label}=pb2.{path.python}",))
    leaves = _leaves(api, path)
    parts = [FieldPath(leaf.fields[len(path) :]) for leaf in leaves]
    ends = Counter(part.last.py_name for part in parts)
    labels = [p.last.py_name if ends[p.last.py_name] == 1 else p.python.replace(".", "_") for p in parts]
    shown = tuple(f"{name}=pb2.{leaf.python}" for name, leaf in zip(labels, leaves, strict=True))
    key = tuple(leaf.python for leaf in leaves if _role(scope, leaf) != ORG)
    return Identity(path.python, key, shown)


def _leaves(api: Api, path: FieldPath) -> list[FieldPath]:
    """Return the paths of all scalar fields below a message."""
    found: list[FieldPath] = []
    for field in api.messages[path.last.type_name].fields:
        found += _leaves(api, path / field) if field.kind == "message" else [path / field]
    return found


def _role(scope: Mapping[str, Mapping[str, str]], leaf: FieldPath) -> str:
    """Return the part of the scope that a field holds; "" for none."""
    return scope.get(leaf.parent.last.type_name, {}).get(leaf.last.name, "")
