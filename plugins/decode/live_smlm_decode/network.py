"""DECODE's network (Speiser et al., Nat Methods 18, 1082-1090, 2021).

A U-Net encodes each frame, a second one looks at three encoded frames; both
have two levels, ELUs and no normalisation. Four heads give probability, means,
sigmas and background. The published width is 48.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.core import require
from live_smlm.inference.raw_maps import Output
from live_smlm.training.network import Recipe, Scales

WIDTH = 48
_PROBABILITY_AT_START = -6.0
_LOGIT_LIMIT = 8.0
_LEAST_SIGMA = 0.001
_LARGEST_SIGMA = 3.0
_BEYOND = 1.2
"""How far background and z may lie beyond the training's range."""


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ELU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ELU(inplace=True),
    )


class _Unet(nn.Module):
    """Two levels below full resolution."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            [
                _convolutions(inputs, width),
                _convolutions(width, 2 * width),
                _convolutions(2 * width, 4 * width),
            ]
        )
        self.downs = nn.ModuleList([nn.Conv2d(w, w, 2, stride=2) for w in (width, 2 * width)])
        self.narrows = nn.ModuleList([nn.Conv2d(2 * w, w, 1) for w in (width, 2 * width)])
        self.joins = nn.ModuleList([_convolutions(2 * w, w) for w in (width, 2 * width)])
        self.last = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The same size, `width` channels."""
        fine = self.levels[0](x)
        middle = self.levels[1](self.downs[0](fine))
        coarse = self.levels[2](self.downs[1](middle))
        for level, kept in ((1, middle), (0, fine)):
            wide = F.interpolate(self.narrows[level](coarse), scale_factor=2.0, mode="nearest")
            coarse = self.joins[level](torch.cat([kept, wide], 1))
        answer: Tensor = self.last(coarse)
        return answer


class Decode(nn.Module):
    """See `live_smlm.training.network.Network`."""

    halo = (1, 1)
    margin_px = 48
    stride = 4
    encodes = True
    recipe = Recipe()

    def __init__(self, scales: Scales, width: int = WIDTH) -> None:
        super().__init__()
        require(1 <= width <= 128, f"decode width is {width}; give 1 to 128, as published 48")
        self._scales = scales
        self.outputs = (
            Output("clamp", _LOGIT_LIMIT),
            Output("sigmoid", scales.brightest),
            Output("tanh"),
            Output("tanh"),
            Output("tanh", _BEYOND),
            *(Output("sigmoid", _LARGEST_SIGMA, _LEAST_SIGMA),) * 4,
            Output("sigmoid", _BEYOND),
        )
        self.shared = _Unet(1, width)
        self.union = _Unet(3 * width, width)
        self.heads = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.lasts = nn.ModuleList([nn.Conv2d(width, maps, 1) for maps in (1, 4, 4, 1)])
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        probability = self.lasts[0].bias
        nn.init.constant_(probability, _PROBABILITY_AT_START)  # type: ignore[arg-type] # it has one

    def shorten(self) -> None:
        """Half precision for all but the normalisation and the last layers."""
        self.half()
        self.lasts.float()

    def encode(self, frames: Tensor) -> Tensor:
        """Each frame by itself."""
        x = (frames - self._scales.offset) / self._scales.scale
        encoded: Tensor = self.shared(x.to(self.heads.weight.dtype))
        return encoded

    def fuse(self, window: Tensor) -> Tensor:
        """Raw maps from three encoded frames."""
        joined = F.elu(self.heads(self.union(window)))
        with torch.autocast(joined.device.type, enabled=False):
            parts = joined.float().chunk(4, 1)
            raw = [last(part) for last, part in zip(self.lasts, parts, strict=True)]
        return torch.cat(raw, 1)
