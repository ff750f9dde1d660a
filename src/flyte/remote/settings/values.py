"""What can be set: the leaves of the settings message, and their values as Python values."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

import attrs

from flyte_api.messages.flyteidl2.core.tasks import AcceleratorModel, GPUAccelerator, GPUAcceleratorDeviceClass
from flyte_api.messages.flyteidl2.settings.settings_definition import (
    AcceleratorSetting,
    BoolSetting,
    Int64Setting,
    QuantitySetting,
    SettingsKey,
    SettingState,
    StringMap,
    StringMapSetting,
    StringSetting,
)
from flyte_api.messages.flyteidl2.settings.settings_definition import Settings as SettingsMessage
from flyte_rpc.arguments import texts
from flyte_rpc.codec.fields import Deferred
from flyte_rpc.codec.message import Message


class Unset(enum.Enum):
    """The type of `UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET
"""The value of a setting that has none here, whatever the scopes above say. A setting that is left out inherits."""

SettingValue = str | int | bool | dict[str, str] | Unset


@attrs.frozen
class SettingOrigin:
    """The scope that a value comes from.

    Attributes:
        scope_type: "ORG", "DOMAIN" or "PROJECT".
        domain: The domain; None for the organization.
        project: The project; None for the organization and for a domain.
    """

    scope_type: str
    domain: str | None = None
    project: str | None = None

    @classmethod
    def of(cls, key: SettingsKey | None) -> SettingOrigin:
        """The scope that a key names."""
        if key is None or not key.domain:
            return cls("ORG")
        return cls("PROJECT", key.domain, key.project) if key.project else cls("DOMAIN", key.domain)

    def __str__(self) -> str:
        if self.domain is None:
            return self.scope_type
        return f"{self.scope_type}({'/'.join(name for name in (self.domain, self.project) if name)})"


@attrs.frozen
class EffectiveSetting:
    """A value that holds in a scope.

    Attributes:
        key: What is set, such as "run.default_queue".
        value: The value; of a map, all entries of this scope and of those above it. `UNSET` where it was taken away.
        origin: The narrowest scope that says so.
        entries: Of a map, the scope that each entry comes from; of others, nothing.
    """

    key: str
    value: SettingValue
    origin: SettingOrigin
    entries: Mapping[str, SettingOrigin] = attrs.field(factory=dict[str, SettingOrigin], hash=False)


@attrs.frozen
class LocalSetting:
    """A value that a scope itself sets.

    Attributes:
        key: What is set, such as "run.default_queue".
        value: The value; of a map, the entries that are set here. `UNSET` takes away what it would inherit.
    """

    key: str
    value: SettingValue = attrs.field(hash=False)


class _Kind(NamedTuple):
    field: str
    """The field of the leaf that holds the value."""
    takes: str
    """What it takes, in words."""


_KINDS: dict[type[Message], _Kind] = {
    StringSetting: _Kind("string_value", "text"),
    Int64Setting: _Kind("int_value", "a whole number"),
    BoolSetting: _Kind("bool_value", "True or False"),
    QuantitySetting: _Kind("quantity_value", 'a quantity such as "500m", "2Gi" or 2'),
    StringMapSetting: _Kind("map_value", "a mapping of text to text"),
    AcceleratorSetting: _Kind("accelerator_value", 'the name of an accelerator, such as "nvidia-l4"'),
}


@attrs.frozen
class Leaf:
    """One thing that can be set."""

    key: str
    message: type[Message]

    @property
    def is_map(self) -> bool:
        """Whether the values of several scopes add up."""
        return self.message is StringMapSetting

    def find(self, settings: SettingsMessage) -> Any:
        """The message of this leaf; None where the settings do not have it."""
        found: Any = settings
        for name in self.key.split("."):
            if found is None:
                return None
            found = getattr(found, name)
        return found

    def put(self, settings: SettingsMessage, leaf: Message | None) -> None:
        """Set the message of this leaf, or take it away."""
        *groups, last = self.key.split(".")
        target: Any = settings
        for name in groups:
            inner = getattr(target, name)
            if inner is None:
                if leaf is None:
                    return
                inner = _target(target, name)()
                setattr(target, name, inner)
            target = inner
        setattr(target, last, leaf)

    def read(self, leaf: Any) -> SettingValue | None:
        """The value in the message of a leaf; None where it inherits, or says what this release does not know."""
        if leaf is None or leaf.state not in (SettingState.UNSET, SettingState.VALUE):
            return None
        if leaf.state == SettingState.UNSET:
            return UNSET
        value = getattr(leaf, _KINDS[self.message].field)
        if self.message is AcceleratorSetting:
            return _accelerator_name(value)
        if self.is_map:
            return {} if value is None else dict(value.entries)
        return value  # type: ignore[no-any-return]  # of the type that the kind says

    def write(self, value: object) -> Message:
        """The message of this leaf for a value.

        Raises:
            TypeError: It is not of the kind that the setting takes.
        """
        if value is UNSET:
            return self.message(state=SettingState.UNSET)
        kind = _KINDS[self.message]
        taken: Any = None
        shown = f"{type(value).__name__} ({value!r})"
        match value:
            case str() if self.message in (StringSetting, QuantitySetting):
                taken = value
            case str() if self.message is AcceleratorSetting:
                taken = _accelerator(value)
            case bool():
                taken = value if self.message is BoolSetting else None
            case int() if self.message is Int64Setting:
                taken = value
            case int() | float() if self.message is QuantitySetting:
                taken = str(value)
            case Mapping() if self.is_map:
                taken = StringMap(entries=texts(self.key, value))  # pyright: ignore[reportUnknownArgumentType]
            case _:
                pass
        if taken is None:
            raise TypeError(f"{self.key} takes {kind.takes}, or UNSET, not {shown}")
        return self.message(state=SettingState.VALUE, **{kind.field: taken})


def _target(message: Message | type[Message], name: str) -> type[Message]:
    field: Deferred = getattr(message if isinstance(message, type) else type(message), name)
    return field.target


def _walk(message: type[Message], prefix: str) -> Iterator[Leaf]:
    for name, spec in message.specs().items():
        if spec.kind == "message":
            inner = _target(message, name)
            if inner in _KINDS:
                yield Leaf(prefix + name, inner)
            else:
                yield from _walk(inner, f"{prefix}{name}.")


@cache
def leaves() -> Mapping[str, Leaf]:
    """Everything that can be set, by key, in the order of the definitions."""
    return {leaf.key: leaf for leaf in _walk(SettingsMessage, "")}


def leaf_of(key: object) -> Leaf:
    """The leaf of a key.

    Raises:
        TypeError: It is not text.
        ValueError: Nothing of that name can be set.
    """
    known = leaves()
    if not isinstance(key, str):
        raise TypeError(f"settings go by keys of text, not {type(key).__name__} ({key!r})")
    if key not in known:
        close = get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise ValueError(f"there is no setting {key!r}; {hint}")
    return known[key]


def values(settings: SettingsMessage | None) -> Iterator[tuple[Leaf, SettingValue]]:
    """What the settings of one scope set."""
    if settings is not None:
        for leaf in leaves().values():
            value = leaf.read(leaf.find(settings))
            if value is not None:
                yield leaf, value


def _models() -> Iterator[tuple[str, AcceleratorModel]]:
    for model in AcceleratorModel:
        if model and model.name:
            yield model.name.lower().replace("_", "-").replace("amazon-", "aws-"), model


def _accelerator(name: str) -> GPUAccelerator:
    # The server knows the names; one that this release does not know is left to it.
    model = dict(_models()).get(name)
    if model is None:
        return GPUAccelerator(device=name)
    # Models are numbered in hundreds, one for each class of devices.
    return GPUAccelerator(
        device=name, accelerator_model=model, device_class=GPUAcceleratorDeviceClass(int(model) // 100)
    )


def _accelerator_name(value: GPUAccelerator | None) -> str:
    if value is None:
        return ""
    names = {model: name for name, model in _models()}
    return value.device or names.get(value.accelerator_model, "")
