"""What is measured of a window of frames, and which values of it are cause for alarm.

Every check has two ranges: the honest one, in which an engine that was made for
these data stays but for noise, and the allowed one, beyond which a deviation
matters. An alarm needs both: a value that is not allowed, and so many standard
errors from the honest range that noise cannot be the reason.

How far an honest engine strays from the fit: both see the same photons. The fit is
efficient, so for an engine that sees one frame at a time the gap between the two is
independent of the fit's error, and var(gap) = sigma_engine² - sigma_fit²: the engine's
true error is the root of var(gap) + sigma_fit², and `spread`, that in units of what
the engine claims, is 1. An engine that sees further frames may know more than the fit;
then only var(gap) <= about max(sigma_engine, sigma_fit)² is certain, and `spread` is
the gap in units of the larger error, at most some 1.15. Gaps of a few nm never matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, AnyArray
from live_smlm.fitting.shadow import column

CERTAIN = 6.0
"""Standard errors."""
FEWEST = 24
"""Molecules below which nothing is said of them."""
_MAD = 1.4826
_MEDIAN_ERROR = 1.2533
"""Standard error of the median of n normal values, times the root of n over sigma."""
_MAD_ERROR = 1.1664
_BLOCKS = 10
_INNER = 0.75
"""An alarm is over once the value is within so much of the way from honest to not allowed."""
Span = tuple[float, float]
_WIDTH, _CHI2, _CHI2_LOW, _SPREAD, _SHARE = 0.06, 1.5, 0.6, 1.6, 0.3
_MODEL_ERROR = 0.05
"""Misfit, as a share of the light, that even a calibrated PSF may have."""
_SLACK = 1.25
"""By how much light may leave the envelope."""
_CROWD_SLACK = 1.1
_HONEST_GAP = 1.15
_FEWER_PIXELS = 1.35
"""Standard error of the shadow's fit over that of one that sees all of the molecule's light."""
_NO_MATTER_NM = {"xy": 2.0, "z": 8.0}
_BLINDEST = 0.3
"""Standard error beyond which a molecule says nothing of its width."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A number beside the ranges it should be in."""

    name: str
    at: Measured
    honest: Span
    allowed: Span
    unit: str
    low_cure: str
    high_cure: str

    def wrong(self, *, already: bool) -> bool:
        """Whether there is cause for alarm; one that is `already` raised stays a little longer."""
        if already:
            inner = tuple(
                h + _INNER * (a - h) if np.isfinite(a) else a
                for h, a in zip(self.honest, self.allowed, strict=True)
            )
            return _beyond(self.at.value, (inner[0], inner[1])) > 0
        certain = _beyond(self.at.value, self.honest) > CERTAIN * self.at.error
        return certain and _beyond(self.at.value, self.allowed) > 0

    @property
    def cure(self) -> str:
        """What to do about it."""
        return self.low_cure if self.at.value < self.allowed[0] else self.high_cure


def _beyond(value: float, span: Span) -> float:
    return max(span[0] - value, value - span[1], 0.0)


def shadow_checks(rows: F32, *, alone: bool) -> list[Check]:
    """What the shadow fit says; `alone`: the engine sees one frame at a time."""
    fitted = rows[np.isfinite(column(rows, "chi2"))]
    failed = 1 - len(fitted) / len(rows) if len(rows) else 0.0
    checks = []
    if len(rows) >= FEWEST:
        share = Measured(failed, float(np.sqrt(max(failed * (1 - failed), 0.01) / len(rows))))
        checks.append(_check("unconfirmed", share, (0.0, 0.1), (0.0, _SHARE)))
    if len(fitted) < FEWEST:
        return checks
    checks += [_width(fitted), _light(fitted)]
    return checks + [
        c for axes in ("xy", "z") if (c := _spread(fitted, axes, alone=alone)) is not None
    ]


def envelope_checks(
    envelope: Mapping[str, Span],
    density: Measured | None,
    photons: AnyArray,
    background: AnyArray,
    z: AnyArray,
) -> list[Check]:
    """How the data lie in what the engine was made for, as far as it says."""
    checks = []
    if density is not None and (span := envelope.get("density_per_um2")) is not None:
        honest, allowed = (-np.inf, span[1]), (-np.inf, _CROWD_SLACK * span[1])
        checks.append(_check("density", density, honest, allowed))
    for name, values in (("photons", photons), ("background", background)):
        found = envelope.get(name)
        if found is not None and (measured := median(values)) is not None:
            allowed = (found[0] / _SLACK, found[1] * _SLACK)
            checks.append(_check(name, measured, found, allowed))
    depth = envelope.get("z_nm")
    if depth is not None and depth[0] < depth[1] and len(z) >= FEWEST:
        outside = float(np.mean((z < depth[0]) | (z > depth[1])))
        error = float(np.sqrt(max(outside * (1 - outside), 0.01) / len(z)))
        checks.append(_check("depth", Measured(outside, error), (0.0, 0.1), (0.0, _SHARE)))
    return checks


def median(values: AnyArray) -> Measured | None:
    """The median with its standard error; None for too few values."""
    if len(values) < FEWEST:
        return None
    middle = float(np.median(values))
    spread = _MAD * float(np.median(np.abs(values - middle)))
    return Measured(middle, _MEDIAN_ERROR * spread / np.sqrt(len(values)))


def mean_of_blocks(amounts: F64, weights: F64) -> Measured | None:
    """Sum over sum, with the error that neighbouring parts alike leave: from blocks of them."""
    if len(amounts) < _BLOCKS // 2 or weights.sum() <= 0:
        return None
    edges = np.linspace(0, len(amounts), min(len(amounts), _BLOCKS) + 1).astype(np.int64)[:-1]
    parts = np.add.reduceat(amounts, edges) / np.add.reduceat(weights, edges)
    error = float(parts.std(ddof=1) / np.sqrt(len(parts)))
    return Measured(float(amounts.sum() / weights.sum()), error)


def _width(rows: F32) -> Check:
    """The median of the molecules' widths, weighted by what each can tell."""
    width, error = column(rows, "width"), column(rows, "width_error")
    weight = np.where(error < _BLINDEST, 1 / error, 0)
    order = np.argsort(width)
    below = np.cumsum(weight[order])
    middle = float(width[order][np.searchsorted(below, below[-1] / 2)]) if below[-1] else 0.0
    scatter = max(1.0, _MAD * float(np.median(np.abs(width - middle) / error)))
    doubt = _MEDIAN_ERROR * scatter / max(float(np.sqrt((weight**2).sum())), 1e-9)
    return _check("width", Measured(middle, doubt), (0.0, 0.0), (-_WIDTH, _WIDTH))


def _light(rows: F32) -> Check:
    """Certain by the order statistics: overlapping molecules scatter in no known way."""
    chi2 = np.sort(column(rows, "chi2"))
    middle, reach = float(np.median(chi2)), int(CERTAIN * np.sqrt(len(chi2)) / 2)
    edge = len(chi2) // 2 + (-reach if middle > 1 else reach)
    error = abs(middle - float(chi2[np.clip(edge, 0, len(chi2) - 1)])) / CERTAIN
    slack = _MODEL_ERROR**2 * float(np.median(column(rows, "power")))
    return _check("light", Measured(middle, error), (1.0, 1.0 + slack), (_CHI2_LOW, _CHI2 + slack))


def _spread(rows: F32, axes: str, *, alone: bool) -> Check | None:
    """See the module's first lines; None where engine or fit claim no error.

    The standard error is an honest engine's: the question is whether this is one.
    """
    gap, ours, theirs = (
        np.concatenate([column(rows, f"{name}_{axis}") for axis in axes]).astype(np.float64)
        for name in ("gap", "engine_sigma", "fit_sigma")
    )
    said = np.isfinite(gap) & (ours > 0) & (theirs > 0)
    if np.count_nonzero(said) < FEWEST:
        return None
    gap, ours, theirs = gap[said], ours[said], theirs[said]
    pull = gap / np.hypot(ours if alone else np.maximum(ours, theirs), _NO_MATTER_NM[axes])
    spread = _MAD * float(np.median(np.abs(pull - np.median(pull))))
    if alone:
        spread = _true_error(spread, float(np.median(theirs / ours)))
    honest = 1.0 if alone else _HONEST_GAP
    at = Measured(spread, _MAD_ERROR * honest / np.sqrt(len(pull)))
    return _check(f"spread_{axes}", at, (0.0, honest), (0.0, _SPREAD))


def _true_error(gap: float, ratio: float) -> float:
    """The engine's error in units of its claim, from the gap's and the fit's in the same units.

    A fit that claims more than the engine sees fewer pixels, up to `_FEWER_PIXELS`: so much
    of the gap is the fit's.
    """
    fits = min(max(ratio, 1.0), _FEWER_PIXELS)
    known = min(ratio, 1.0) * max(ratio / _FEWER_PIXELS, 1.0)
    return float(np.sqrt(max(gap**2 - (fits**2 - 1), 0.0) + known**2))


def _check(name: str, at: Measured, honest: Span, allowed: Span) -> Check:
    unit, low, high = _WORDS[name]
    return Check(
        name=name, at=at, honest=honest, allowed=allowed, unit=unit, low_cure=low, high_cure=high
    )


_CLAIMS = (
    "of the error it claims",
    "",
    "the engine is less precise than it says; train it for this PSF and camera, or fit",
)
_WORDS = {
    "width": (
        "relative to the PSF",
        "spots are narrower than the PSF; calibrate the PSF again, or take a model made for it",
        "spots are wider than the PSF; focus, or calibrate the PSF again and take a model for it",
    ),
    "light": (
        "chi2 per degree of freedom",
        "the noise is less than the camera's values say; check gain and read noise",
        (
            "the PSF and the noise do not explain the light; check for overlapping molecules, "
            "the PSF, and the camera's gain and offset"
        ),
    ),
    "unconfirmed": (
        "of the molecules fitted again",
        "",
        "fits do not find what the engine finds; raise its threshold, or check the PSF",
    ),
    "spread_xy": _CLAIMS,
    "spread_z": _CLAIMS,
    "density": (
        "per um2 and frame",
        "",
        (
            "molecules lie closer than the engine was made for; switch more of them off, "
            "or take a model for higher density"
        ),
    ),
    "photons": (
        "per molecule and frame",
        (
            "molecules are dimmer than the engine was made for; expose longer, "
            "or take a model for dimmer ones"
        ),
        (
            "molecules are brighter than the engine was made for; expose shorter, "
            "or take a model for brighter ones"
        ),
    ),
    "background": (
        "photons per pixel",
        "the background is lower than the engine was made for; take a model made for it",
        (
            "the background is higher than the engine was made for; lower it, "
            "or take a model for higher background"
        ),
    ),
    "depth": (
        "of the molecules",
        "",
        (
            "molecules lie beyond the depth that the engine was made for; focus, "
            "or take a model for a larger range of z"
        ),
    ),
}
"""Per check: the value's unit, and the cures of a value too low and too high."""
