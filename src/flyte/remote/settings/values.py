"""The individual settings: leaves of the settings message, and their Python values."""

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
"""The value of a setting that removes an inherited value. Omitted settings are inherited."""

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
        """Return the origin for a settings key."""
        if key is None or not key.domain:
            return cls("ORG")
        return cls("PROJECT", key.domain, key.project) if key.project else cls("DOMAIN", key.domain)

    def __str__(self) -> str:
        if self.domain is None:
            return self.scope_type
        return f"{self.scope_type}({'/'.join(name for name in (self.domain, self.project) if name)})"


@attrs.frozen
class EffectiveSetting:
    """An effective value in a scope.

    Attributes:
        key: What is set, such as "run.default_queue".
        value: The value; for a map, the merged entries of this scope and the scopes above. `UNSET` if it was removed.
        origin: The narrowest scope that sets it.
        entries: For a map, the origin of each entry; otherwise empty.
    """

    key: str
    value: SettingValue
    origin: SettingOrigin
    entries: Mapping[str, SettingOrigin] = attrs.field(factory=dict[str, SettingOrigin], hash=False)


@attrs.frozen
class LocalSetting:
    """A value that a scope sets itself.

    Attributes:
        key: What is set, such as "run.default_queue".
        value: The value; for a map, the entries set here. `UNSET` removes an inherited value.
    """

    key: str
    value: SettingValue = attrs.field(hash=False)


class _Kind(NamedTuple):
    field: str
    """The field of the leaf that holds the value."""
    takes: str
    """The accepted values, for errors."""


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
    """An individual setting."""

    key: str
    message: type[Message]

    @property
    def is_map(self) -> bool:
        """Whether the values of several scopes are merged."""
        return self.message is StringMapSetting

    def find(self, settings: SettingsMessage) -> Any:
        """Return the message of this leaf; None if it is not set."""
        found: Any = settings
        for name in self.key.split("."):
            if found is None:
                return None
            found = getattr(found, name)
        return found

    def put(self, settings: SettingsMessage, leaf: Message | None) -> None:
        """Set or remove the message of this leaf."""
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
        """Return the value in the message of a leaf; None if it is inherited, or unknown to this release."""
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
        """Return the message of this leaf for a value.

        Raises:
            TypeError: The value has the wrong type for the setting.
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
    """Return all settings by key, in the order of the definitions."""
    return {leaf.key: leaf for leaf in _walk(SettingsMessage, "")}


def leaf_of(key: object) -> Leaf:
    """Return the leaf of a key.

    Raises:
        TypeError: The key is not text.
        ValueError: The setting does not exist.
    """
    known = leaves()
    if not isinstance(key, str):
        raise TypeError(f"setting keys must be text, not {type(key).__name__} ({key!r})")
    if key not in known:
        close = get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        raise ValueError(f"no setting is named {key!r}; {hint}")
    return known[key]


def values(settings: SettingsMessage | None) -> Iterator[tuple[Leaf, SettingValue]]:
    """Return the values that the settings of one scope set."""
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
    # Names that this release does not know are left to the server.
    model = dict(_models()).get(name)
    if model is None:
        return GPUAccelerator(device=name)
    # Each device class has its own hundred of model numbers.
    return GPUAccelerator(
        device=name, accelerator_model=model, device_class=GPUAcceleratorDeviceClass(int(model) // 100)
    )


def _accelerator_name(value: GPUAccelerator | None) -> str:
    if value is None:
        return ""
    names = {model: name for name, model in _models()}
    return value.device or names.get(value.accelerator_model, "")
