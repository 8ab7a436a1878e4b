"""Overlapping molecules of one frame: fit, look again in what is left, fit neighbours together."""

import math
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I32, I64, Bool, Localizations, RawPixels
from live_smlm.engines.detect_filter import SpotFilter
from live_smlm.fitting.cutouts import cut_map
from live_smlm.fitting.groups import (
    BACKGROUND,
    CHI2,
    COLUMNS,
    CONVERGED,
    ERRORS,
    STEPS,
    add_light,
    refit_groups,
)
from live_smlm.fitting.lanes import CONVERGED as FIT_CONVERGED
from live_smlm.fitting.link import groups
from live_smlm.fitting.rois import RoiFitter, within_depth


@dataclass(frozen=True, slots=True, eq=False)
class JointFitter:
    """The molecules of a frame, neighbours fitted together."""

    spots: SpotFilter
    fitter: RoiFitter
    size: int
    """Pixels along the cut-outs in which candidates are fitted alone."""
    reach: int
    """Pixels on each side of a molecule that its light may reach."""
    sigma_px: float
    rounds: int
    threshold: float

    def molecules(self, frame: RawPixels) -> F64:
        """Rows of `fitting.groups`, converged ones inside the frame; photons in counts."""
        scale = self.spots.scale
        counts = (frame - scale.offset) * scale.gain
        light = np.zeros(counts.shape)
        known = np.zeros((0, COLUMNS))
        for _ in range(self.rounds):
            fresh = self._candidates(counts, light, known)
            if not len(fresh):
                break
            for molecule in fresh:
                self._add(light, molecule)
            dirty = np.repeat([False, True], [len(known), len(fresh)])
            known = self._refit(counts, light, np.concatenate([known, fresh]), dirty)
        return known

    def _candidates(self, counts: F32, light: F64, known: F64) -> F64:
        """New molecules, from the peaks of what the known ones leave."""
        shining = light.astype(np.float32)
        rows, columns = self.spots.peaks(counts - shining, shining if len(known) else None)
        apart = _apart(rows, columns, known, 0.5 * self.sigma_px)
        rows, columns = rows[apart], columns[apart]
        row, column = self.spots.corners(rows, columns, self.size)
        data, near = (cut_map(image, row, column, self.size) for image in (counts, shining))
        fitted = self.fitter.fit(data, row, column, near)
        fresh = np.zeros((len(rows), COLUMNS))
        fresh[:, 0], fresh[:, 1] = fitted[:, 0] + column, fitted[:, 1] + row
        fresh[:, 2:5] = fitted[:, [2, 4, 3]]
        strayed = np.hypot(fresh[:, 0] - columns - 0.5, fresh[:, 1] - rows - 0.5)
        bad = (fitted[:, FIT_CONVERGED] == 0) | ~(strayed < 1.5 * self.sigma_px)
        start = self.fitter.start(data[bad] - near[bad])
        fresh[bad, 0], fresh[bad, 1] = columns[bad] + 0.5, rows[bad] + 0.5
        fresh[bad, 2:5] = start[:, [2, 4, 3]]
        return fresh

    def _refit(self, counts: F32, light: F64, molecules: F64, dirty: Bool) -> F64:
        """Fit the groups in which something is new; return the molecules that stay."""
        members, ends = groups(molecules[:, 0], molecules[:, 1], 4 * self.sigma_px)
        members, ends = _touched(members, ends, dirty)
        model, alive = self.fitter.model, np.ones(len(molecules), np.bool_)
        refit_groups(
            counts.astype(np.float64),
            self.spots.scale.extra.astype(np.float64),
            light,
            model.kind,
            model.curve,
            model.coefficients,
            self.reach,
            np.array(model.z_range or ()),
            self.threshold**2,
            self.fitter.most,
            members,
            ends,
            molecules,
            alive,
        )
        return molecules[alive]

    def _add(self, light: F64, molecule: F64) -> None:
        model = self.fitter.model
        add_light(light, model.kind, model.curve, model.coefficients, self.reach, molecule, 1.0)

    def localizations(self, frames: list[RawPixels], index: I64) -> tuple[Localizations, int]:
        """Molecules of several frames, and how many fits failed."""
        found = [self.molecules(frame) for frame in frames]
        m = np.concatenate([np.zeros((0, COLUMNS)), *found])
        frame = np.repeat(index, [len(part) for part in found])
        (top, bottom), (left, right) = self.spots.view
        inside = (m[:, 0] >= left) & (m[:, 0] <= right) & (m[:, 1] >= top) & (m[:, 1] <= bottom)
        good = inside & (m[:, CONVERGED] > 0) & within_depth(m[:, 3], self.fitter.model.z_range)
        # A double precision error may be infinite in the table's single precision.
        with np.errstate(over="ignore"):
            table = self._table(m, frame)
        good &= np.all([np.isfinite(column) for column in table.columns().values()], axis=0)
        return table.where(good), int(np.count_nonzero(~good))

    def _table(self, m: F64, frame: I64) -> Localizations:
        pixel, share = self.fitter.camera.pixel_size_nm, self.spots.scale.per_photon
        deep = self.fitter.model.z_range is not None
        values = m.astype(np.float32)
        error = values[:, ERRORS:]
        return Localizations(
            frame=frame,
            x=values[:, 0] * np.float32(pixel),
            y=values[:, 1] * np.float32(pixel),
            z=values[:, 3].copy() if deep else None,
            photons=values[:, 2] / np.float32(share),
            background=values[:, BACKGROUND] / np.float32(share),
            sigma_x=error[:, 0] * np.float32(pixel),
            sigma_y=error[:, 1] * np.float32(pixel),
            sigma_z=error[:, 3].copy() if deep else None,
            sigma_photons=error[:, 2] / np.float32(share),
            sigma_background=error[:, 4] / np.float32(share),
            extra={"chi2": values[:, CHI2].copy(), "iterations": values[:, STEPS].astype(np.int16)},
        )


def _apart(rows: I32, columns: I32, known: F64, least: float) -> Bool:
    """Peaks that are not the misfit of a molecule that is known there already."""
    dx = columns[:, np.newaxis] + 0.5 - known[:, 0]
    dy = rows[:, np.newaxis] + 0.5 - known[:, 1]
    return np.asarray(np.min(np.hypot(dx, dy), axis=1, initial=math.inf) >= least)


def _touched(members: I64, ends: I64, dirty: Bool) -> tuple[I64, I64]:
    """The groups that hold something dirty."""
    parts = [part for part in np.split(members, ends[:-1]) if dirty[part].any()]
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *parts]), np.cumsum([len(part) for part in parts], dtype=np.int64)
