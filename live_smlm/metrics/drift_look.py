"""Looking back: every block on the map of all the others, then the smoothest walk."""

from dataclasses import replace

import numpy as np

from live_smlm.core import F64, DriftCurve
from live_smlm.metrics.drift_bank import path
from live_smlm.metrics.drift_kept import Kept
from live_smlm.metrics.drift_knots import Knots, both
from live_smlm.metrics.drift_map import Places, SampleMap

_TRUST_NM = 20.0
"""How far a block may lie from where it was."""
_MARKERS_ERROR_NM = 1.0
"""What a marker's home may be off by, beside what it claims."""


def look_back(onto: SampleMap, knots: Knots, kept: Kept, *, sweeps: int) -> F64:
    """Improve all knots and draw the map anew, in place; by how much the newest moved (3,)."""
    places = kept.places()
    edges = np.searchsorted(places.frame, knots.column("first"))
    edges = np.append(edges, len(places)).astype(np.int64)
    before = knots.column("value")[-1].copy()
    for _ in range(sweeps):
        still = _still(places, knots.curve())
        _draw(onto, still, kept.stride)
        at, variance = onto.find_each(still, edges, float(kept.stride), _TRUST_NM)
        at += knots.column("value")
        doubtful = knots.column("told_variance") + _MARKERS_ERROR_NM**2
        at, variance = both(at, variance, knots.column("told"), doubtful)
        frame, steps = knots.column("frame").copy(), knots.column("step")
        value, doubt = path(
            frame, knots.column("free"), at, variance,
            steps, knots.column("step_variance"), knots.column("lapse").copy(),
        )  # fmt: skip
        value += _zero(knots, value)
        knots.column("at")[:], knots.column("variance")[:] = at, variance
        knots.column("value")[:], knots.column("doubt")[:] = value, doubt
    _draw(onto, _still(places, knots.curve()), kept.stride)
    return np.asarray(knots.column("value")[-1] - before)


def _zero(knots: Knots, value: F64) -> F64:
    """What keeps most molecules where they are drawn."""
    weight = knots.column("molecules")[:, None]
    change = weight * (knots.column("value") - value)
    return np.asarray(change.sum(axis=0) / weight.sum())


def _still(places: Places, curve: DriftCurve) -> Places:
    x, y, z = curve.at(places.frame)
    depth = places.z - z if len(places.z) else places.z
    return replace(places, x=places.x - x, y=places.y - y, z=depth)


def _draw(onto: SampleMap, still: Places, stride: int) -> None:
    onto.clear()
    onto.add(still, np.zeros(3), float(stride))
