"""Deep-STORM's network (Nehme et al., Optica 5, 458-464, 2018): down three times, up three times.

All of it on the fine grid, to which frames are brought by repeating pixels; 3x3
convolutions without bias, each normalised over the batch; nothing is carried
across from the way down.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

_LEVELS = 3
PER_MOLECULE = 50.0
"""What the network gives, summed, for a molecule: half of the label's 100, as published."""


class Network(nn.Module):
    """(n, h, w) counts → (n, h * up, w * up) spikes, not yet clipped."""

    def __init__(
        self, up: int, widths: tuple[int, int, int, int], offset: float, scale: float
    ) -> None:
        super().__init__()
        self._up, self._offset, self._scale = float(up), offset, scale
        there_and_back = [1, *widths, *widths[-2::-1]]
        self.layers = nn.ModuleList(
            [nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(there_and_back)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(b) for b in there_and_back[1:]])
        self.last = nn.Conv2d(widths[0], 1, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight)

    def forward(self, counts: Tensor) -> Tensor:
        """Rows and columns of the fine grid are multiples of 8."""
        x = (counts.unsqueeze(1) - self._offset) / self._scale
        x = F.interpolate(x, scale_factor=self._up, mode="nearest")
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            if number > _LEVELS:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = F.relu(norm(layer(x)))
            if number < _LEVELS:
                x = F.max_pool2d(x, 2)
        answer: Tensor = self.last(x).squeeze(1)
        return answer


class Picture(nn.Module):
    """The network as engines run it: molecules per fine pixel, never below 0."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, counts: Tensor) -> Tensor:
        """(n, h, w) → (n, h * up, w * up)."""
        return torch.relu(self.network(counts)) / PER_MOLECULE
