"""What a trainable network is, and how its answer is written down.

A network encodes each frame by itself and then looks at a window of encoded
frames; one that wants the frames as they are encodes them to themselves. Its
answer is ten raw maps and what they mean, in scaled units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.core import InputError, require
from live_smlm.inference.raw_maps import Output
from live_smlm.training import lesson

GROUP = "live_smlm.networks"
LOGIT, PHOTONS, X, Y, Z, BACKGROUND = 0, 1, 2, 3, 4, 9
Z_SIGMA = 8
SIGMAS = slice(5, 9)
"""Of photons, x, y, z, in this order, as the means in 1 to 4."""


@dataclass(frozen=True, slots=True)
class Scales:
    """What 1 means in a network's input and in its maps; fixed by the scene it is trained for."""

    photons: float
    """Effective counts of one unit of the photons' map."""
    z_nm: float
    background: float
    """Effective counts per pixel."""
    offset: float
    """Effective counts that are taken from a frame's pixels."""
    scale: float
    """Effective counts that are one unit of a frame."""
    brightest: float
    """Units of photons that no molecule of the scene exceeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """How the parts of the loss are added up."""

    count: float = 1.0
    locate: float = 1.0
    background: float = 1.0
    presence: float = 0.0
    """Of the cross entropy of each pixel against whether a molecule is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(lesson.Recipe):
    """How a network of frames is trained where nothing else is asked."""

    weights: LossWeights = field(default_factory=LossWeights)


class Network(Protocol):
    """A network; also a `torch.nn.Module`."""

    halo: tuple[int, int]
    """Frames before and after that it looks at."""
    margin_px: int
    """How far a pixel of a frame acts, at most."""
    stride: int
    """Height and width are multiples of it."""
    encodes: bool
    """Whether frames are encoded one by one; else `encode` gives them back, normalised."""
    recipe: Recipe
    outputs: tuple[Output, ...]
    """What the ten raw maps mean, in scaled units."""

    def encode(self, frames: Tensor) -> Tensor:
        """(n, 1, h, w) effective counts → (n, c, h', w')."""

    def fuse(self, window: Tensor) -> Tensor:
        """(n, (before + 1 + after) c, h', w') → (n, 10, h, w) raw maps, in 32 bits."""

    def shorten(self) -> None:
        """Take 16 bits for all that does not need 32; input and maps stay as they are."""


class AnyNetwork(nn.Module):
    """The type of what `build` gives: a `Network` that is a module."""

    halo: tuple[int, int]
    margin_px: int
    stride: int
    encodes: bool
    recipe: Recipe
    outputs: tuple[Output, ...]
    encode: Any
    fuse: Any
    shorten: Any


def windows(encoded: Tensor, halo: tuple[int, int]) -> Tensor:
    """(movies, frames, c, h, w) → (movies x core frames, frames of a window x c, h, w)."""
    length = encoded.shape[1] - sum(halo)
    parts = [encoded[:, k : k + length].flatten(0, 1) for k in range(sum(halo) + 1)]
    # As wide as they are, convolutions want the channels innermost; `cat` keeps that, slices not.
    parts = [part.contiguous(memory_format=torch.channels_last) for part in parts]
    return torch.cat(parts, 1)


def maps(network: AnyNetwork, frames: Tensor) -> Tensor:
    """(movies, frames, h, w) effective counts → (movies x core frames, 10, h, w)."""
    encoded = network.encode(frames.flatten(0, 1).unsqueeze(1))
    encoded = encoded.unflatten(0, frames.shape[:2])
    return understood(network.fuse(windows(encoded, network.halo)), network.outputs)


def understood(raw: Tensor, outputs: Sequence[Output]) -> Tensor:
    """Raw maps as what they mean."""
    return torch.cat([_meant(raw[:, k : k + 1], output) for k, output in enumerate(outputs)], 1)


def _meant(raw: Tensor, output: Output) -> Tensor:
    match output.kind:
        case "clamp":
            return raw.clamp(-output.scale, output.scale) + output.offset
        case "none":
            return torch.zeros_like(raw)
        case "softplus":
            raw = F.softplus(raw)
        case "tanh":
            raw = torch.tanh(raw)
        case "sigmoid":
            raw = torch.sigmoid(raw)
    return output.scale * raw + output.offset


def found() -> dict[str, EntryPoint]:
    """Networks by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def build(name: str, scales: Scales, options: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """A fresh network of a registered architecture, its weights drawn from torch's generator."""
    points = found()
    require(
        name in points, f"no network is called {name!r}; there are {', '.join(points) or 'none'}"
    )
    try:
        return points[name].load()(scales, **options)
    except (ImportError, TypeError) as error:
        raise InputError(f"network {name!r} cannot be made: {error}") from error
