"""LiteLoc's network (Fei et al., Nat Commun 16, 2025), for comparison.

Frames are encoded at half resolution; three encoded frames and the middle
frame's pooled image pass four dilated convolutions, a small U-Net and, back at
full resolution, three heads. Each convolution is followed by ReLU and batch
normalisation. There is no head for the background.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.inference.raw_maps import Output
from live_smlm.training.network import LossWeights, Recipe, Scales

WIDTH = 64
_PROBABILITY_AT_START = -6.0
_LEAST_SIGMA = 0.001
_DEEPEST = 1.2


class _Block(nn.Sequential):
    """3x3 convolution, ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(outputs),
        )


class LiteLoc(nn.Module):
    """See `live_smlm.training.network.Network`; the published width is 64."""

    halo = (1, 1)
    margin_px = 100
    stride = 4
    encodes = True
    recipe = Recipe(weights=LossWeights(background=0.0, presence=1.0))

    def __init__(self, scales: Scales, width: int = WIDTH) -> None:
        super().__init__()
        self._scales, self._width = scales, width
        self.outputs = (
            Output("linear"),
            Output("sigmoid", scales.brightest),
            Output("tanh"),
            Output("tanh"),
            Output("tanh", _DEEPEST),
            *(Output("sigmoid", offset=_LEAST_SIGMA),) * 4,
            Output("none"),
        )
        w = width
        self.frame = nn.BatchNorm2d(1)
        self.image = _Block(1, w)
        self.encoder = nn.ModuleList([_Block(w, w), _Block(2 * w, w), _Block(2 * w, w)])
        self.mix = _Block(4 * w, w)
        self.dilated = nn.ModuleList([_Block(2 * w, w, d) for d in (2, 4, 8, 16)])
        self.enter = _Block(2 * w, w)
        self.coarse = nn.Sequential(_Block(w, w), _Block(w, 2 * w), _Block(2 * w, 2 * w))
        self.rise = _Block(2 * w, w)
        self.join = nn.Sequential(_Block(2 * w, w), _Block(w, w))
        self.full = nn.Sequential(_Block(w, w), _Block(w, w))
        self.heads = nn.Conv2d(w, 3 * w, 3, padding=1)
        self.lasts = nn.ModuleList([nn.Conv2d(w, maps, 1) for maps in (1, 4, 4)])
        nn.init.constant_(self.lasts[0].bias, _PROBABILITY_AT_START)  # type: ignore[arg-type] # it has one

    def shorten(self) -> None:
        """Half precision for all but the normalisation and the last layers."""
        self.half()
        self.lasts.float()
        self.frame.float()

    def encode(self, frames: Tensor) -> Tensor:
        """Features and the pooled image, one after the other, of each frame by itself."""
        x = self.frame((frames - self._scales.offset) / self._scales.scale)
        image = F.max_pool2d(self.image(x.to(self.heads.weight.dtype)), 2)
        out = self.encoder[0](image)
        for block in self.encoder[1:]:
            out = block(torch.cat([out, image], 1)) + out
        return torch.cat([out, image], 1)

    def fuse(self, window: Tensor) -> Tensor:
        """Raw maps from three encoded frames."""
        w = self._width
        before, now, image, after = (window[:, k * w : (k + 1) * w] for k in (0, 2, 3, 4))
        out = self.mix(torch.cat([before, now, after, image], 1)) + now
        outs = []
        for block in self.dilated:
            out = block(torch.cat([out, image], 1)) + out
            outs.append(out)
        out = outs[3] + outs[0] + outs[2]
        fine = self.enter(torch.cat([out, image], 1))
        coarse = F.interpolate(self.coarse(F.avg_pool2d(fine, 2)), scale_factor=2.0)
        out = self.join(torch.cat([self.rise(coarse), fine], 1))
        out = self.full(F.interpolate(out, scale_factor=2.0))
        joined = F.elu(self.heads(out))
        with torch.autocast(joined.device.type, enabled=False):
            parts = joined.float().chunk(3, 1)
            raw = [last(part) for last, part in zip(self.lasts, parts, strict=True)]
        return torch.cat([*raw, torch.zeros_like(raw[0])], 1)
