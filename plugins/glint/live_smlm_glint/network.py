"""The network of glint: a light stem for each frame, and a narrow U-Net over three of them.

All of it at full resolution, 16 channels wide: a stem that denoises each
frame once and for all windows that hold it, then a U-Net that sees three of
them. Frames enter as square roots, in which noise is the same everywhere.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.inference.raw_maps import MAPS, Output
from live_smlm.training.network import LOGIT, Recipe, Scales

_PROBABILITY_AT_START = -6.0
_LEAK = 0.1
_LEAST_SIGMA = 0.002
_FARTHEST_PX = 1.5
_DEEPEST = 1.3
"""How far positions reach: pixels from a pixel's centre, and units of z."""


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.LeakyReLU(_LEAK, inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.LeakyReLU(_LEAK, inplace=True),
    )


class _Down(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(nn.Conv2d(width, width, 2, stride=2), _convolutions(width, 2 * width))


class _Up(nn.Module):
    """Half the channels at twice the resolution, joined with what is there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(2 * width, width, 1)
        self.join = _convolutions(2 * width, width)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        wide = F.interpolate(self.narrow(coarse), scale_factor=2.0, mode="nearest")
        joined: Tensor = self.join(torch.cat([wide, fine], 1))
        return joined


class Glint(nn.Module):
    """See `live_smlm.training.network.Network`."""

    halo = (1, 1)
    margin_px = 32
    stride = 4
    encodes = True
    recipe = Recipe()
    outputs = (
        Output("linear"),
        Output("softplus"),
        Output("tanh", _FARTHEST_PX),
        Output("tanh", _FARTHEST_PX),
        Output("tanh", _DEEPEST),
        *(Output("softplus", offset=_LEAST_SIGMA),) * 4,
        Output("softplus"),
    )

    def __init__(self, scales: Scales, width: int = 16) -> None:
        super().__init__()
        self._scales = scales
        self.stem = _convolutions(1, width)
        self.stem_down = _Down(width)
        self.stem_up = _Up(width)
        self.first = _convolutions(3 * width, width)
        self.down_1, self.down_2 = _Down(width), _Down(2 * width)
        self.up_1, self.up_2 = _Up(2 * width), _Up(width)
        self.heads = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.last = nn.Conv2d(4 * width, MAPS, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None  # noqa: S101 - all of them have one
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.last.weight.mul_(0.3)
            self.last.bias[LOGIT] = _PROBABILITY_AT_START  # type: ignore[index] # it has one

    def shorten(self) -> None:
        """Half precision for all but the normalisation and the last layer."""
        self.half()
        self.last.float()

    def encode(self, frames: Tensor) -> Tensor:
        """Each frame by itself."""
        s = self._scales
        middle = 2 * math.sqrt(s.offset + 0.375)
        x = (2 * torch.sqrt(F.relu(frames + 0.375)) - middle) / (2 * math.sqrt(s.scale))
        fine = self.stem(x.to(self.heads.weight.dtype))
        encoded: Tensor = self.stem_up(self.stem_down(fine), fine)
        return encoded

    def fuse(self, window: Tensor) -> Tensor:
        """Raw maps from three encoded frames."""
        fine = self.first(window)
        middle = self.down_1(fine)
        middle = self.up_1(self.down_2(middle), middle)
        joined = F.leaky_relu(self.heads(self.up_2(middle, fine)), _LEAK)
        # Positions to a thousandth of a pixel want more digits than the layers before them.
        with torch.autocast(joined.device.type, enabled=False):
            raw: Tensor = self.last(joined.float())
        return raw
