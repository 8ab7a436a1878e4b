"""MS-SSIM of pictures, for torch: the multi-scale structural similarity of Wang et al. (2003)."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, finest first."""
WINDOW = 11
COARSEST = 2 ** (len(WEIGHTS) - 1)
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def ms_ssim(one: Tensor, other: Tensor, brightest: float) -> Tensor:
    """(n,) of (n, 1, h, w) pictures; a side has at least 11 pixels at the coarsest scale."""
    c1, c2 = (_K1 * brightest) ** 2, (_K2 * brightest) ** 2
    product = torch.ones(len(one), device=one.device)
    for scale, weight in enumerate(WEIGHTS):
        likeness, contrast = _ssim(one, other, c1, c2)
        last = scale == len(WEIGHTS) - 1
        product = product * (likeness if last else contrast).clamp(min=1e-4) ** weight
        one, other = F.avg_pool2d(one, 2), F.avg_pool2d(other, 2)
    return product


def _ssim(one: Tensor, other: Tensor, c1: float, c2: float) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term per picture."""
    stack = torch.cat([one, other, one * one, other * other, one * other], 1)
    a, b, aa, bb, ab = _smoothed(stack).unbind(1)
    contrast = (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)
    whole = (2 * a * b + c1) / (a * a + b * b + c1) * contrast
    return whole.mean((1, 2)), contrast.mean((1, 2))


def _smoothed(x: Tensor) -> Tensor:
    at = torch.arange(WINDOW, device=x.device, dtype=x.dtype) - WINDOW // 2
    line = torch.exp(-0.5 * (at / _SIGMA) ** 2)
    line = line / line.sum()
    n = x.shape[1]
    x = F.conv2d(x, line.view(1, 1, 1, -1).expand(n, 1, 1, -1), groups=n)
    return F.conv2d(x, line.view(1, 1, -1, 1).expand(n, 1, -1, 1), groups=n)
