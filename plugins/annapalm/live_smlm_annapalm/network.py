"""The generator, a small U-Net after pix2pix, and its opponent, a small PatchGAN.

Counts enter as log(1 + counts), so that nothing seen is nothing told; two
pictures leave: the structure, in filaments, and the error expected of it.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

STRIDE = 32
"""Rows and columns are multiples of it."""
MARGIN_PX = 96
"""Half-width of what a pixel sees, on the coarsest grid."""
_CRITIC_WIDTH = 16
_FAINT = 0.05
"""In filaments."""
_MOST_COUNTS = 50.0
_SHARP = 10.0
_LEAK = 0.2


class Generator(nn.Module):
    """(n, 1, h, w) counts → (n, 2, h, w): prediction, expected error."""

    def __init__(self, width: int) -> None:
        super().__init__()
        downs = [1, width, 2 * width, 4 * width, 4 * width, 4 * width]
        ups = [(4, 4), (8, 4), (8, 2), (4, 1), (2, 1)]
        self.downs = nn.ModuleList(
            [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(downs)]
        )
        self.ups = nn.ModuleList([nn.Conv2d(a * width, b * width, 3, padding=1) for a, b in ups])
        self.last = nn.Conv2d(width + 1, 2, 3, padding=1)
        for layer in (*self.downs, *self.ups):
            nn.init.kaiming_normal_(layer.weight, a=_LEAK)
            nn.init.zeros_(layer.bias)

    def forward(self, counts: Tensor) -> Tensor:
        """Both are in filaments: 1 is the middle of one."""
        given = torch.log1p(counts.clamp(max=_MOST_COUNTS))
        x, kept = given, []
        for down in self.downs:
            x = F.leaky_relu(down(x), _LEAK)
            kept.append(x)
        x = kept.pop()
        for up in self.ups:
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2.0, mode="nearest")), _LEAK)
            x = torch.cat([x, kept.pop() if kept else given.to(x.dtype)], 1)
        return F.softplus(_SHARP * self.last(x).float()) / _SHARP


class Critic(nn.Module):
    """(n, 2, h, w) of counts and a picture → how real each patch looks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, width, 4, stride=2, padding=1),
            nn.LeakyReLU(_LEAK),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(_LEAK),
            nn.Conv2d(2 * width, 4 * width, 4, stride=1, padding=1),
            nn.LeakyReLU(_LEAK),
            nn.Conv2d(4 * width, 1, 4, stride=1, padding=1),
        )

    def forward(self, counts: Tensor, picture: Tensor) -> Tensor:
        """1 is real, 0 is drawn."""
        given = torch.log1p(counts.clamp(max=_MOST_COUNTS))
        said: Tensor = self.layers(torch.cat([given, picture], 1))
        return said.float()


class Both(nn.Module):
    """What is trained together."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.generator = Generator(width)
        self.critic = Critic(_CRITIC_WIDTH)


class Drawn(nn.Module):
    """The generator as engines run it: what is too faint to be anything is nothing."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, counts: Tensor) -> Tensor:
        """(n, 1, h, w) → (n, 2, h, w)."""
        picture, error = self.generator(counts).split(1, 1)
        return torch.cat([torch.where(picture < _FAINT, 0.0, picture), error], 1)
