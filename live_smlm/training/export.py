"""From a trained network to the files of a bundle.

Alone knows how a network becomes ONNX: two graphs where frames are encoded one
by one, else one; normalisation and extraction in 32 bits, and in the short
form all that lies between in 16.
"""

import copy
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from live_smlm.inference.raw_maps import Output
from live_smlm.training.extraction import GRID, Extraction
from live_smlm.training.lesson import Graph
from live_smlm.training.network import Z_SIGMA, AnyNetwork, Scales, Z, understood
from live_smlm.training.onnx_graph import onnx_of

_SIDE = 2 * GRID
_TRIAL_FRAMES = 4


class _Features(nn.Module):
    def __init__(self, network: AnyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        encoded: Tensor = self.network.encode(frames.unsqueeze(1))
        return encoded


class _Maps(nn.Module):
    def __init__(self, network: AnyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        if not self.network.encodes:
            features = self.network.encode(features.unsqueeze(1))
        context = sum(self.network.halo)
        n = features.shape[0] - context
        window = torch.cat([features[k : n + k] for k in range(context + 1)], 1)
        raw: Tensor = self.network.fuse(window)
        return raw


class _Molecules(_Maps):
    def __init__(self, network: AnyNetwork, extraction: Extraction) -> None:
        super().__init__(network)
        self.extraction = extraction

    def forward(self, features: Tensor) -> Any:
        """The molecules and how many found no place."""
        return self.extraction(understood(super().forward(features), self.network.outputs))


def files(network: AnyNetwork, scales: Scales, axes: int) -> dict[str, bytes]:
    """Weights and graphs by file name; the network itself is left as it is."""
    held: dict[str, bytes] = {}
    weights = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    held["weights.safetensors"] = save(weights)
    for ending, exact in ((".onnx", True), (".fp16.onnx", False)):
        stages = _stages(network, scales, axes, exact=exact)
        if not exact:
            del stages["maps"]  # processors want 32 bits, GPUs the molecules
        for name, (module, example) in stages.items():
            held[name + ending] = _onnx(module, example, name)
    return held


def meant(network: AnyNetwork, scales: Scales, axes: int) -> tuple[Output, ...]:
    """What the raw maps mean in pixels, nm and effective counts."""
    units = [1.0, scales.photons, 1.0, 1.0, scales.z_nm]
    units += [scales.photons, 1.0, 1.0, scales.z_nm, scales.background]
    outputs = [
        output
        if unit == 1
        else replace(output, scale=output.scale * unit, offset=output.offset * unit)
        for output, unit in zip(network.outputs, units, strict=True)
    ]
    if axes == 2:
        outputs[Z] = outputs[Z_SIGMA] = Output("none")
    return tuple(outputs)


def _stages(
    network: AnyNetwork, scales: Scales, axes: int, *, exact: bool
) -> dict[str, tuple[nn.Module, Tensor]]:
    """The graphs by name, with an input as they will get it."""
    ours = copy.deepcopy(network).cpu().eval()
    ours.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload] # torch takes it
    if not exact:
        ours.shorten()
    frames = torch.rand(_TRIAL_FRAMES, _SIDE, _SIDE) * 100
    molecules = _Molecules(ours, Extraction(scales, axes))
    if not ours.encodes:
        return {"molecules": (molecules, frames), "maps": (_Maps(ours), frames)}
    features = _Features(ours)
    with torch.no_grad():
        encoded = features(frames)
    return {
        "features": (features, frames),
        "molecules": (molecules, encoded),
        "maps": (_Maps(ours), encoded),
    }


def _onnx(module: nn.Module, example: Tensor, stage: str) -> bytes:
    """One graph; number of frames, height and width stay open."""
    given = "frames" if example.ndim == 3 else "features"
    open_axes = {0: "n", example.ndim - 2: "h", example.ndim - 1: "w"}
    outputs: tuple[str, ...] = (stage,)
    axes = {given: open_axes, stage: {0: "m", 2: "rows", 3: "columns"}}
    if stage == "molecules":
        outputs = ("molecules", "crowded")
        axes = {given: open_axes, **{name: {0: "m", 1: "tiles"} for name in outputs}}
    graph = Graph(module=module, inputs={given: example}, outputs=outputs, open_axes=axes)
    return onnx_of(graph)


def macs_per_pixel(network: AnyNetwork) -> float:
    """Multiply-adds of all convolutions per pixel of a frame that is encoded once."""
    total = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output[0].numel() * module.weight[0].numel()

    ours = copy.deepcopy(network).cpu().eval()
    hooks = [module.register_forward_hook(count) for module in ours.modules()]
    with torch.no_grad():
        encoded = ours.encode(torch.zeros(1, 1, _SIDE, _SIDE))
        ours.fuse(torch.cat([encoded] * (sum(ours.halo) + 1), 1))
    for hook in hooks:
        hook.remove()
    return total / _SIDE**2
