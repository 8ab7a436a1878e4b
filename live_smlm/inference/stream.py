"""A network on a processor: raw frames to molecules, a few frames and a window at a time.

Calibrates, pads, cuts into windows, runs the graphs, collects. How a graph
is run is its runtime's business, which frames are still encoded the ring's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from live_smlm.core import F32, I64, AnyArray, CameraModel, RawPixels
from live_smlm.fitting.counts import CountScale, count_scale
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.dark import lit_tiles
from live_smlm.inference.manifest import Manifest
from live_smlm.inference.raw_maps import Meaning, extract, meaning
from live_smlm.inference.ring import FeatureRing, PerFrame
from live_smlm.inference.runtime import Peaks, RuntimeSettings
from live_smlm.inference.slots import joined, molecules_of, owned_by
from live_smlm.inference.tiles import Window, bright, padded, windows

Encode: TypeAlias = Callable[[F32], PerFrame]
"""Frames to the features of each, in a form that only its `Detect` need understand."""
Detect: TypeAlias = Callable[[PerFrame], tuple[AnyArray, ...]]
"""Features (or frames, where nothing encodes them) to all outputs, read before the next call."""
_PIXELS_AT_ONCE = 1 << 16
"""Pixels that go through a graph together: fewer are no faster, more leave the cache."""
_FRAMES_LIT = 16
"""Frames that are dark together: of fewer, more would be encoded twice."""


@dataclass(frozen=True, slots=True)
class Network:
    """The graphs of a bundle, ready to run."""

    manifest: Manifest
    detect: Detect
    """`maps` where the bundle has it, else `molecules`."""
    encode: Encode | None = None
    raw: bool = False
    """Whether `detect` ends at raw maps."""


def network_of(
    bundle: Bundle, encode: Callable[[Path], Encode], detect: Callable[[Path], Detect]
) -> Network:
    """The graphs that a processor runs, each made ready by what is given for its kind."""
    first = encode(bundle.graph("features")) if bundle.has_encoder else None
    raw = bundle.has("maps", "fp32")
    last = detect(bundle.graph("maps" if raw else "molecules"))
    return Network(bundle.manifest, last, first, raw)


@dataclass(slots=True, eq=False)
class Streamed:
    """`runtime.Opened` on a processor."""

    network: Network
    camera: CameraModel
    settings: RuntimeSettings
    identity: str
    _scale: CountScale = field(init=False)
    _step: int = field(init=False)
    """Frames are padded to multiples of it: mirrored pixels err, so as few as can be."""
    _extra: F32 = field(init=False)
    """The camera's own variance, padded like its frames."""
    _ring: FeatureRing = field(init=False)
    _meaning: Meaning | None = field(init=False)
    """Of raw maps, where the network ends at them."""

    def __post_init__(self) -> None:
        self._scale = count_scale(self.camera)
        manifest, whole = self.network.manifest, self.network.raw and not self.settings.skip_dark
        self._step = manifest.stride if whole else manifest.grid
        self._extra = padded(self._scale.extra, self._step)
        self._meaning = meaning(self.network.manifest.outputs) if self.network.raw else None
        self._ring = FeatureRing(sum(self.network.manifest.halo))

    def __call__(self, pixels: RawPixels, index: I64, /) -> Peaks:
        """See `runtime.Opened`."""
        manifest = self.network.manifest
        halo = sum(manifest.halo)
        counts = padded((pixels - self._scale.offset) * self._scale.gain, self._step)
        n = len(pixels) - halo
        self._ring.begin(pixels, index)
        parts = []
        for first, last, window in self._work(counts, n):
            seen = slice(first, last + halo)
            parts.append((first, self._peaks(window.cut(counts[seen]), index[seen], window)))
        self._ring.end(pixels, index)
        return joined(parts, n)

    def _work(self, counts: F32, n: int) -> Iterator[tuple[int, int, Window]]:
        """Core frames first … last - 1 and the window to be looked at."""
        manifest = self.network.manifest
        shape = counts.shape[1], counts.shape[2]
        together = _FRAMES_LIT if self.settings.skip_dark else n
        for window in windows(shape, self._step, manifest.margin_px, self.settings.tile_px):
            for begin in range(0, n, together):
                end = min(begin + together, n)
                for seen in self._lit(counts[begin : end + sum(manifest.halo)], window):
                    step = max(1, _PIXELS_AT_ONCE // (seen.shape[0] * seen.shape[1]))
                    for first in range(begin, end, step):
                        yield first, min(first + step, end), seen

    def _lit(self, counts: F32, window: Window) -> list[Window]:
        """What of a window must be looked at."""
        if not self.settings.skip_dark:
            return [window]
        grid = self.network.manifest.grid
        lit = lit_tiles(window.cut(counts), window.cut(self._extra), grid)
        return bright(window, lit, grid, self.network.manifest.margin_px)

    def _peaks(self, counts: F32, index: I64, window: Window) -> Peaks:
        """The molecules of a few frames (their context included) in one window."""
        network = self.network
        seen: PerFrame = counts
        if network.encode is not None:
            seen = self._ring.features(window, counts, index, network.encode)
        if self._meaning is not None:
            (raw,) = network.detect(seen)
            frame, values = extract(raw, self._meaning, self.settings.threshold)
            return owned_by(window, len(raw), frame, values)
        slots, crowded = network.detect(seen)
        return molecules_of(slots, crowded, self.settings.threshold, window, network.manifest.grid)
