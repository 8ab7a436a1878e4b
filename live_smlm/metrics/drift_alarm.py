"""When drift is cause for alarm: too fast, too far, or no longer known; in words with numbers."""

import math
from dataclasses import dataclass

import numpy as np

from live_smlm.core import DriftCurve, require


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """What correction can still make good."""

    nm_per_100_frames: float = 50.0
    total_nm: float = 1000.0
    """Then much of the field has left the picture, or the focus its range."""
    axial_nm: float = 300.0
    lost_frames: int = 20

    def __post_init__(self) -> None:
        for name in ("nm_per_100_frames", "total_nm", "axial_nm", "lost_frames"):
            value = getattr(self, name)
            require(value > 0, f"drift limit {name} is {value:g}; give above 0")


def drift_alarms(
    curve: DriftCurve,
    stop_frame: int,
    *,
    lost_frames: int = 0,
    frame_interval_s: float | None = None,
    limits: DriftLimits | None = None,
) -> dict[str, str]:
    """What is wrong at `stop_frame`, by name, each with its cure; nothing where all is well.

    `lost_frames`: for so long the sample has not been found.
    """
    limits = limits or DriftLimits()
    span = min(stop_frame, 100)
    x, y, z = (
        np.asarray(axis, np.float64) for axis in curve.at(np.array([stop_frame - span, stop_frame]))
    )
    alarms = {}
    speed = float(np.hypot(np.diff(x), np.diff(y))[0])
    if span and (rate := 100 * speed / span) > limits.nm_per_100_frames:
        clock = f", {speed / (span * frame_interval_s):.2g} nm/s" if frame_interval_s else ""
        alarms["drift speed"] = (
            f"the sample moved {speed:.0f} nm in the last {span} frames{clock}: "
            f"{rate:.0f} nm per 100 frames, at most {limits.nm_per_100_frames:.0f} are well "
            "corrected; let the stage settle, or fix the sample"
        )
    total = math.hypot(x[1], y[1])
    if total > limits.total_nm:
        alarms["drift"] = (
            f"the sample has moved {total:.0f} nm since the start, at most "
            f"{limits.total_nm:.0f} nm are allowed; move the stage back and start anew"
        )
    if abs(z[1]) > limits.axial_nm:
        alarms["focus drift"] = (
            f"the focus has moved {z[1]:+.0f} nm since the start, at most "
            f"{limits.axial_nm:.0f} nm are allowed; focus again, or lock the focus"
        )
    if lost_frames >= limits.lost_frames:
        alarms["sample lost"] = (
            f"the sample has not been found again for {lost_frames} frames; "
            "check focus, stage and light, drift is not corrected until it is"
        )
    return alarms
