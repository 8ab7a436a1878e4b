"""smNet in small: residual blocks on a cut-out, then what it tells of the molecule.

The blocks are the paper's; there are fewer of them, narrower, and the second
convolution halves the sides. Aberrations, where they are asked for, are told
first; places are told by who knows them.
"""

from typing import cast

import torch
from torch import Tensor, nn

FEATURES = 128
VALUES = 5
"""x, y, photons, background, z; in units of `Units`."""
_LAST_CHANNELS = 12
_NARROWEST, _WIDEST = 0.005, 0.5
"""Bounds of the widths of aberrations that it may tell, rad."""
_STRONG = 0.15
"""Aberrations are given to the last layers in units of this, rad."""


class SmNet(nn.Module):
    """`look` at cut-outs, then `place` what is in them."""

    def __init__(self, width: int, size: int, modes: int) -> None:
        super().__init__()
        double, wide, side = 2 * width, 4 * width, (size + 1) // 2
        self.trunk = nn.Sequential(
            *_step(1, width, 7),
            *_step(width, double, 5, 2),
            Residual(double, double),
            Residual(double, double),
            Residual(double, wide),
            Residual(wide, wide),
            Residual(wide, wide),
            *_step(wide, double, 1),
            *_step(double, _LAST_CHANNELS, 1),
            nn.Flatten(),
            nn.Linear(_LAST_CHANNELS * side**2, FEATURES),
            nn.PReLU(),
        )
        self.modes = modes
        self.optics = nn.Linear(FEATURES, 2 * modes) if modes else None
        self.values = nn.Sequential(
            nn.Linear(FEATURES + 2 * modes, FEATURES // 2),
            nn.PReLU(),
            nn.Linear(FEATURES // 2, VALUES),
        )

    def look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features, aberrations and how well these are known (sigma), rad."""
        features: Tensor = self.trunk(images).float()
        if self.optics is None:
            none = features[:, :0]
            return features, none, none
        told, width = self.optics(features).float().split(self.modes, dim=1)
        return features, _STRONG * told, _NARROWEST + (_WIDEST - _NARROWEST) * width.sigmoid()

    def place(self, features: Tensor, aberrations: Tensor, width: Tensor) -> Tensor:
        """(n, VALUES) where the aberrations are known so well."""
        known = [features, aberrations / _STRONG, width.log()] if self.modes else [features]
        return cast("Tensor", self.values(torch.cat(known, dim=1))).float()


def agreed(told: Tensor, width: Tensor, usual: float, together: int) -> tuple[Tensor, Tensor]:
    """As `shared.agreed`, of every so many rows; (n, modes) each, the same for all of them."""
    before = usual**-2
    sure = width**-2
    more = (sure - before).clamp(min=0)
    worth = torch.where(more > 0, sure * told, 0.0)
    parts = [v.reshape(-1, together, v.shape[1]).sum(dim=1) for v in (worth, more)]
    total = before + parts[1]
    both = parts[0] / total, total**-0.5
    return both[0].repeat_interleave(together, 0), both[1].repeat_interleave(together, 0)


class Residual(nn.Module):
    """Three convolutions beside the way straight on, as in the paper."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        quarter, half = outputs // 4, outputs // 2
        self.way = nn.Sequential(
            *_step(inputs, quarter, 3),
            *_step(quarter, half, 3),
            nn.Conv2d(half, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.straight = nn.Identity() if inputs == outputs else _matched(inputs, outputs)
        self.end = nn.PReLU()

    def forward(self, images: Tensor) -> Tensor:
        """To as many maps as it has outputs."""
        return cast("Tensor", self.end(self.way(images) + self.straight(images)))


def _matched(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def _step(inputs: int, outputs: int, side: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.PReLU()
