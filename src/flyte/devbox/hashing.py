"""The hashes whose values clients can see, and those by which cached outputs are found."""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

from flyte.runtime.message import Message
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata, TaskTemplate
from flyte_api.messages.flyteidl2.task.common import Inputs

_FNV_32 = (0x811C9DC5, 0x01000193, 2**32)
_FNV_64 = (0xCBF29CE484222325, 0x100000001B3, 2**64)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def fnv32a(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    return _fnv1a(data, *_FNV_32)


def fnv64a(data: bytes) -> int:
    """FNV-1a, 64 bits."""
    return _fnv1a(data, *_FNV_64)


def shard(name: str) -> str:
    """Two characters that spread outputs over directories, from the name of what is stored."""
    first, second = divmod(fnv32a(name.encode()) % len(_ALPHABET) ** 2, len(_ALPHABET))
    return _ALPHABET[first] + _ALPHABET[second]


def uploaded_inputs_hash(inputs: Inputs, metadata: TaskMetadata | None) -> str:
    """The name under which uploaded inputs are stored: unpadded URL-safe base64 of their FNV-64a.

    The context counts, unless the task ignores some of its inputs.
    """
    counted = _without_ignored(inputs, metadata) if metadata and metadata.cache_ignore_input_vars else inputs
    digest = fnv64a(canonical(counted)).to_bytes(8, "big")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def cache_key(template: TaskTemplate, name: str, inputs: Inputs | None, offloaded_hash: str) -> str:
    """What two actions share whose outputs must be the same; empty when the task is not to be cached.

    Args:
        template: The task.
        name: The task's name.
        inputs: Its inputs; None when they were uploaded before.
        offloaded_hash: The hash of the uploaded inputs.
    """
    metadata = template.metadata
    if metadata is None or not metadata.discoverable:
        return ""
    inputs_hash = offloaded_hash if inputs is None else _sha256(canonical(_without_ignored(inputs, metadata)))
    interface_hash = _sha256(canonical(template.interface or TypedInterface()))
    return _sha256(f"{inputs_hash}{name}{interface_hash}{metadata.discovery_version}".encode())


def canonical(message: Message) -> bytes:
    """The wire form with map entries in the order of their keys, so that equal messages have equal bytes."""
    ordered = copy.deepcopy(message)
    _sort_maps(ordered)
    return bytes(ordered)


def _sort_maps(message: Message) -> None:
    for name, field in type(message).specs().items():
        value: Any = getattr(message, name)
        items: Any = (
            _sorted(value) if field.kind.startswith("map<") else value if field.label == "repeated" else [value]
        )
        for item in items:
            if isinstance(item, Message):
                _sort_maps(item)


def _sorted(entries: dict[Any, Any]) -> list[Any]:
    """Put the entries of a map in the order of their keys; returns their values."""
    ordered = {key: entries[key] for key in sorted(entries)}
    entries.clear()
    entries.update(ordered)
    return list(ordered.values())


def _without_ignored(inputs: Inputs, metadata: TaskMetadata | None) -> Inputs:
    ignored = set(metadata.cache_ignore_input_vars) if metadata else set[str]()
    return Inputs(literals=[item for item in inputs.literals if item.name not in ignored])


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _fnv1a(data: bytes, basis: int, prime: int, modulus: int) -> int:
    value = basis
    for byte in data:
        value = (value ^ byte) * prime % modulus
    return value
