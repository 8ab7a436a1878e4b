"""Networks run by torch in TensorRT's place, and bundles of networks that nobody trained.

For GPUs that TensorRT does not know, and to have something to compare with:
speed does not depend on the weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from live_smlm.core import CameraModel
from live_smlm.inference.bundle import Bundle, write_bundle
from live_smlm.inference.manifest import Manifest
from live_smlm.inference.tensorrt_layout import Layout, Part
from live_smlm.physics.psf.gaussian import AstigmaticPSF
from live_smlm.training import export
from live_smlm.training.extraction import GRID, SLOTS
from live_smlm.training.molecules import Molecules, scales_of
from live_smlm.training.molecules_bundle import envelope
from live_smlm.training.network import AnyNetwork, build
from live_smlm.training.scene import Scene
from live_smlm.training.trainer import Training

PSF = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
SCENE = Scene(
    psf=PSF,
    cameras=(CameraModel(shape=(32, 32), pixel_size_nm=100.0, read_noise_e=1.5),),
    density_per_um2=(0.1, 3.0),
    photons=(500.0, 8000.0),
    background=(5.0, 30.0),
    z_nm=(-600.0, 600.0),
)


class TorchPlan:
    """One graph of a network, with the names of `tensorrt_plan.Plan`."""

    def __init__(self, module: nn.Module, part: Part, device: torch.device) -> None:
        self.module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch takes it
        self.inputs = list(part.shapes)
        self.outputs = list(part.outputs)
        self.shapes: Mapping[str, tuple[int, ...]] = {**part.shapes, **part.outputs}
        short = torch.float16 if part.precision == "fp16" else torch.float32
        types = {"frames": torch.float32, "molecules": torch.float32, "crowded": torch.int32}
        self.types = {name: types.get(name, short) for name in self.shapes}

    def execution(self) -> "TorchExecution":
        """For one lane."""
        return TorchExecution(self)


class TorchExecution:
    """With the names of `tensorrt_plan.Execution`."""

    def __init__(self, plan: TorchPlan) -> None:
        self.plan = plan
        self._bound: dict[str, Tensor] = {}

    def bind(self, name: str, tensor: Tensor) -> None:
        """Let an input or output lie there."""
        self._bound[name] = tensor

    def enqueue(self, stream: object) -> None:
        """On the current stream, which is that one."""
        del stream
        with torch.no_grad():
            found = self.plan.module(*(self._bound[name] for name in self.plan.inputs))
        for name, value in zip(
            self.plan.outputs, found if isinstance(found, tuple) else (found,), strict=True
        ):
            self._bound[name].copy_(value)


def torch_plans(bundle: Bundle, layout: Layout, device: torch.device) -> dict[str, Any]:
    """What `Lane` wants, from the weights of a bundle that this program has trained."""
    network, scene = network_of(bundle)
    exact = layout.find.precision == "fp32"
    axes = bundle.manifest.axes
    stages = export._stages(network, scales_of(scene), axes, exact=exact)  # noqa: SLF001 - the very modules that are exported
    return {
        name: TorchPlan(stages["molecules" if name == "find" else "features"][0], part, device)
        for name, part in layout.parts.items()
    }


def network_of(bundle: Bundle) -> tuple[AnyNetwork, Scene]:
    """The trained network itself, and what it was trained for."""
    told = bundle.manifest.provenance["training"]
    said = dict(told["scene"])
    cameras = tuple(
        CameraModel(**{**c, "shape": tuple(c["shape"]), "roi_corner": tuple(c["roi_corner"])})
        for c in said.pop("cameras")
    )
    said.pop("psf")
    ranges: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    scene = Scene(psf=bundle.psf(), cameras=cameras, **ranges)
    network: AnyNetwork = build(told["architecture"], scales_of(scene), told["options"])
    weights = load((bundle.folder / "weights.safetensors").read_bytes())
    network.load_state_dict(weights)
    return network, scene


def untrained(architecture: str, options: Mapping[str, Any], folder: Path) -> Bundle:
    """A bundle with weights as they were drawn."""
    torch.manual_seed(0)
    lesson = Molecules(architecture=architecture, scene=SCENE, options=options)
    training = Training(lesson=lesson, steps=1)
    scales = lesson.scales
    network: AnyNetwork = build(architecture, scales, options)
    manifest = Manifest(
        name=folder.name,
        architecture=architecture,
        axes=SCENE.axes,
        halo=network.halo,
        grid=GRID,
        slots=SLOTS,
        threshold=0.5,
        margin_px=network.margin_px,
        macs_per_pixel=export.macs_per_pixel(network),
        envelope=envelope(SCENE),
        outputs=export.meant(network, scales, SCENE.axes),
        provenance={"command": "untrained", "training": training.told()},
    )
    return write_bundle(folder, manifest, export.files(network, scales, SCENE.axes), PSF)
