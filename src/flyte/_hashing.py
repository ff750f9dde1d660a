"""Hashes of messages, for names of child actions and for cache keys."""

from __future__ import annotations

import base64
import copy
import hashlib
from functools import lru_cache
from typing import Any

from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata, TaskTemplate
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_rpc.codec.fields import Deferred
from flyte_rpc.codec.message import Message
from flyte_rpc.typeguards import is_dict, is_list


def cache_key(template: TaskTemplate, name: str, inputs: Inputs | None, offloaded_hash: str) -> str:
    """Return the cache key of an action; empty if the task is not cached.

    Args:
        template: The task.
        name: The task's name.
        inputs: Its inputs; None if they were uploaded before.
        offloaded_hash: The hash of the uploaded inputs.
    """
    metadata = template.metadata
    if metadata is None or not metadata.discoverable:
        return ""
    inputs_hash = offloaded_hash if inputs is None else sha256(canonical(without_ignored(inputs, metadata)))
    return sha256(f"{inputs_hash}{identity(template, name)}".encode())


def identity(template: TaskTemplate, name: str) -> str:
    """Return what distinguishes the results of tasks: name, interface and cache version."""
    # Cached, because it is the same for every call of a task.
    interface_hash = _interface_hash(b"" if template.interface is None else bytes(template.interface))
    version = "" if template.metadata is None else template.metadata.discovery_version
    return f"{name}{interface_hash}{version}"


def canonical(message: Message) -> bytes:
    """Encode a message with map entries sorted by key, so that equal messages have equal bytes.

    Parts of a parsed message that contain no maps are used as they arrived. Encoders write fields in the order of their numbers.
    """
    # Before the maps are checked, which decodes the message: what was not decoded need not be encoded again.
    data = bytes(message)
    if _orderly(message):
        return data
    message = copy.deepcopy(message)
    _sort_maps(message)
    return bytes(message)


def without_ignored(inputs: Inputs, metadata: TaskMetadata | None) -> Inputs:
    """Return the inputs without those that the cache ignores."""
    ignored = set(metadata.cache_ignore_input_vars) if metadata else set[str]()
    return Inputs(literals=[item for item in inputs.literals if item.name not in ignored])


def sha256(data: bytes) -> str:
    """Return the SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@lru_cache(maxsize=256)
def _interface_hash(interface: bytes) -> str:
    return sha256(canonical(TypedInterface.parse(interface)))


def _orderly(message: Message) -> bool:
    """Whether all maps are already sorted. This holds for most messages, which then need no copy."""
    held = vars(message)
    for name, raw in _toward_maps(type(message)):
        if name not in held and raw not in held:
            continue
        value: Any = getattr(message, name)
        if is_dict(value):
            if list(value) != sorted(value):
                return False
            value = list(value.values())
        if isinstance(value, Message):
            if not _orderly(value):
                return False
        elif is_list(value) and not all(_orderly(item) for item in value if isinstance(item, Message)):
            return False
    return True


def _sort_maps(message: Message) -> None:
    held = vars(message)
    for name, raw in _toward_maps(type(message)):
        if name not in held and raw not in held:
            continue
        value: Any = getattr(message, name)
        if is_dict(value):
            ordered = {key: value[key] for key in sorted(value)}
            value.clear()
            value.update(ordered)
            value = list(ordered.values())
        for item in value if is_list(value) else [value]:
            if isinstance(item, Message):
                _sort_maps(item)


@lru_cache(maxsize=1024)
def _toward_maps(kind: type[Message]) -> tuple[tuple[str, str], ...]:
    """Return the fields that are maps or can contain one: their names, decoded and undecoded.

    Without the others, such as the numbers of a long list, a walk takes a third of the time.
    """
    found = [
        (name, field) for name, field in _references(kind) if _is_map(kind, name) or _reaches_map(_message_class(field))
    ]
    return tuple((name, field.raw) for name, field in found)


@lru_cache(maxsize=1024)
def _reaches_map(kind: type[Message]) -> bool:
    """Whether a message of a class can contain a map."""
    known, pending = {kind}, [kind]
    while pending:
        each = pending.pop()
        for name, field in _references(each):
            if _is_map(each, name):
                return True
            target = _message_class(field)
            if target not in known:
                known.add(target)
                pending.append(target)
    return False


def _message_class(field: Deferred) -> type[Message]:
    found: type[Message] = field.target
    return found


def _references(kind: type[Message]) -> list[tuple[str, Deferred]]:
    """Return the fields of a class that are maps, or refer to a message."""
    fields = [(spec.name, spec, vars(kind).get(spec.name)) for spec in kind.specs().values()]
    return [
        (name, field)
        for name, spec, field in fields
        if isinstance(field, Deferred) and (spec.kind == "message" or spec.label == "map")
    ]


def _is_map(kind: type[Message], name: str) -> bool:
    return kind.specs()[name].label == "map"
