"""BGnet's U-Net: channels and depth as in the paper's figure, 3x3 convolutions throughout."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

_DEEPEST = 8
"""Channels at the bottom, in widths; twice the next level's doubling, as in the paper."""


class UNet(nn.Module):
    """One map to one map, of sides that are multiples of four."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        middle, deep = 2 * width, _DEEPEST * width
        self.fine, self.coarse, self.bottom = (
            _twice(1, width),
            _twice(width, middle),
            _twice(middle, deep),
        )
        self.up = _twice(deep + middle, middle)
        self.out = nn.Sequential(_twice(middle + width, width), nn.Conv2d(width, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1, p, p) to the same shape."""
        fine = self.fine(images)
        coarse = self.coarse(_halved(fine))
        bottom = self.bottom(_halved(coarse))
        up = self.up(torch.cat([_doubled(bottom), coarse], dim=1))
        told: Tensor = self.out(torch.cat([_doubled(up), fine], dim=1))
        return told


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_step(inputs, outputs), *_step(outputs, outputs))


def _step(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def _halved(images: Tensor) -> Tensor:
    return nn.functional.max_pool2d(images, 2)


def _doubled(images: Tensor) -> Tensor:
    return interpolate(images, scale_factor=2.0, mode="nearest")
