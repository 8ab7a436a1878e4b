"""How good the image of a field of view, or of a region, is by now: all metrics in one fold.

Cheap per chunk (`fold`), dearer per look (`assess`, `checkpoint`): look every few seconds.
Molecules come corrected for drift and in the order of frames; where the drift of old ones
becomes known better, start anew and fold them again. Until `FIRST` molecules have
come, they are kept, since they tell at which lengths the other metrics work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from live_smlm.core import F32, Checkpoint, Localizations, concatenate, require
from live_smlm.metrics import (
    appearances,
    completeness,
    frc,
    halves,
    linking,
    neighbours,
    nena,
    pool,
)
from live_smlm.metrics.appearances import Appearances
from live_smlm.metrics.completeness import Cells, Completeness
from live_smlm.metrics.frc import Frc
from live_smlm.metrics.halves import Halves
from live_smlm.metrics.linking import Links
from live_smlm.metrics.neighbours import Blinks, Neighbours
from live_smlm.metrics.nena import Nena, Pairs
from live_smlm.metrics.pool import Growth, Pool
from live_smlm.metrics.regions import Bounds, Region, inside
from live_smlm.metrics.totals import Totals, counted, precision_nm, totals

FIRST = 2000
PAIR_SIGMAS = 12.0
"""The longest distance of pairs in adjacent frames over the precision."""
PATCHES = 16
"""Along a side of the field, where nearest neighbours are looked for in some of them."""
CELL_SIGMAS = 2.355
"""A resolution cell over the precision, where no target is given."""
_WORST = 6.0
"""Claimed error over the usual one, above which it is not believed."""
_USUAL = 0.12
"""Precision over the size of a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the quality is told of."""

    height_nm: float
    width_nm: float
    top_nm: float = 0.0
    left_nm: float = 0.0
    pixel_size_nm: float
    """Of the camera, in the sample."""
    target_nm: float | None = None
    """The resolution that is wanted; the cells of completeness are so large."""
    region: Region | None = None

    def __post_init__(self) -> None:
        for name in ("height_nm", "width_nm", "pixel_size_nm"):
            value = getattr(self, name)
            require(value > 0, f"{name} of the field is {value:g}; give above 0")
        require(
            self.target_nm is None or self.target_nm > 0,
            f"target_nm is {self.target_nm}; give above 0, or None",
        )

    @property
    def bounds_nm(self) -> Bounds:
        """Top, left, bottom, right."""
        bottom, right = self.top_nm + self.height_nm, self.left_nm + self.width_nm
        return self.top_nm, self.left_nm, bottom, right

    @property
    def area_um2(self) -> float:
        """Of the field, or of the region."""
        area = self.height_nm * self.width_nm if self.region is None else self.region.area_nm2
        return area * 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Running:
    """The metrics that want to know the precision before they begin."""

    links: Links
    pairs: Pairs
    halves: Halves
    blinks: Blinks
    cells: Cells
    growth: Growth
    sigma_nm: float
    """Of molecules that claim none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quality:
    """The state of the fold; `fold` may change its arrays in place."""

    scope: Scope
    totals: Totals
    waiting: tuple[Localizations, ...] = ()
    """Until there are `FIRST`."""
    running: Running | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One look: the values by name, and what charts and reports draw."""

    checkpoint: Checkpoint
    nena: Nena | None = None
    frc: Frc | None = None
    appearances: Appearances | None = None
    neighbours: Neighbours | None = None
    completeness: Completeness | None = None
    pool: Pool | None = None
    growth: Growth | None = None


def start(
    field_nm: tuple[float, float],
    pixel_size_nm: float,
    *,
    target_nm: float | None = None,
    region: Region | None = None,
) -> Quality:
    """Before the first frame of a field (height, width); with a region, of what lies in it."""
    top, left, bottom, right = (0.0, 0.0, *field_nm) if region is None else region.bounds_nm
    scope = Scope(
        height_nm=bottom - top,
        width_nm=right - left,
        top_nm=top,
        left_nm=left,
        pixel_size_nm=pixel_size_nm,
        target_nm=target_nm,
        region=region,
    )
    return Quality(scope=scope, totals=Totals())


def fold(quality: Quality, molecules: Localizations, stop_frame: int, seconds: float) -> Quality:
    """The quality after the molecules of all frames up to `stop_frame`; the old one is given up.

    `stop_frame` is the number after the last frame, `seconds` its time since the first (a
    clock that falls is taken to stand still). Molecules without a place do not count.
    """
    seconds = max(seconds, quality.totals.seconds)
    known = np.isfinite(molecules.x) & np.isfinite(molecules.y)
    if quality.scope.region is not None:
        known &= inside(quality.scope.region, molecules)
    if not known.all():
        molecules = molecules.where(known)
    counts = counted(quality.totals, molecules, stop_frame, seconds)
    if quality.running is not None:
        running = _run(quality.running, molecules, seconds)
        return replace(quality, totals=counts, running=running)
    waiting = (*quality.waiting, molecules)
    if counts.molecules < FIRST:
        return replace(quality, totals=counts, waiting=waiting)
    first = concatenate(waiting)
    running = _run(_begin(quality.scope, first), first, seconds)
    return replace(quality, totals=counts, waiting=(), running=running)


def checkpoint(quality: Quality) -> Checkpoint:
    """All values by now; those that are unknown are absent."""
    return assess(quality).checkpoint


def assess(quality: Quality) -> Assessment:
    """The same with the curves and fits behind the values."""
    counts = quality.totals
    values = dict(totals(counts, quality.scope.area_um2))
    if quality.running is None:
        return Assessment(checkpoint=_checkpoint(counts, values))
    look = _look(quality.running)
    blinks = float(quality.running.links.blinks)
    values |= {"blinks": blinks} | _told(look)
    if (seen := look.appearances) is not None and len(seen.again):
        values["molecules_distinct"] = blinks / seen.mean
        values["molecules_distinct_error"] = blinks / seen.mean * seen.error / seen.molecules
    precision = values.get("nena_nm", values.get("precision_nm"))
    if precision is not None and look.neighbours is not None:
        values["resolution_nm"] = neighbours.overall_nm(precision, look.neighbours.nyquist_nm)
    return replace(look, checkpoint=_checkpoint(counts, values))


def _look(running: Running) -> Assessment:
    blinks, blind = running.blinks, running.links.dark_frames + 1
    seen = appearances.appearances(blinks.place, blinks.sigma, blinks.frame, blind)
    missed = seen.lost / max(seen.molecules, 1.0)
    return Assessment(
        checkpoint=Checkpoint(0, 0.0, {}),
        nena=nena.fit(running.pairs),
        frc=frc.correlate(running.halves),
        appearances=seen,
        neighbours=neighbours.measure(blinks, again=seen.again, missed=missed),
        completeness=completeness.estimate(running.cells),
        pool=pool.fit(running.growth),
        growth=running.growth,
    )


def _told(look: Assessment) -> dict[str, float]:
    """The values of all that is known."""
    values: dict[str, float | None] = {}
    if (precision := look.nena) is not None:
        values |= {"nena_nm": precision.sigma_nm, "nena_error_nm": precision.error_nm}
    if (ring := look.frc) is not None:
        values |= {"frc_nm": ring.resolution_nm, "frc_error_nm": ring.error_nm}
        values["frc_halfbit_nm"] = ring.half_bit_nm
    if (near := look.neighbours) is not None:
        values |= {"fractal_dimension": near.dimension, "nyquist_nm": near.nyquist_nm}
        values |= {"density_per_um2": near.density_per_um2}
    if (done := look.completeness) is not None:
        values |= {"completeness": done.share}
        values |= {"completeness_low": done.low, "completeness_high": done.high}
    if (rest := look.pool) is not None:
        values |= {"pool_left": rest.left, "pool_low": rest.low, "pool_high": rest.high}
    return {name: value for name, value in values.items() if value is not None}


def _checkpoint(counts: Totals, values: Mapping[str, float]) -> Checkpoint:
    return Checkpoint(
        frame=counts.frames,
        seconds=counts.seconds,
        values={name: float(value) for name, value in values.items() if np.isfinite(value)},
    )


def _begin(scope: Scope, first: Localizations) -> Running:
    sigma = _precision_nm(scope, first)
    cell_nm = CELL_SIGMAS * sigma if scope.target_nm is None else scope.target_nm
    return Running(
        links=Links(reach_nm=linking.REACH_SIGMAS * sigma),
        pairs=Pairs(PAIR_SIGMAS * sigma),
        halves=halves.start(scope.bounds_nm, sigma, first.y, first.x),
        blinks=Blinks(patch_nm=max(scope.height_nm, scope.width_nm) / PATCHES),
        cells=completeness.start(scope.bounds_nm, cell_nm),
        growth=Growth(),
        sigma_nm=sigma,
    )


def _run(running: Running, molecules: Localizations, seconds: float) -> Running:
    frame, y, x = molecules.frame, molecules.y, molecules.x
    links, linked = linking.fold(running.links, frame, x, y)
    new = molecules.where(linked.new)
    new_y, new_x, sigma = new.y, new.x, _errors(new, running.sigma_nm)
    return replace(
        running,
        links=links,
        pairs=nena.fold(running.pairs, frame, x, y),
        halves=halves.fold(running.halves, y, x, linked.began),
        blinks=neighbours.fold(running.blinks, new_y, new_x, sigma, new.frame),
        cells=completeness.fold(running.cells, new_y, new_x),
        growth=pool.fold(running.growth, seconds, float(links.blinks)),
    )


def _precision_nm(scope: Scope, first: Localizations) -> float:
    """As claimed, or as seen in adjacent frames, or as is usual for such pixels."""
    claimed = precision_nm(first)
    if claimed is not None:
        return claimed
    seen = nena.fit(nena.fold(Pairs(scope.pixel_size_nm), first.frame, first.x, first.y))
    return scope.pixel_size_nm * _USUAL if seen is None else seen.sigma_nm


def _errors(molecules: Localizations, usual: float) -> F32:
    """Standard error of a coordinate of each, as claimed or as usual."""
    if molecules.sigma_x is None or molecules.sigma_y is None:
        return np.full(len(molecules), usual, np.float32)
    claimed = (molecules.sigma_x + molecules.sigma_y) / 2
    good = np.isfinite(claimed) & (claimed > 0) & (claimed < _WORST * usual)
    return np.where(good, claimed, np.float32(usual)).astype(np.float32)
