"""From maps to molecules, as part of the exported graph.

Probability near a molecule is spread over the pixels that all point at it, so
a molecule is the probability mass around a predicted position, not a pixel:
of pixels that predict the same place, the most probable one stands for them
all, and its molecule is their mean, weighted by probability. Only operations
that every runtime has: sort out the best pixels of each tile, gather their
neighbours, compare, sum.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.raw_maps import LEAST, SAME_NM, SAME_PX
from live_smlm.training.network import BACKGROUND, LOGIT, PHOTONS, Scales, X, Y, Z

GRID = 32
"""Pixels along the tiles in which molecules are counted out."""
CANDIDATES = 160
SLOTS = 64
"""Molecules that a tile can hold: 6 per µm² at 100 nm."""
CROWDED = 0.3
"""What is this probable and finds no place is a loss to be told."""
_NEAR = 2
_SIDE = 2 * _NEAR + 1


class Extraction(nn.Module):
    """(n, 10, h, w) maps → (n, tiles, SLOTS, 10) molecules, (n, tiles) crowded pixels."""

    def __init__(self, scales: Scales, axes: int) -> None:
        super().__init__()
        self._scales, self._axes = scales, axes

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns are multiples of GRID; empty slots have probability 0."""
        n, _, rows, columns = maps.shape
        down, across = rows // GRID, columns // GRID
        probability = torch.sigmoid(maps[:, LOGIT])
        tiles = probability.reshape(n, down, GRID, across, GRID).transpose(2, 3)
        tiles = tiles.reshape(n, down * across, GRID * GRID)
        best, place = torch.topk(tiles, CANDIDATES, dim=2)
        crowded = _probable(tiles) - _probable(best)
        # Where in the padded image: rows and columns of the candidates.
        tile = torch.arange(down * across, device=maps.device).view(1, -1, 1)
        corner_row = torch.div(tile, across, rounding_mode="floor") * GRID
        corner_column = torch.remainder(tile, across) * GRID
        row = corner_row + torch.div(place, GRID, rounding_mode="floor")
        column = corner_column + torch.remainder(place, GRID)
        planes = self._planes(maps, probability)
        width = columns + 2 * _NEAR
        where = (row * width + column).reshape(n, -1)
        weight, mass, stands = _clusters(planes[:, :4], where, width)
        score = (mass * stands * (best.reshape(n, -1) > LEAST)).reshape(n, -1, CANDIDATES)
        kept, slot = torch.topk(score, SLOTS, dim=2)
        crowded = crowded + _probable(score) - _probable(kept)
        chosen = (slot + tile * CANDIDATES).reshape(n, -1)
        found = self._means(planes, where, weight, mass, chosen, width)
        found = found.reshape(n, -1, SLOTS, len(FIELDS) - 1)
        return torch.cat([kept.clamp(max=1.0).unsqueeze(3), found], 3), crowded.to(torch.int32)

    def _planes(self, maps: Tensor, probability: Tensor) -> Tensor:
        """(n, 10, padded pixels) probability, x, y, z, photons, background, σ², physical."""
        s = self._scales
        n, _, rows, columns = maps.shape
        column = torch.arange(columns, device=maps.device, dtype=maps.dtype) + 0.5
        row = torch.arange(rows, device=maps.device, dtype=maps.dtype) + 0.5
        flat = float(self._axes == 3)  # a 2D network has no z to tell
        planes = [
            probability,
            maps[:, X] + column,
            maps[:, Y] + row.view(-1, 1),
            maps[:, Z] * (s.z_nm * flat),
            maps[:, PHOTONS] * s.photons,
            maps[:, BACKGROUND] * s.background,
            maps[:, 6].square(),
            maps[:, 7].square(),
            (maps[:, 8] * (s.z_nm * flat)).square(),
            (maps[:, 5] * s.photons).square(),
        ]
        padded = F.pad(torch.stack(planes, 1), [_NEAR] * 4)
        return padded.reshape(n, len(FIELDS), (rows + 2 * _NEAR) * (columns + 2 * _NEAR))

    def _means(
        self,
        planes: Tensor,
        where: Tensor,
        weight: Tensor,
        mass: Tensor,
        chosen: Tensor,
        width: int,
    ) -> Tensor:
        """(n, chosen, 9) the means of clusters, weighted by probability."""
        around = _around(torch.gather(where, 1, chosen), width)
        index = chosen.unsqueeze(2).expand(-1, -1, _SIDE * _SIDE)
        share = torch.gather(weight, 1, index)
        share = share / torch.gather(mass, 1, chosen).unsqueeze(2).clamp(min=1e-6)
        near = _gather(planes[:, 1:], around)
        means = (near * share.unsqueeze(1)).sum(3)
        return torch.cat([means[:, :5], means[:, 5:].sqrt()], 1).transpose(1, 2)


def _probable(values: Tensor) -> Tensor:
    return (values > CROWDED).sum(2)


def _around(where: Tensor, width: int) -> Tensor:
    """(n, k, 25) the padded pixels around (row, column) given as row · width + column."""
    steps = torch.arange(_SIDE, device=where.device)
    offset = (steps.view(-1, 1) * width + steps).reshape(-1)
    return where.unsqueeze(2) + offset


def _gather(planes: Tensor, around: Tensor) -> Tensor:
    """(n, planes, k, 25) the planes' values at the pixels."""
    n, count, _ = planes.shape
    k = around.shape[1]
    index = around.reshape(n, 1, -1).expand(-1, count, -1)
    return torch.gather(planes, 2, index).reshape(n, count, k, _SIDE * _SIDE)


def _clusters(planes: Tensor, where: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Per candidate: each near pixel's weight, their sum, and whether it stands for them."""
    near = _gather(planes, _around(where, width))
    middle = _SIDE * _SIDE // 2
    own = near[:, :, :, middle : middle + 1]
    away = (near[:, 1] - own[:, 1]).square() + (near[:, 2] - own[:, 2]).square()
    deep = (near[:, 3] - own[:, 3]).abs()
    same = ((away < SAME_PX**2) & (deep < SAME_NM)).to(planes.dtype)
    weight = near[:, 0] * same
    # Of equals the first in the order of the pixels stands: later ones must be less probable.
    first = weight[:, :, :middle].amax(2) < own[:, 0, :, 0]
    last = weight[:, :, middle + 1 :].amax(2) <= own[:, 0, :, 0]
    return weight, weight.sum(2), (first & last).to(planes.dtype)
