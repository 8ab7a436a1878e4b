"""Many wide molecules at once: drawn in coarser pixels first, then brought to the fine ones.

A Gaussian several pixels wide is as well told by fewer, larger pixels. Each
molecule of a large batch goes to the level where its sigma is 2 to 4 pixels,
and each level is spread onto the next finer one with the weights of a spline
(1, 5, 10, 10, 5, 1)/32: none negative, so none of the light is lost. What that
widens a molecule by is taken off its sigma before. What is left of the
difference is half a percent of a molecule's brightest pixel, most of it where
the Gaussian is cut: enough for looking, and a tenth of the time at 1 nm per
pixel; pictures that are kept are drawn exactly.
"""

import numpy as np

from live_smlm.core import F32, I64, Localizations
from live_smlm.physics.jit import jit
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode, widths_of
from live_smlm.render.viewport import Viewport

_LEAST_SIGMA = 2.0
"""Pixels of a level."""
_MOST_LEVELS = 7
_MANY = 1000
"""Molecules that are worth bringing coarse pixels to fine ones; fewer are drawn exactly."""
_CUT_VARIANCE = 0.97334
"""Variance of a normal cut at 3 sigma."""
_WIDENING = 0.5 / _CUT_VARIANCE
"""Sigma squared that is as much as levels add, in fine pixels squared over 4**level - 1."""


class QuickAccumulator:
    """See `Accumulator` and the module."""

    def __init__(
        self, viewport: Viewport, drawing: Drawing | None = None, *, by: str | None = None
    ) -> None:
        self.viewport = viewport
        self.drawing = drawing or Drawing()
        self._by = by
        self._fine = CpuAccumulator(viewport, self.drawing, by=by)
        self._coarse: list[CpuAccumulator] = []

    def add(self, molecules: Localizations, weights: F32 | None = None) -> None:
        """See `Accumulator`."""
        points = self.drawing.mode in {Mode.HISTOGRAM, Mode.DITHERED}
        if points or len(molecules) < _MANY:
            self._fine.add(molecules, weights)
            return
        levels = self._levels(molecules)
        for level in np.unique(levels):
            these = levels == level
            part = molecules.where(these)
            parts = None if weights is None else weights[these]
            if level == 0:
                self._fine.add(part, parts)
            else:
                self._level(int(level)).add(self._narrowed(part, int(level)), parts)

    def image(self) -> F32:
        """See `Accumulator`."""
        self._bring_down()
        return self._fine.image()

    def values(self) -> F32:
        """See `Accumulator`."""
        self._bring_down()
        return self._fine.values()

    def sums(self) -> F32:
        """See `Accumulator`."""
        self._bring_down()
        return self._fine.sums()

    def start(self, sums: F32) -> None:
        """See `Accumulator`."""
        self._fine.start(sums)
        self._coarse = []

    def reset(self) -> None:
        """See `Accumulator`."""
        self._fine.reset()
        self._coarse = []

    def _levels(self, molecules: Localizations) -> I64:
        """The level of each molecule; 0 is the picture itself."""
        narrow = np.minimum(*widths_of(molecules, self.drawing)) / self.viewport.pixel_nm
        known = np.isfinite(narrow) & (narrow > _LEAST_SIGMA)
        ratio = np.where(known, narrow, _LEAST_SIGMA) / _LEAST_SIGMA
        return np.minimum(np.log2(ratio).astype(np.int64), _MOST_LEVELS)

    def _narrowed(self, molecules: Localizations, level: int) -> Localizations:
        """With the widths that become the true ones on the way down."""
        added = _WIDENING * (4.0**level - 1) * self.viewport.pixel_nm**2
        x, y = (np.sqrt(w * w - added) for w in widths_of(molecules, self.drawing))
        return molecules.with_columns(sigma_x=x, sigma_y=y)

    def _level(self, level: int) -> CpuAccumulator:
        while len(self._coarse) < level:
            above = self._coarse[-1] if self._coarse else self._fine
            drawing = Drawing(mode=Mode.PRECISION)
            view = _coarser(above.viewport)
            self._coarse.append(CpuAccumulator(view, drawing, by=self._by))
        return self._coarse[level - 1]

    def _bring_down(self) -> None:
        while self._coarse:
            coarse = self._coarse.pop()
            below = self._coarse[-1] if self._coarse else self._fine
            bring_down(coarse.peek(), below.peek())


def _coarser(view: Viewport) -> Viewport:
    """Pixels twice as large, one more on each side."""
    rows, columns = view.shape
    pixel_nm = 2 * view.pixel_nm
    y, x = view.origin_nm
    shape = (rows + 1) // 2 + 2, (columns + 1) // 2 + 2
    return Viewport(shape=shape, pixel_nm=pixel_nm, origin_nm=(y - pixel_nm, x - pixel_nm))


@jit
def bring_down(coarse: F32, fine: F32) -> None:
    """Add a level to the next finer one."""
    planes, rows, columns = fine.shape
    far, mid, near = np.float32(1 / 32), np.float32(10 / 32), np.float32(5 / 32)
    down = np.empty(coarse.shape[2], np.float32)
    for p in range(planes):
        for r in range(rows):
            k, odd = r // 2 + 1, r % 2
            above, below = (far, near) if odd else (near, far)
            first, middle, last = coarse[p, k - 1], coarse[p, k], coarse[p, k + 1]
            for c in range(down.size):
                down[c] = above * first[c] + mid * middle[c] + below * last[c]
            line = fine[p, r]
            for c in range(columns // 2):
                line[2 * c] += near * down[c] + mid * down[c + 1] + far * down[c + 2]
                line[2 * c + 1] += far * down[c] + mid * down[c + 1] + near * down[c + 2]
            if columns % 2:
                c = columns // 2
                line[2 * c] += near * down[c] + mid * down[c + 1] + far * down[c + 2]
