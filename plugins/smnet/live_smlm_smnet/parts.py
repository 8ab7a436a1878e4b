"""The trained network as engines run it: its parts, and what their numbers mean."""

import torch
from torch import Tensor, nn

from live_smlm.training.lesson import Graph
from live_smlm_smnet.network import SmNet
from live_smlm_smnet.shared import BACKGROUND, DEPTH_NM, PHOTONS


class Whole(nn.Module):
    """Cut-outs to values, where no aberrations are told."""

    def __init__(self, network: SmNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Cut-outs to values."""
        return self.network.place(*self.network.look(images))


class Look(Whole):
    """What one cut-out tells."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override] # three
        """Cut-outs to features, aberrations and their widths."""
        return self.network.look(images)


class Place(Whole):
    """Values, once the aberrations are agreed on."""

    def forward(self, features: Tensor, aberrations: Tensor, width: Tensor) -> Tensor:  # type: ignore[override] # three
        """All of these to values."""
        return self.network.place(features, aberrations, width)


def meant(values: Tensor, brightest: Tensor) -> Tensor:
    """(n, VALUES) by `NAMES` from the network's units: px, counts, nm."""
    x, y, photons, background, z = values.unbind(dim=1)
    light = brightest * PHOTONS * photons, brightest * BACKGROUND * background
    return torch.stack([x, y, *light, DEPTH_NM * z], dim=1)


def by_rows(module: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...]) -> Graph:
    """A part whose rows have nothing to do with each other."""
    axes = {name: {0: "n"} for name in (*inputs, *outputs)}
    return Graph(module=module.eval(), inputs=inputs, outputs=outputs, open_axes=axes)
