"""Resources of tasks."""

from __future__ import annotations

import difflib
import re
from typing import Any, cast

import attrs

from flyte.definitions.validators import one_of

_QUANTITY = re.compile(r"^\d+(\.\d+)?([eE][+-]?\d+)?(m|k|[KMGTPE]i?)?$")
_UNITS = {
    "": 1.0,
    "m": 1e-3,
    **{prefix: 1000.0**power for power, prefix in enumerate("kMGTPE", 1)},
    **{f"{prefix}i": 1024.0**power for power, prefix in enumerate("KMGTPE", 1)},
    "K": 1000.0,
}
_DEVICE_CLASSES = ("NVIDIA", "TPU", "NEURON", "AMD", "HABANA", "APPLE_SILICON")
_OFFICIAL_CLASSES = {"GPU": "NVIDIA", "AMD_GPU": "AMD", "HABANA_GAUDI": "HABANA"}
"""Names of the official SDK for device classes."""

# Short names of devices, and the names that clusters label machines with.
DEVICES = {
    "A10": "nvidia-a10",
    "A10G": "nvidia-a10g",
    "A100": "nvidia-tesla-a100",
    "A100 80G": "nvidia-a100-80gb",
    "H100": "nvidia-tesla-h100",
    "L4": "nvidia-l4",
    "L40s": "nvidia-l40s",
    "T4": "nvidia-tesla-t4",
    "V100": "nvidia-tesla-v100",
    "RTX PRO 6000": "nvidia-rtx-pro-6000",
    "V5E": "tpu-v5-lite-podslice",
    "V5P": "tpu-v5p-slice",
    "V6E": "tpu-v6e-slice",
}


def _device_class(name: str) -> str:
    return _OFFICIAL_CLASSES.get(name, name)


@attrs.frozen
class Device:
    """Accelerators of one kind.

    Args:
        quantity: Number of devices, at least 1.
        device: Kind of device, such as "A100" or "T4"; None for any.
        partition: Slice of a device, such as "1g.5gb". Default: whole devices.
        device_class: "NVIDIA", "TPU", "NEURON", "AMD", "HABANA" or "APPLE_SILICON". The official SDK's names "GPU",
            "AMD_GPU" and "HABANA_GAUDI" are accepted, too. Default: "NVIDIA".

    Raises:
        ValueError: The quantity or the class is invalid.
    """

    quantity: int = attrs.field(default=1, validator=[attrs.validators.instance_of(int), attrs.validators.ge(1)])
    device: str | None = None
    partition: str | None = None
    device_class: str = attrs.field(
        default="NVIDIA",
        converter=_device_class,
        validator=one_of(_DEVICE_CLASSES),
    )

    def __attrs_post_init__(self) -> None:
        if self.device in (*_DEVICE_CLASSES, *_OFFICIAL_CLASSES):
            raise ValueError(f"Device.device is {self.device!r}, which is a class; write device_class={self.device!r}")


def _quantity(argument: str, value: Any, *, numbers: bool) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float) if numbers else str):
        kinds = 'a number or text such as "500m"' if numbers else 'text such as "512Mi" or "2Gi"'
        raise TypeError(f"Resources.{argument} takes {kinds}, not {type(value).__name__} ({value!r})")
    shown = str(value)
    if not _QUANTITY.match(shown):
        raise ValueError(f'Resources.{argument} has {value!r}, which is not a quantity such as "500m", "2" or "1.5Gi"')
    return shown


def _amount(quantity: str) -> float:
    number = quantity.rstrip("mkKMGTPEi")
    unit = quantity[len(number) :]
    return float(number) * _UNITS[unit]


def _pair(argument: str, value: Any, *, numbers: bool) -> tuple[str, str | None] | None:
    """Return a quantity as (request, limit)."""
    if value is None:
        return None
    if isinstance(value, (tuple, list)):
        parts = tuple(cast("tuple[object, ...]", value))
        if len(parts) != 2 or None in parts:
            raise ValueError(f"Resources.{argument} takes one quantity, or a pair of request and limit; not {value!r}")
        request, limit = (_quantity(argument, part, numbers=numbers) for part in parts)
        if _amount(request) > _amount(limit):
            raise ValueError(f"Resources.{argument} requests {request}, which is more than its limit of {limit}")
        return request, limit
    return _quantity(argument, value, numbers=numbers), None


def parse_device(value: int | str | Device) -> Device | None:
    """Return the accelerators for the `gpu` argument; None for none.

    Raises:
        TypeError: The value is neither a number nor text nor a `Device`.
        ValueError: The number is negative, or the device is unknown.
    """
    if isinstance(value, Device):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f'Resources.gpu takes a number, text such as "A100:2" or a Device, not {type(value).__name__}')
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"Resources.gpu must not be negative ({value})")
        return Device(value) if value else None
    name, _, count = value.partition(":")
    if name not in DEVICES:
        near = difflib.get_close_matches(name, DEVICES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(DEVICES)}"
        raise ValueError(f"Resources.gpu has the unknown device {name!r}; {hint} For others, use Device(...)")
    if count and not (count.isdigit() and int(count) > 0):
        raise ValueError(f'Resources.gpu has {value!r}; write the number of devices after the colon, as in "{name}:2"')
    return Device(int(count or 1), name, device_class="TPU" if DEVICES[name].startswith("tpu") else "NVIDIA")


@attrs.frozen
class Resources:
    """CPU, memory, accelerators and disk. Each takes one quantity, or a pair of request and limit.

    Args:
        cpu: Cores: a number, or text such as "500m".
        memory: Bytes as text, such as "512Mi" or ("1Gi", "2Gi").
        gpu: Number of devices, text such as "A100:2", or a `Device`. 0 for none.
        disk: Ephemeral storage as text, such as "10Gi".
        shm: Shared memory as text, or "auto" for as much as the machine allows.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A quantity is invalid.
    """

    cpu: float | str | tuple[float | str, float | str] | None = None
    memory: str | tuple[str, str] | None = None
    gpu: int | str | Device | None = None
    disk: str | tuple[str, str] | None = None
    shm: str | None = None

    def __attrs_post_init__(self) -> None:
        self.quantities()
        self.device()
        if self.shm is not None and self.shm != "auto":
            _quantity("shm", self.shm, numbers=False)

    def quantities(self) -> dict[str, tuple[str, str | None]]:
        """Request and limit of cpu, memory and disk, if set."""
        pairs = {
            "cpu": _pair("cpu", self.cpu, numbers=True),
            "memory": _pair("memory", self.memory, numbers=False),
            "disk": _pair("disk", self.disk, numbers=False),
        }
        return {name: pair for name, pair in pairs.items() if pair is not None}

    def device(self) -> Device | None:
        """The accelerators, if any."""
        return None if self.gpu is None else parse_device(self.gpu)
