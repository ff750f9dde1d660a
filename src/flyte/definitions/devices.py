"""Accelerators by name: `flyte.GPU("A100", 2)`."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from .resources import Device

_GPUS = (
    *("A10", "A10G", "A100", "A100 80G", "B200", "H100", "H200", "L4", "L40s", "T4", "V100", "RTX PRO 6000", "GB10"),
)
_MIG = {
    "A100": ("1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"),
    "A100 80G": ("1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"),
    "H100": ("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"),
    "H200": ("1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"),
}
_SMALL = ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
_LARGE = (
    *("2x2x1", "2x2x2", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x16", "8x16x16", "16x16x16", "16x16x24"),
)
_TPUS = {"V5E": _SMALL, "V5P": _LARGE, "V6E": _SMALL}
_NEURONS = ("Inf1", "Inf2", "Trn1", "Trn1n", "Trn2", "Trn2u")
_AMD = ("MI100", "MI210", "MI250", "MI250X", "MI300A", "MI300X", "MI325X", "MI350X", "MI355X")
_HABANA = ("Gaudi1",)


def _known(argument: str, value: str, choices: Iterable[str]) -> str:
    names = list(choices)
    if value not in names:
        near = get_close_matches(str(value), names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}."
        raise ValueError(f"{argument} is {value!r}; {hint} For others, use flyte.Device(...)")
    return value


def GPU(device: str, quantity: int, partition: str | None = None) -> Device:
    """Return NVIDIA GPUs for `flyte.Resources(gpu=...)`.

    Args:
        device: Kind of GPU, such as "T4" or "A100".
        quantity: Number of GPUs, at least 1.
        partition: Slice of an A100, "A100 80G", H100 or H200, such as "1g.5gb". Default: whole GPUs.

    Raises:
        ValueError: The device, the quantity or the partition is unknown.
    """
    _known("GPU device", device, _GPUS)
    if partition is not None:
        _known(f"GPU partition of {device}", partition, _MIG.get(device, ()))
    return Device(quantity, device, partition)


def TPU(device: str, partition: str | None = None) -> Device:
    """Return a Google TPU for `flyte.Resources(gpu=...)`.

    Args:
        device: Kind of TPU: "V5E", "V5P" or "V6E".
        partition: Topology, such as "2x2". Default: the cluster's.

    Raises:
        ValueError: The device or the partition is unknown.
    """
    _known("TPU device", device, _TPUS)
    if partition is not None:
        _known(f"TPU partition of {device}", partition, _TPUS[device])
    return Device(1, device, partition, "TPU")


def Neuron(device: str) -> Device:
    """Return an AWS Neuron device for `flyte.Resources(gpu=...)`.

    Args:
        device: Kind of device, such as "Inf2" or "Trn1".

    Raises:
        ValueError: The device is unknown.
    """
    return Device(1, _known("Neuron device", device, _NEURONS), device_class="NEURON")


def AMD_GPU(device: str) -> Device:
    """Return an AMD GPU for `flyte.Resources(gpu=...)`.

    Args:
        device: Kind of GPU, such as "MI300X".

    Raises:
        ValueError: The device is unknown.
    """
    return Device(1, _known("AMD_GPU device", device, _AMD), device_class="AMD")


def HABANA_GAUDI(device: str) -> Device:
    """Return a Habana Gaudi device for `flyte.Resources(gpu=...)`.

    Args:
        device: Kind of device: "Gaudi1".

    Raises:
        ValueError: The device is unknown.
    """
    return Device(1, _known("HABANA_GAUDI device", device, _HABANA), device_class="HABANA")
