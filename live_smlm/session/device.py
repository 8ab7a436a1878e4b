"""Which device a run computes on: asked for, or chosen and said."""

from collections.abc import Callable

from live_smlm.core import CPU, Device, DeviceKind, EngineSpec, read_device, require
from live_smlm.inference.tensorrt_gpu import cuda_missing
from live_smlm.session.plan import RunPlan

AUTO = "auto"
Missing = Callable[[int], str | None]
"""Why a GPU of that number cannot be used."""


def choose(
    asked: str, devices: tuple[DeviceKind, ...], missing: Missing = cuda_missing
) -> tuple[Device, str]:
    """The device and, where nobody asked for it, why this one.

    `auto` takes the first GPU where the engine can use one and one can be used.
    """
    if asked.strip() != AUTO:
        return read_device(asked), ""
    if "cpu" not in devices:
        return Device("cuda"), "the engine computes on a GPU only"
    if "cuda" not in devices:
        return CPU, "the engine computes on the CPU only"
    reason = missing(0)
    return (Device("cuda"), "a GPU is here") if reason is None else (CPU, reason)


def check_device(device: Device, spec: EngineSpec, missing: Missing = cuda_missing) -> None:
    """Refuse a GPU that is not there, and a device that the engine cannot use."""
    require(
        device.kind in spec.devices,
        f"device is {device}, but engine {spec.name!r} computes on {spec.devices[0]} only; "
        f"use --device {spec.devices[0]}",
    )
    reason = None if device.kind == "cpu" else missing(device.index)
    require(reason is None, f"device is {device}, but {reason}")


def told(plan: RunPlan) -> str:
    """The device in words, for records and screens."""
    return f"{plan.device} (auto: {plan.device_why})" if plan.device_why else str(plan.device)


def quicker(plan: RunPlan) -> str:
    """What helps where workers take too long to be ready."""
    on_gpu = plan.device.kind == "cuda"
    return "; build TensorRT's plans beforehand: live-smlm build MODEL" if on_gpu else ""
